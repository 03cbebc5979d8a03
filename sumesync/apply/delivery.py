"""From a completed job to media in their places. ``download`` runs in a worker thread; ``put`` in the loop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sumesync.apply.run import Tools
from sumesync.core import media
from sumesync.core.placement import Ours, beside_of, target_of
from sumesync.errors import ApiError, MediaError
from sumesync.model import FileFact, JobRecord, JobState, Output, Wanted
from sumesync.ports import Part


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
    """What a job gave. ``gone``: Sume no longer has its result."""

    job: JobRecord
    loaded: tuple[Loaded, ...] = ()
    gone: bool = False


def download(job: JobRecord, first_index: int, folder: str, family: str, sent: frozenset[str], tools: Tools) -> Haul:
    """Fetch every output of ``job`` into part files in ``folder``. ``family``: image or video.

    Raises ApiError or MediaError (a fresh try asks for fresh URLs) and LocalStateError (our disk).
    """
    try:
        result = tools.api.result(job.id, sent)
    except ApiError as error:
        if error.status in (404, 410):
            return Haul(job, gone=True)
        raise
    if not result.urls:
        raise MediaError(f"the result of {job.id} names no media", "run apply again; if it stays so, ask Sume")
    cost = result.credits if result.credits is not None else job.credits
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
            raise MediaError(
                f"the result of {job.id} is not the file that the lock has (sha256 {item.sha256[:12]}…, "
                f"recorded {before.sha256[:12]}…)",
                "restore the file from git, or pay for a new one with: sumesync retake",
            )


def outputs_of(haul: Haul, wanted: Wanted) -> tuple[Output, ...]:
    """The outputs of a haul at the places where ``wanted`` wants them."""
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
