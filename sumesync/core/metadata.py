"""``NAME.sume.json``: what people and other programs read about an entry. Pure.

The lock wins over it. It keeps the resolved request, which is where "from what to what" comes from, and
enough to make the lock again. A file that says something else than we would write is stale; how it is laid out
(indentation, the order of its keys, line ends) means nothing, so that nobody's formatter is fought with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, NoneType
from typing import Any, Final

from sumesync.core import documents, paths
from sumesync.core.lock import LockFault, past_table, read_past
from sumesync.core.text import without_queries
from sumesync.model import SUME, Entry, EntryKey, Json, Output, Past, Wanted

FORMAT_VERSION: Final = 1
MAX_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the metadata hold it: inputs by their names and hashes, URLs without queries."""

    take: int
    request: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class MetadataFact:
    """What a metadata file says. ``ours`` is False for a file that sumesync did not write; ``entry`` is None where it
    cannot be read."""

    ours: bool
    entry: Entry | None = None
    take: int = 1
    request: Mapping[str, Json] | None = None
    meta: Mapping[str, Json] = field(default_factory=dict)
    result: Mapping[str, Json] | None = None
    """The document of a kind whose result is one, and its ``output``: where it stands, as the lock records it."""
    output: Output | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict)
    """What the request of each fingerprint was, now and before, as far as it was written down."""
    exact: bool = False
    """It says what we would write of all this, and nothing else."""
    blocked: bool = False
    """No file that can be read and replaced: a folder, a link."""


def path_of(key: EntryKey) -> str:
    """Where the metadata of an entry stand: beside the spec, one file a variant."""
    stem = key.path.removesuffix(paths.SPEC_SUFFIX)
    return f"{stem}-{key.variant}{paths.METADATA_SUFFIX}" if key.variant else stem + paths.METADATA_SUFFIX


def kept(entry: Entry, result: Mapping[str, Json] | None) -> Mapping[str, Json] | None:
    """``result`` where it is the very document that ``entry`` stands for."""
    if result is None or not any(output.is_document for output in entry.outputs):
        return None
    made = documents.output(path_of(entry.key), result)
    return result if any(output.is_document and output.sha256 == made.sha256 for output in entry.outputs) else None


def render(
    wanted: Wanted,
    entry: Entry,
    result: Mapping[str, Json] | None = None,
    asked: Mapping[str, Asked] = MappingProxyType({}),
) -> str:
    """The text of the metadata of ``entry``, made from ``wanted``. ``result``: a document, written where it is the
    one that ``entry`` stands for. ``asked``: earlier requests by fingerprint, written where its history has them."""
    request, meta = _ordered(clean(dict(wanted.request))), _ordered(clean(dict(wanted.meta)))
    return json.dumps(_document(entry, wanted.take, request, meta, result, asked), indent=2, ensure_ascii=False) + "\n"


def _document(
    entry: Entry, take: int, request: Any, meta: Any, result: Mapping[str, Json] | None, asked: Mapping[str, Asked]
) -> dict[str, Any]:
    document: dict[str, Any] = {"format_version": FORMAT_VERSION, "spec": entry.key.path}
    if entry.key.variant:
        document["variant"] = entry.key.variant
    document["take"] = take
    document["request"] = request
    if meta:
        document["meta"] = meta
    document.update(past_table(entry))
    if entry.history:
        document["history"] = history_tables(entry.history, asked)
    if (held := kept(entry, result)) is not None:
        document["result"] = held
    return document


def stale(wanted: Wanted, entry: Entry, before: MetadataFact | None) -> bool:
    """Whether ``before`` says something else than ``render`` of these and of what it knows itself would say."""
    return (
        before is None
        or not before.exact
        or (before.entry is not entry and before.entry != entry)
        or before.take != wanted.take
        or not _says(before.request, dict(wanted.request))
        or not _says(before.meta, dict(wanted.meta))
    )


