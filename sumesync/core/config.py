"""``sumesync.toml``: a project's settings, and the rules that they and specs are held against. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sumesync.core import toml
from sumesync.core.fields import flat, twice
from sumesync.core.kinds import PROMPT_FIELDS, Kind, Kinds
from sumesync.core.matrix import DEFAULT_MAX_VARIANTS, MATRIX
from sumesync.core.text import printable, suggest
from sumesync.core.validate import MOST_FOUND, Finding, Rules, by_schema, forbidden, located, not_json, unknown_fields
from sumesync.errors import Problem
from sumesync.model import SANDBOX, SUME, Json

DEFAULT_MAX_JOBS = 100


@dataclass(frozen=True, slots=True)
class Config:
    """``sumesync.toml``. ``store``: git, lfs or none."""

    endpoint: str = SUME
    defaults: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    max_jobs: int = DEFAULT_MAX_JOBS
    max_variants: int = DEFAULT_MAX_VARIANTS
    store: str = "git"
    sandbox: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schemas:
    """The JSON Schemas that specs and configs are held against, and the kinds declared in them."""

    spec: Mapping[str, Any]
    config: Mapping[str, Any]
    kinds: Kinds
    _rules: dict[str, Rules] = field(default_factory=dict, compare=False, repr=False)

    def of_config(self) -> Rules:
        return self._made("config", lambda: self.config)

    def of_defaults(self, kind: Kind) -> Rules:
        """For ``[defaults.KIND]``: the request fields of a kind, the prompt excepted."""
        fields = {name: rule for name, rule in kind.fields.items() if name not in PROMPT_FIELDS}
        return self._made(
            f"defaults {kind.name}",
            lambda: {"properties": {**fields, "extra": {"type": "object"}}, "$defs": self.spec["$defs"]},
        )

    def of_spec(self, kind: Kind | None) -> Rules:
        """For a spec of ``kind``: the whole schema's rules with the choice of the kind made. None: what every spec
        has."""

        def schema() -> Mapping[str, Any]:
            top = {name: rule for name, rule in self.spec["properties"].items() if name != MATRIX}
            return {"properties": {**top, **(kind.fields if kind else {})}, "$defs": self.spec["$defs"]}

        return self._made(f"spec {kind.name if kind else ''}", schema)

    def _made(self, name: str, schema: Callable[[], Mapping[str, Any]]) -> Rules:
        if name not in self._rules:
            self._rules[name] = Rules(schema())
        return self._rules[name]


def read_config(path: str, data: bytes, schemas: Schemas) -> tuple[Config, tuple[Problem, ...]]:
    """The project's settings, and every problem with them (then the settings are the defaults)."""
    try:
        text = toml.decode(path, data)
        table = toml.parse(path, text)
    except toml.TomlFault as fault:
        return Config(), (fault.problem,)
    if findings := list(islice(_config_findings(table, schemas), MOST_FOUND)):
        return Config(), located(path, text, findings)
    return (
        Config(
            endpoint=SANDBOX if table.get("endpoint") == "sandbox" else SUME,
            defaults={kind: flat(fields) for kind, fields in table.get("defaults", {}).items()},
            max_jobs=table.get("apply", {}).get("max_jobs", DEFAULT_MAX_JOBS),
            max_variants=table.get("apply", {}).get("max_variants", DEFAULT_MAX_VARIANTS),
            store=table.get("media", {}).get("store", "git"),
            sandbox=table.get("sandbox", {}),
        ),
        (),
    )


def _config_findings(table: Mapping[str, Any], schemas: Schemas) -> Iterator[Finding]:
    properties = schemas.config["properties"]
    yield from forbidden(table)
    yield from not_json({name: value for name, value in table.items() if name != "defaults"}, ())
    yield from unknown_fields(table, properties, "sumesync.toml")
    for name in ("apply", "media", "sandbox"):
        if isinstance(table.get(name), dict):
            yield from unknown_fields(table[name], properties[name]["properties"], f"[{name}]", (name,))
    for finding in by_schema(table, schemas.of_config()):
        if finding.pointer == ("endpoint",):
            why = "the origin comes from SUME_API_BASE_URL: a project could otherwise send the key elsewhere"
            yield Finding(finding.pointer, finding.what, f'only "sandbox" may stand here; {why}')
        else:
            yield finding
    sandbox = table.get("sandbox")
    seconds = sandbox.get("seconds") if isinstance(sandbox, dict) else None
    for name in seconds if isinstance(seconds, dict) else ():
        if name not in schemas.kinds:
            yield _no_kind(("sandbox", "seconds", name), name, schemas)
    defaults = table.get("defaults")
    for name, fields in defaults.items() if isinstance(defaults, dict) else ():
        kind = schemas.kinds.get(name)
        if kind is None:
            yield _no_kind(("defaults", name), name, schemas)
        elif isinstance(fields, dict):
            yield from _default_findings(fields, kind, schemas)


def _no_kind(pointer: tuple[str, ...], name: str, schemas: Schemas) -> Finding:
    hint = suggest(name, schemas.kinds) or f"kinds: {', '.join(schemas.kinds)}"
    return Finding(pointer, f"{printable(name, 60)} is not a kind", hint)


def _default_findings(fields: Mapping[str, Any], kind: Kind, schemas: Schemas) -> Iterator[Finding]:
    base = ("defaults", kind.name)
    yield from unknown_fields(fields, {*kind.fields, "extra"} - PROMPT_FIELDS, f"[defaults.{kind.name}]", base)
    yield from by_schema(fields, schemas.of_defaults(kind), base)
    yield from not_json(fields, base)
    yield from twice(fields, base)
