"""From a completed job to media in their places. ``download`` runs in a worker thread; ``put`` in the loop."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sumesync.answers import JobResult
from sumesync.apply.run import Tools
from sumesync.core import documents, media, metadata
from sumesync.core.advance import search_record
from sumesync.core.placement import Ours, beside_of, target_of
from sumesync.errors import ApiError, MediaError, MediaRefused
from sumesync.model import FileFact, JobRecord, JobState, Json, Output, Wanted
from sumesync.ports import Part

_SCENES: Final = 20
"""Of a search that does not say how many."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One media file, complete and verified, not in its place yet."""

    index: int
    part: Part
    sha256: str
    size: int
    kind: media.MediaType


@dataclass(frozen=True, slots=True)
class Haul:
    """What a job gave: media, or a document. ``gone``: Sume no longer has its result."""

    job: JobRecord
    loaded: tuple[Loaded, ...] = ()
    gone: bool = False
    document: Mapping[str, Json] | None = None


def download(job: JobRecord, first_index: int, folder: str, family: str, sent: frozenset[str], tools: Tools) -> Haul:
    """Fetch every output of ``job`` into part files in ``folder``. ``family``: image or video; none for a document.

    Raises ApiError or MediaError (a fresh try asks for fresh URLs) and LocalStateError (our disk).
    """
    is_document = family == "none"
    result = _result(job, sent, tools, is_document)
    if result is None:
        return Haul(job, gone=True)
    cost = result.credits if result.credits is not None else job.credits
    if is_document:
        document = documents.public(result.document, f"the result of {job.id}")
        if not document:
            raise MediaError(f"the result of {job.id} is empty", "run apply again; if it stays so, ask Sume")
        return Haul(replace(job, credits=cost), document=document)
    if not result.urls:
        raise MediaError(f"the result of {job.id} names no media", "run apply again; if it stays so, ask Sume")
    loaded: list[Loaded] = []
    try:
        for offset, url in enumerate(result.urls):
            loaded.append(_load(first_index + offset, url, folder, family, tools))
        _verify(job, loaded)
    except BaseException:
        for item in loaded:
            item.part.discard()
        raise
    return Haul(replace(job, credits=cost), tuple(loaded))


def _result(job: JobRecord, sent: frozenset[str], tools: Tools, whole: bool) -> JobResult | None:
    """None: Sume no longer has it."""
    try:
        return tools.api.result(job.id, sent, whole=whole)
    except ApiError as error:
        if error.status in (404, 410):
            return None
        raise


def search(wanted: Wanted, tools: Tools) -> Haul:
    """Ask Sume's library, page after page, for as many scenes as ``limit`` says. Costs nothing and makes no job."""
    limit = wanted.request.get("limit")
    most = limit if isinstance(limit, int) and limit > 0 else _SCENES
    query = {**{name: _filter(value) for name, value in wanted.request.items()}, "limit": str(most)}
    found: dict[str, Mapping[str, Json]] = {}
    seen: set[str | None] = set()
    cursor: str | None = None
    while cursor not in seen:  # a cursor that comes again would go round for ever
        seen.add(cursor)
        page = tools.library.scenes(query, cursor)
        found.update((scene.id, scene.document) for scene in page.scenes if scene.id not in found)
        cursor = page.cursor
        if cursor is None or len(found) >= most or not page.scenes:
            break
    listed = list(found.values())
    more = len(listed) > most or cursor is not None
    document = documents.public(documents.scenes(listed[:most], more), "what the search found")
    return Haul(search_record(wanted.fingerprint), document=document)


def _filter(value: Json) -> str:
    """A filter as a URL's query has it."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _load(index: int, url: str, folder: str, family: str, tools: Tools) -> Loaded:
    part = tools.media.part(folder)
    try:
        tools.api.download(url, part.write)
        sha256, size = part.finish()
        kind = media.sniff(part.head)
        if kind is None:
            what = f"Sume's media host sent {media.describe(part.head)} instead of the media"
            raise MediaError(what, "run apply again: it downloads the result again, for free")
        if kind.family != family:
            raise MediaError(f"Sume's media host sent {kind.name} where {family} was asked for", "ask Sume about it")
    except BaseException:
        part.discard()
        raise
    return Loaded(index, part, sha256, size, kind)


def _verify(job: JobRecord, loaded: list[Loaded]) -> None:
    """What was downloaded before must come back as it was: the lock's hash is what reviewers agreed to."""
    known = {output.index: output for output in job.outputs}
    for item in loaded:
        before = known.get(item.index)
        if before is not None and before.sha256 != item.sha256:
            raise MediaRefused(
                f"the result of {job.id} is not the file that the lock has (sha256 {item.sha256[:12]}…, "
                f"recorded {before.sha256[:12]}…)",
                "restore the file from git, or pay for a new one with: sumesync retake",
            )


def outputs_of(haul: Haul, wanted: Wanted) -> tuple[Output, ...]:
    """The outputs of a haul at the places where ``wanted`` wants them."""
    if haul.document is not None:
        return (documents.output(metadata.path_of(wanted.key), haul.document),)
    return tuple(
        Output(item.index, target_of(wanted, item.index, item.kind.suffix), item.sha256, item.size, item.kind.name)
        for item in haul.loaded
    )


def recorded(haul: Haul, outputs: tuple[Output, ...]) -> JobRecord:
    return replace(haul.job, state=JobState.COMPLETED, outputs=outputs)


def put(
    part: Part, output: Output, wanted: Wanted, job_id: str, own: Ours, tools: Tools, force: bool = False
) -> Output:
    """Move ``part`` to its place, or beside it when the place is taken; the output as it landed.

    The target is looked at again right before: only nothing, or bytes of ours, give way. ``force``: a
    person said that an edit may be replaced, too.
    """
    there = tools.media.look(output.path)
    if _same(there, output):
        part.discard()
        return output
    if _may_replace(output.path, there, own, force) and tools.media.place(part, output.path, there):
        return output
    suffix = output.path[output.path.rindex(".") :]
    beside = beside_of(wanted, output.index, suffix, job_id)
    there = tools.media.look(beside)
    if (there is None or own.yields(beside, there)) and tools.media.place(part, beside, there):
        return replace(output, path=beside)
    part.discard()
    raise MediaError(
        f"{output.path} and {beside} are both taken by other files", "move one of them, then run apply again"
    )


def _same(there: FileFact | None, output: Output) -> bool:
    return there is not None and there.sha256 == output.sha256 and there.size == output.size and there.kind == "file"


def _may_replace(path: str, there: FileFact | None, own: Ours, force: bool) -> bool:
    return there is None or own.yields(path, there) or (force and there.kind == "file")


def widened(own: Ours, outputs: Iterable[Output]) -> Ours:
    """``own`` and what this run has written since."""
    new = {output.sha256 for output in outputs}
    return replace(own, hashes=own.hashes | new, vouched=own.vouched | new)