def _says(told: Any, value: Any) -> bool:
    """Whether ``told`` is the same to JSON as ``clean`` of ``value``, which is not made for it."""
    if type(value) is str:
        return type(told) is str and told == without_queries(value)
    if type(told) is not type(value):
        return False
    if type(value) is dict:
        return told.keys() == value.keys() and all(_says(told[key], item) for key, item in value.items())
    if type(value) is list:
        return len(told) == len(value) and all(map(_says, told, value))
    return bool(told == value)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same to JSON: to Python true is 1."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if type(one) is dict:
        return one.keys() == other.keys() and all(_same(item, other[key]) for key, item in one.items())
    if type(one) is list:
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def history_tables(history: tuple[Past, ...], asked: Mapping[str, Asked]) -> list[dict[str, Any]]:
    """What an entry was before, as the metadata write it: each with its request, where that is known."""
    return [_asked_table(asked.get(past.fingerprint)) | past_table(past) for past in history]


def _asked_table(asked: Asked | None) -> dict[str, Any]:
    return {"take": asked.take, "request": _ordered(clean(dict(asked.request)))} if asked else {}


def clean(value: Json) -> Json:
    """``value`` without the queries of its URLs: they may be signatures."""
    if isinstance(value, str):
        return without_queries(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {key: clean(item) for key, item in value.items()}
    return value


def is_clean(value: Json) -> bool:
    """Whether ``clean`` of it is what it is."""
    if isinstance(value, str):
        return without_queries(value) == value
    if isinstance(value, dict):
        return all(map(is_clean, value.values()))
    return all(map(is_clean, value)) if isinstance(value, list) else True


def _ordered(value: Json) -> Json:
    """The prompt first, then by name: the order in which a spec has its keys means nothing."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=lambda key: (key != "prompt", key))}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


def read(text: str, likely: Entry | None = None) -> MetadataFact:
    """What a metadata file says. Never raises: a file that does not read is stale, or not ours. ``likely``: the entry
    that it may well be of. Where it says just that, nothing of it need be proved again."""
    if likely is not None and (fact := _in_our_words(text, likely)):
        return fact
    try:
        document = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return MetadataFact(ours=False)
    if not isinstance(document, dict) or document.get("format_version") != FORMAT_VERSION:
        return MetadataFact(ours=False)
    if likely is not None and (fact := _as_recorded(document, likely)):
        return fact
    try:
        entry = _entry(document)
    except LockFault:
        return MetadataFact(ours="spec" in document and "fingerprint" in document)
    asked = _asked(document)
    now = asked.get(entry.fingerprint)
    take, request = (now.take, now.request) if now else (1, None)
    meta = document.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    result, output = _result(document.get("result"), path_of(entry.key))
    written = _document(entry, take, request, meta, result, asked)
    return MetadataFact(
        ours=True,
        entry=entry,
        take=take,
        request=request,
        meta=meta,
        result=result,
        output=output,
        asked=asked,
        exact=document == written and document["format_version"] is not True,
    )


def _in_our_words(text: str, entry: Entry) -> MetadataFact | None:
    """What ``read`` makes of the metadata of ``entry`` where what was paid for stands at their end as ``render``
    writes it: then only what comes before that is parsed. None where the long way has to tell."""
    end = recorded(entry)
    if end is None or not text.endswith(end):
        return None
    try:
        document = _DECODER.decode(text[: -len(end)] + "}")
    except (ValueError, RecursionError):
        return None
    variant, named = entry.key.variant, ("meta" in document) + ("variant" in document)
    take, request, meta = document.get("take"), document.get("request"), document.get("meta")
    if (
        len(document) != 4 + named
        or type(version := document.get("format_version")) is not int
        or version != FORMAT_VERSION
        or document.get("spec") != entry.key.path
        or document.get("variant", "") != variant
        or bool(variant) != ("variant" in document)
        or type(take) is not int
        or type(request) is not dict
        or ("meta" in document and (type(meta) is not dict or not meta))
    ):
        return None
    # Half a character is neither ASCII nor without an escape.
    plain = text.isascii() and "\\" not in text and all(type(item) is str for item in request.values())
    return as_recorded(entry, take, request, meta or {}) if plain or _writable(request) else None


def recorded(entry: Entry) -> str | None:
    """The end of the metadata of ``entry``, from the comma before its kind on; None where it takes more to say than
    jobs that went well and their outputs."""
    if entry.history or entry.accepted or not entry.jobs:
        return None
    jobs = []
    for job in entry.jobs:
        if job.error is not None or not job.outputs or type(job.credits) not in (int, NoneType):
            return None
        credits_ = f'\n      "credits": {job.credits},' if job.credits is not None else ""
        outputs = ",".join(
            [_OUTPUT.format(o.index, _TEXT(o.path), _TEXT(o.sha256), o.size, _TEXT(o.media_type)) for o in job.outputs]
        )
        jobs.append(_JOB.format(_TEXT(job.id), _TEXT(job.state), job.attempt, credits_, outputs))
    endpoint = f'\n  "endpoint": {_TEXT(entry.endpoint)},' if entry.endpoint != SUME else ""
    return _END.format(_TEXT(entry.kind), _TEXT(entry.fingerprint), endpoint, ",".join(jobs))


def _as_recorded(document: dict[str, Any], entry: Entry) -> MetadataFact | None:
    """What ``read`` makes of the metadata of ``entry``, where these are just that, without history and document."""
    take, request, meta = document.get("take"), document.get("request"), document.get("meta")
    if type(take) is not int or not isinstance(request, dict) or not isinstance(meta, dict | None) or entry.history:
        return None
    written = _document(entry, take, request, meta, None, {})
    if not _same(document, written) or not _writable(request):
        return None
    return as_recorded(entry, take, request, meta or {})


def as_recorded(entry: Entry, take: int, request: Mapping[str, Json], meta: Mapping[str, Json]) -> MetadataFact:
    """What is read of metadata that say just this, of an entry without history and without a document."""
    asked = {entry.fingerprint: Asked(take, request)}
    return MetadataFact(True, entry, take, request, meta, None, None, asked, exact=True)


def _asked(document: dict[str, Any]) -> dict[str, Asked]:
    """The requests of a metadata file, by the fingerprints that stand beside them; the present one counts."""
    found: dict[str, Asked] = {}
    for table in (*document.get("history", []), document):
        take, request = table.get("take"), table.get("request")
        if isinstance(request, dict) and _writable(request):
            found[table["fingerprint"]] = Asked(take if type(take) is int else 1, request)
    return found


def _result(value: object, path: str) -> tuple[dict[str, Json] | None, Output | None]:
    """The document of a metadata file; none where it is none that we could write again (1e999, half a character)."""
    if not isinstance(value, dict) or not _writable(value):
        return None, None
    return value, documents.output(path, value)


def _writable(value: dict[str, Json]) -> bool:
    """Whether we could write it again: no infinity (1e999), no half of a character, no thousand of levels."""
    try:
        if any(isinstance(item, dict | list) for item in value.values()):
            _ordered(clean(value))
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


_TEXT: Final = json.encoder.encode_basestring
_END: Final = """,
  "kind": {},
  "fingerprint": {},{}
  "jobs": [{}
  ]
}}
"""
_JOB: Final = """
    {{
      "id": {},
      "state": {},
      "attempt": {},{}
      "outputs": [{}
      ]
    }}"""
_OUTPUT: Final = """
        {{
          "index": {},
          "path": {},
          "sha256": {},
          "size": {},
          "media_type": {}
        }}"""


def _entry(document: dict[str, Any]) -> Entry:
    where = "metadata"
    path, variant, history = document.get("spec"), document.get("variant", ""), document.get("history", [])
    if not isinstance(path, str) or paths.path_fault(path) or not path.endswith(paths.SPEC_SUFFIX):
        raise LockFault(f"{where}: spec is not a path")
    if not isinstance(variant, str) or (variant and ("/" in variant or paths.name_fault(variant))):
        raise LockFault(f"{where}: variant is not a name")
    if not isinstance(history, list) or not all(isinstance(item, dict) for item in history):
        raise LockFault(f"{where}: history is not a list")
    past = read_past(document, where)
    return Entry(
        EntryKey(path, variant),
        past.fingerprint,
        past.kind,
        past.endpoint,
        past.jobs,
        past.accepted,
        tuple(read_past(item, where) for item in history),
    )
