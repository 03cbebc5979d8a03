"""From the text of a spec and of ``sumesync.toml`` to values, or to all that is wrong with them. Pure.

``open_spec`` parses; the disk then reads the prompt file that the document names; ``resolve`` makes the
``Wanted`` value. What TOML can say in several ways (layout, order, comments, CRLF) is gone after this.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sumesync.core import paths, rules, toml
from sumesync.core.fingerprint import fingerprint
from sumesync.core.kinds import DEFAULT_KIND, PROMPT_FIELDS, Kind, Kinds
from sumesync.core.locate import Locator
from sumesync.core.text import printable, suggest
from sumesync.core.validate import KEY_HINT, Finding, Rules, by_schema, forbidden, holds_key, not_json, unknown_fields
from sumesync.errors import Problem
from sumesync.model import SANDBOX, SUME, EntryKey, Json, Wanted

_STRUCTURE = ("kind", "take", "extra", "output", "meta")
DEFAULT_MAX_JOBS = 100
MOST_PROBLEMS = 50
"""Told of one file: more are not read by anybody."""
_MOST_FOUND = 1_000  # looked for: a hostile file has as many as it has bytes, and each takes a while to word


@dataclass(frozen=True, slots=True)
class Config:
    """``sumesync.toml``. ``store``: git, lfs or none."""

    endpoint: str = SUME
    defaults: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    max_jobs: int = DEFAULT_MAX_JOBS
    store: str = "git"
    sandbox: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A spec's text as a table; ``prompt_path`` is the project's path of its prompt file, if it names one."""

    path: str
    text: str
    table: Mapping[str, Any]
    prompt_path: str | None = None


