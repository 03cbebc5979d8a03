"""From the document of a spec to the drafts of its variants, or to all that is wrong with it. Pure.

What TOML can say in several ways (layout, order, comments, CRLF) is gone after this.
``core.chain`` completes the drafts.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from sumesync.core import chain, inputs, matrix, paths, rules
from sumesync.core.chain import Draft
from sumesync.core.config import Config, Schemas
from sumesync.core.document import NOTHING, Document, Found, PromptFile, Variant, variant_of
from sumesync.core.fields import STRUCTURE, twice
from sumesync.core.fingerprint import fingerprint
from sumesync.core.inputs import InputFile
from sumesync.core.kinds import Kind
from sumesync.core.matrix import MATRIX, PLAIN
from sumesync.core.text import printable
from sumesync.core.validate import (
    KEY_HINT,
    MOST_FOUND,
    Finding,
    by_schema,
    forbidden,
    holds_key,
    innocent,
    located,
    not_json,
    unknown_fields,
)
from sumesync.errors import Problem
from sumesync.model import EntryKey, Input, Json, LocalInput, Pointer, Wanted


def resolve(
    spec: Document, config: Config, schemas: Schemas, found: Found = NOTHING
) -> tuple[Draft, ...] | tuple[Problem, ...]:
    """The variants of a spec, or everything that is wrong with it."""
    findings = tuple(islice(_unique(_findings(spec, config, schemas, found)), MOST_FOUND))
    if findings or spec.kind is None:
        return located(spec.path, spec.text, findings)
    return tuple([_draft(spec, variant, spec.kind, found) for variant in spec.variants])


def _draft(spec: Document, variant: Variant, kind: Kind, found: Found) -> Draft:
    table = variant.table
    request: Json = dict(variant.request)
    if variant.prompt_path:
        prompt = variant.combination.fill(_prompt_text(found.prompts[variant.prompt_path].data))
        request = {**variant.request, "prompt": prompt}
    given: dict[Pointer, Input] = {}
    links = []
    for ask in variant.asks:
        if ask.is_file:
            file = inputs.local(ask, found.files[ask.path], ())
            assert isinstance(file, LocalInput), file
            given[ask.place] = file
            request = chain.put(request, ask.place, {**ask.table, "sha256": file.sha256})
        else:
            links.append(chain.Link(ask, _where(spec, variant, ask.place)))
    assert isinstance(request, dict)
    output, folder = table.get("output", {}), paths.parent(spec.path)
    meta = _plain(table.get("meta", {}))
    take = int(table.get("take", 1))
    wanted = Wanted(
        key=EntryKey(spec.path, variant.combination.name),
        kind=kind.name,
        take=take,
        request=request,
        fingerprint="" if links else fingerprint(kind.name, request, take, given),
        folder=paths.join(folder, output["dir"])[0] if "dir" in output else folder,
        stem=output.get("name", paths.spec_stem(spec.path)),
        meta=meta,
        tags=tuple(meta.get("tags", ())),
        inputs=given,
    )
    return Draft(wanted, tuple(links), spec.text)


def _where(spec: Document, variant: Variant, place: Pointer) -> Pointer:
    """Where the spec says what stands at ``place`` of a variant's request; () for what a default says."""
    fields = spec.kind.fields if spec.kind else ()
    extra = variant.table.get("extra")
    if place[0] in variant.table:
        return variant.combination.place(place, fields)
    return ("extra", *place) if isinstance(extra, dict) and place[0] in extra else ()


