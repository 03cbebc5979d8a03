"""``accept``: which files stand for a spec, and what its entry becomes when a person says they satisfy it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sumesync.core import paths, placement
from sumesync.core.kinds import MOST_OUTPUTS
from sumesync.core.text import printable
from sumesync.errors import UsageError
from sumesync.model import Entry, Output, Past, Wanted


def standing(wanted: Wanted, names: Iterable[str]) -> tuple[tuple[int, str], ...]:
    """(index, path) of the files among ``names``, those of its folder, that stand where its outputs belong. Raises
    UsageError where there is none, or where two could be the same one."""
    names = tuple(names)
    found = []
    for index in range(1, MOST_OUTPUTS + 1):
        stem = paths.folded(placement.stem_of(wanted, index))
        files = sorted(name for name in names if paths.folded(name.rpartition(".")[0]) == stem)
        if len(files) > 1:
            shown = ", ".join(files)
            raise UsageError(f"{wanted.key}: which one is it? {printable(shown)}", "leave only one of them there")
        if files:
            found.append((index, paths.under(wanted.folder, files[0])))
    if not found:
        where = paths.under(wanted.folder, placement.stem_of(wanted, 1))
        raise UsageError(
            f"{wanted.key}: there is no media at {printable(where)}.*", "put the file there, then accept it"
        )
    return tuple(found)


def satisfied(entry: Entry | None, wanted: Wanted, endpoint: str, outputs: tuple[Output, ...]) -> Past:
    """What the entry is from now on. Bytes that its own jobs made need no blessing."""
    same = entry is not None and (entry.fingerprint, entry.endpoint) == (wanted.fingerprint, endpoint)
    jobs = entry.jobs if entry is not None and same else ()
    ours = {output.sha256 for job in jobs for output in job.outputs}
    blessed = () if same and {output.sha256 for output in outputs} <= ours else outputs
    return Past(wanted.fingerprint, wanted.kind, endpoint, jobs, blessed)