@dataclass(frozen=True, slots=True)
class PromptFile:
    """What the disk found where ``prompt_file`` points: bytes, or why not."""

    data: bytes = b""
    fault: str = ""


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
        own = kind.fields if kind else {}
        return self._made(
            f"spec {kind.name if kind else ''}",
            lambda: {"properties": {**self.spec["properties"], **own}, "$defs": self.spec["$defs"]},
        )

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
    if findings := list(islice(_config_findings(table, schemas), _MOST_FOUND)):
        return Config(), _located(path, text, findings)
    return (
        Config(
            endpoint=SANDBOX if table.get("endpoint") == "sandbox" else SUME,
            defaults={kind: _flat(fields) for kind, fields in table.get("defaults", {}).items()},
            max_jobs=table.get("apply", {}).get("max_jobs", DEFAULT_MAX_JOBS),
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
    yield from _twice(fields, base)


def open_spec(path: str, data: bytes) -> Document | tuple[Problem, ...]:
    """Parse a spec; its prompt file is named, not read. Problems when there is nothing to go on with."""
    folder = paths.parent(path)
    if trouble := paths.path_fault(path):
        return (Problem(printable(path), trouble, "rename the spec"),)
    if not paths.spec_stem(path):
        return (Problem(path, "the spec has no name", "name it NAME.sume.toml"),)
    try:
        text = toml.decode(path, data)
        table = toml.parse(path, text)
    except toml.TomlFault as fault:
        return (fault.problem,)
    named = table.get("prompt_file")
    if not isinstance(named, str) or not named:
        return Document(path, text, table)
    prompt_path, trouble = paths.join(folder, named)
    if not trouble and any(part.startswith(".") for part in prompt_path.split("/")):
        trouble = "it is a hidden file"  # .env and its like: a prompt is sent, shown and committed
    if trouble or not prompt_path:
        hint = "prompt files stay inside the project"
        return _located(path, text, [Finding(("prompt_file",), f"prompt_file: {trouble or 'it is a folder'}", hint)])
    return Document(path, text, table, prompt_path)


def resolve(
    document: Document, config: Config, schemas: Schemas, prompt: PromptFile | None = None
) -> Wanted | tuple[Problem, ...]:
    """The one variant of a plain spec, or everything that is wrong with it."""
    findings = list(islice(_spec_findings(document, config, schemas, prompt), _MOST_FOUND))
    if findings:
        return _located(document.path, document.text, findings)
    table = document.table
    kind = schemas.kinds[table.get("kind", DEFAULT_KIND)]
    request = {**config.defaults.get(kind.name, {}), **_flat(table)}
    if prompt is not None:
        request["prompt"] = _prompt_text(prompt.data)
    output = table.get("output", {})
    meta = _plain(table.get("meta", {}))
    take = int(table.get("take", 1))
    return Wanted(
        key=EntryKey(document.path),
        kind=kind.name,
        take=take,
        request=request,
        fingerprint=fingerprint(kind.name, request, take),
        folder=paths.join(paths.parent(document.path), output.get("dir", "."))[0],
        stem=output.get("name", paths.spec_stem(document.path)),
        meta=meta,
        tags=tuple(meta.get("tags", ())),
    )


def _spec_findings(
    document: Document, config: Config, schemas: Schemas, prompt: PromptFile | None
) -> Iterator[Finding]:
    table = document.table
    name = table.get("kind", DEFAULT_KIND)
    kind = schemas.kinds.get(name) if isinstance(name, str) else None
    yield from forbidden(table)
    yield from by_schema(table, schemas.of_spec(kind))
    if kind is None:
        return  # by_schema has told; which fields a kind has cannot be asked
    beyond = "a request field that this version does not know goes under [extra]"
    yield from unknown_fields(table, {*kind.fields, *_STRUCTURE}, kind.name, hint=beyond)
    if isinstance(table.get("output"), dict):
        yield from unknown_fields(table["output"], ("name", "dir"), "[output]", ("output",))
        yield from _output_findings(document.path, table["output"])
    yield from _prompt_findings(table, kind, prompt)
    if isinstance(table.get("extra", {}), dict):
        yield from rules.whole(table, {**config.defaults.get(kind.name, {}), **_flat(table)}, kind)
    yield from not_json({k: v for k, v in table.items() if k not in ("meta", "output")}, ())
    yield from _twice(table, ())


def _twice(table: Mapping[str, Any], base: tuple[str, ...]) -> Iterator[Finding]:
    extra = table.get("extra")
    for key in extra if isinstance(extra, dict) else ():
        if key in (*_STRUCTURE, "prompt_file") or (key == "prompt" and "prompt_file" in table):
            yield Finding(
                (*base, "extra", key), f"{key} stands in [extra]", f"it belongs above: {key} is sumesync's own"
            )
        elif key in table:
            where = (*base, "extra", key)
            yield Finding(where, f"{printable(key, 60)} stands at the top and in [extra]", "keep one of them")


def _prompt_findings(table: Mapping[str, Any], kind: Kind, prompt: PromptFile | None) -> Iterator[Finding]:
    if "prompt" not in kind.fields:
        return
    if "prompt" in table and "prompt_file" in table:
        yield Finding(("prompt_file",), "both prompt and prompt_file", "keep one of them")
    if "prompt" not in table and "prompt_file" not in table:
        yield Finding((), f"the {kind.name} has no prompt", 'add prompt = "…" or prompt_file = "…"')
    if prompt is None:
        return
    if prompt.fault:
        yield Finding(("prompt_file",), f"prompt_file: {prompt.fault}", "the path is relative to the spec")
        return
    try:
        text = _prompt_text(prompt.data)
        if holds_key(text):
            yield Finding(("prompt_file",), "the prompt file holds an API key", KEY_HINT)
        if not text.strip():
            yield Finding(("prompt_file",), "the prompt file is empty", "say what to make")
    except UnicodeDecodeError:
        yield Finding(("prompt_file",), "the prompt file is not UTF-8 text", "save it as UTF-8")


def _prompt_text(data: bytes) -> str:
    """A prompt file loses its byte order mark, carriage returns and final newlines."""
    return data.decode("utf-8-sig").replace("\r", "").rstrip("\n")


def _output_findings(path: str, output: Mapping[str, Any]) -> Iterator[Finding]:
    name, folder = output.get("name"), output.get("dir")
    if isinstance(name, str) and name:
        fault = "the name holds a /" if "/" in name else paths.name_fault(name)
        if fault:
            hint = "folders go in output.dir" if "/" in name else ""
            yield Finding(("output", "name"), f"output.name: {fault}", hint)
    if isinstance(folder, str) and folder:
        fault = paths.join(paths.parent(path), folder)[1]
        if fault:
            yield Finding(("output", "dir"), f"output.dir: {fault}", "outputs stay inside the project")


def _flat(table: Mapping[str, Any]) -> dict[str, Json]:
    """The request fields of a table, ``[extra]`` beside them; whole floats as integers, as JSON sees them."""
    own = {k: v for k, v in table.items() if k not in _STRUCTURE and k != "prompt_file"}
    return {key: _whole(value) for key, value in {**own, **table.get("extra", {})}.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


def _plain(value: Any) -> Any:
    """``[meta]`` as JSON: dates as ISO text, what JSON has no word for as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _located(path: str, text: str, findings: list[Finding]) -> tuple[Problem, ...]:
    locator = Locator(text)
    placed = [(locator.find(finding.pointer) or (1, 1), finding) for finding in findings]
    placed.sort(key=lambda pair: pair[0])
    problems = [Problem(path, f.what, f.hint, line, column) for (line, column), f in placed[:MOST_PROBLEMS]]
    if len(placed) > MOST_PROBLEMS:
        left = "many" if len(placed) == _MOST_FOUND else str(len(placed) - MOST_PROBLEMS)
        problems.append(Problem(path, f"and {left} more", "", problems[-1].line, problems[-1].column))
    return tuple(problems)
