"""``accept``: which files stand for a spec, and what its entry becomes when a person says they satisfy it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sumesync.core import chain, paths, placement
from sumesync.core.decide import quoted
from sumesync.core.kinds import MOST_OUTPUTS
from sumesync.core.paid import Paid
from sumesync.core.text import printable
from sumesync.errors import UsageError
from sumesync.model import Entry, Lock, Output, Past, Wanted


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


def staying(entry: Entry | None, now: Past, wanted: Iterable[Wanted], lock: Lock) -> tuple[str, ...]:
    """The specs that take an output of ``entry`` and are as they should be: another file in its place, which ``now``
    says, changes no request. () where ``now`` says nothing new."""
    if entry is None or {o.sha256 for o in now.accepted} <= {o.sha256 for o in entry.outputs}:
        return ()
    found = []
    for each in wanted:
        its = lock.entries.get(each.key)
        made = its is not None and (its.fingerprint, its.endpoint) == (each.fingerprint, now.endpoint)
        if made and entry.key in chain.upstreams(each):
            found.append(each.key.path)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Missing:
    """Outputs that were paid for and are not there. ``gone``: Sume no longer has them."""

    outputs: tuple[Output, ...] = ()
    gone: bool = False

    @property
    def kept(self) -> tuple[Output, ...]:
        """Those that stay part of the entry, to be fetched."""
        return () if self.gone else self.outputs

    def told(self, spec: str) -> str:
        shown = printable(", ".join(output.path for output in self.outputs))
        if self.gone:
            return f"{shown} was paid for, is missing, and Sume no longer has it: the spec is satisfied without it"
        return f"{shown} was paid for and is missing; sumesync fetch {quoted(spec)} brings it"


def missing(known: Paid | None, wanted: Wanted, present: tuple[Output, ...]) -> Missing:
    """What was paid for of the request and is not among the ``present`` outputs."""
    if known is None or not known.completed:
        return Missing()
    there = {output.index for output in present}
    made = (
        output for job in known.latest for output in job.outputs if output.index not in there and not output.is_document
    )
    places = ((o, placement.target_of(wanted, o.index, paths.suffix_of(o.path))) for o in made)
    return Missing(tuple(replace(output, path=path) for output, path in places), known.gone)
