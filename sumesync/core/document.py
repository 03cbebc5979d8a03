"""A spec's text as a table, its variants, and the files that they name. Pure.

``open_spec`` parses; the disk then reads what the document names (``Found``); ``core.spec`` resolves it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sumesync.core import inputs, matrix, paths, toml
from sumesync.core.config import Config, Schemas
from sumesync.core.fields import STRUCTURE, flat
from sumesync.core.inputs import Ask, InputFile
from sumesync.core.kinds import DEFAULT_KIND, Kind
from sumesync.core.matrix import Combination
from sumesync.core.text import printable
from sumesync.core.validate import Finding
from sumesync.errors import Problem
from sumesync.model import Json


@dataclass(frozen=True, slots=True)
class Variant:
    """One combination of a spec. ``request`` lacks the text of the prompt file; ``asks`` are the files and specs that
    it takes media from; ``prompt_path`` is the project's path of its prompt file, "" with a fault or without one."""

    combination: Combination
    table: Mapping[str, Any]
    request: Mapping[str, Json]
    asks: tuple[Ask, ...] = ()
    prompt_path: str = ""
    prompt_fault: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A spec's text as a table. Without ``variants`` where its kind or its matrix is wrong: ``findings``."""

    path: str
    text: str
    table: Mapping[str, Any]
    kind: Kind | None
    variants: tuple[Variant, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def prompts(self) -> frozenset[str]:
        """The prompt files that it names."""
        return frozenset([variant.prompt_path for variant in self.variants if variant.prompt_path])

    @property
    def files(self) -> frozenset[str]:
        """The media files that it names."""
        return frozenset([ask.path for variant in self.variants for ask in variant.asks if ask.is_file and ask.path])


@dataclass(frozen=True, slots=True)
class PromptFile:
    """What the disk found where ``prompt_file`` points: bytes, or why not."""

    data: bytes = b""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What the disk found at the paths that specs name."""

    prompts: Mapping[str, PromptFile] = field(default_factory=dict)
    files: Mapping[str, InputFile] = field(default_factory=dict)


NOTHING = Found()


def open_spec(path: str, data: bytes, config: Config, schemas: Schemas) -> Document | tuple[Problem, ...]:
    """Parse a spec; the files that it names are named, not read. Problems when there is nothing to go on with."""
    if trouble := paths.path_fault(path):
        return (Problem(printable(path), trouble, "rename the spec"),)
    if not paths.spec_stem(path):
        return (Problem(path, "the spec has no name", "name it NAME.sume.toml"),)
    try:
        text = toml.decode(path, data)
        table = toml.parse(path, text)
    except toml.TomlFault as fault:
        return (fault.problem,)
    return document(path, text, table, config, schemas)


def document(path: str, text: str, table: Mapping[str, Any], config: Config, schemas: Schemas) -> Document:
    """A spec's table with its variants."""
    name = table.get("kind", DEFAULT_KIND)
    kind = schemas.kinds.get(name) if isinstance(name, str) else None
    fields: Collection[str] = kind.fields if kind else ()
    combinations, findings = matrix.expand(table, fields, STRUCTURE, config.max_variants)
    defaults = config.defaults.get(kind.name, {}) if kind else {}
    chosen = () if kind is None else combinations
    variants = tuple([variant_of(path, table, one, kind, defaults) for one in chosen]) if kind else ()
    return Document(path, text, table, kind, variants, findings)


def variant_of(
    path: str, spec: Mapping[str, Any], combination: Combination, kind: Kind, defaults: Mapping[str, Json]
) -> Variant:
    table = combination.table(spec, kind.fields)
    own = flat(table)
    folder = paths.parent(path)
    inherited = combination.fill({name: value for name, value in defaults.items() if name not in own})
    named = tuple(inputs.asks(own, folder, kind))
    named = (*inputs.asks(inherited, "", kind), *named) if inherited else named
    request = {**inherited, **own}
    prompt = table.get("prompt_file")
    if not isinstance(prompt, str) or not prompt:
        return Variant(combination, table, request, named)
    prompt_path, fault = paths.join(folder, prompt)
    if not fault and any(part.startswith(".") for part in prompt_path.split("/")):
        fault = "it is a hidden file"  # .env and its like: a prompt is sent, shown and committed
    return Variant(combination, table, request, named, prompt_path, fault or ("" if prompt_path else "it is a folder"))