def _unique(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each finding once: variants of a spec have most of theirs in common."""
    seen = set()
    for finding in findings:
        if finding not in seen:
            seen.add(finding)
            yield finding


def _findings(spec: Document, config: Config, schemas: Schemas, found: Found) -> Iterator[Finding]:
    kind = spec.kind
    if not innocent(spec.table):
        yield from forbidden(spec.table)
    yield from spec.findings
    if kind is None:
        yield from by_schema(PLAIN.table(spec.table, ()), schemas.of_spec(None))
        return  # by_schema has told; which fields a kind has cannot be asked
    beyond = "a request field that this version does not know goes under [extra]"
    if any(name not in kind.fields and name not in STRUCTURE for name in spec.table):
        yield from unknown_fields(spec.table, {*kind.fields, *STRUCTURE}, kind.name, hint=beyond)
    if isinstance(spec.table.get("output"), dict):
        yield from unknown_fields(spec.table["output"], ("name", "dir"), "[output]", ("output",))
    # Nearly all have nothing but texts and whole numbers there, which JSON has, too.
    asked = {k: v for k, v in spec.table.items() if type(v) is not str and k not in ("meta", "output", MATRIX)}
    strange = tuple(not_json(asked, ())) if asked else ()
    yield from strange
    if "extra" in spec.table:
        yield from twice(spec.table, ())
    if not spec.variants:
        # Without its matrix: what it lacks may be what an axis sets.
        alone = variant_of(spec.path, spec.table, PLAIN, kind, {})
        yield from (finding for finding in _variant_findings(spec, alone, kind, schemas, NOTHING) if finding.pointer)
    told = False
    enough = {finding.pointer for finding in strange}  # of a date it need not be said that it is no text
    for variant in spec.variants:
        for finding in _variant_findings(spec, variant, kind, schemas, found):
            told = True
            if finding.pointer not in enough:
                yield replace(finding, pointer=variant.combination.place(finding.pointer, kind.fields))
    if spec.variants and not told:
        yield from _unused(spec, kind, config, found)


def _unused(spec: Document, kind: Kind, config: Config, found: Found) -> Iterator[Finding]:
    axes = spec.table.get(MATRIX, {})
    if not axes:
        return
    apart = {name: value for name, value in spec.table.items() if name not in ("meta", "output", MATRIX)}
    texts: list[Any] = [apart, config.defaults.get(kind.name, {})]
    texts += [values for axis, values in axes.items() if axis in kind.fields]
    texts += [_prompt_text(found.prompts[v.prompt_path].data) for v in spec.variants if v.prompt_path]
    yield from matrix.unused(axes, kind.fields, set(matrix.named_in(texts)), kind.name)


def _variant_findings(
    spec: Document, variant: Variant, kind: Kind, schemas: Schemas, found: Found
) -> Iterator[Finding]:
    table = variant.table
    yield from by_schema(table, schemas.of_spec(kind))
    if isinstance(table.get("output"), dict):
        yield from _output_findings(spec.path, table["output"])
    if variant.prompt_fault:
        what = f"prompt_file is {printable(str(table['prompt_file']), 60)}: {variant.prompt_fault}"
        yield Finding(("prompt_file",), what, "prompt files stay inside the project")
    prompt = None if variant.prompt_fault else found.prompts.get(variant.prompt_path)
    yield from _prompt_findings(table, kind, prompt)
    yield from rules.whole(table, variant.request, kind)
    if variant.combination.name:
        yield from _name_findings(spec.path, variant)
    for ask in variant.asks:
        file = found.files.get(ask.path, InputFile())
        where = _where(spec, variant, ask.place)
        if ask.is_file and (ask.fault or ask.path in found.files):
            result = inputs.local(ask, file, where)
            if isinstance(result, Finding):
                yield result if where else replace(result, hint=_inherited(kind))
        elif ask.fault:
            yield Finding(where, ask.told, "name a spec of the project, relative to this one")


def _inherited(kind: Kind) -> str:
    return f"[defaults.{kind.name}] in sumesync.toml names it, relative to the project"


def _name_findings(path: str, variant: Variant) -> Iterator[Finding]:
    """Whether the names of its files, which all bear the variant's, can be."""
    output = variant.table.get("output", {})
    stem = output.get("name") if isinstance(output, dict) else None
    for own in {paths.spec_stem(path), stem if isinstance(stem, str) else paths.spec_stem(path)}:
        if fault := paths.name_fault(f"{own}-{variant.combination.name}{paths.METADATA_SUFFIX}"):
            yield Finding((MATRIX,), f"the variant {variant.combination.name}: {fault}", "values become names of files")


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
