"""Where outputs belong, and where their bytes stand now. Pure.

The names: ``stem.ext`` for the first output, ``stem-2.ext`` for the second; a variant's stem is
``stem-VALUE``. An output whose place was taken when it came landed as ``stem.JOB.ext``.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sumesync.core import metadata, paths
from sumesync.core.action import Observed, Placed, Standing
from sumesync.core.ids import for_name
from sumesync.core.paid import Paid, pasts
from sumesync.model import Entry, EntryKey, Fact, FileFact, FileKind, Lock, Output, Wanted


def stem_of(wanted: Wanted, index: int) -> str:
    """The file name without its ending. ``index`` counts from 1; the first output has no number."""
    stem = f"{wanted.stem}-{wanted.key.variant}" if wanted.key.variant else wanted.stem
    return stem if index == 1 else f"{stem}-{index}"


def target_of(wanted: Wanted, index: int, suffix: str) -> str:
    """Where output ``index`` of a variant belongs; ``suffix`` with its dot."""
    return paths.under(wanted.folder, stem_of(wanted, index) + suffix)


def beside_of(wanted: Wanted, index: int, suffix: str, job_id: str) -> str:
    """Where it lands when its place is taken."""
    return paths.under(wanted.folder, f"{stem_of(wanted, index)}.{for_name(job_id)}{suffix}")


@dataclass(frozen=True, slots=True)
class Ours:
    """What we wrote, ever, as far as lock and ledger know: only such bytes may be replaced or removed.

    The lock is a file that a pull request can write. Where it alone says that bytes are ours, they give way only
    if git could bring them back.
    """

    hashes: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()
    """Paths where lock entries say an output stands."""
    standing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """hash -> the paths where those bytes stand now."""
    vouched: frozenset[str] = frozenset()
    """What this machine itself wrote."""
    committed: Mapping[str, str] = field(default_factory=dict)
    """Of the paths that git was asked about: the hash of what stands there, if that is committed, else ""."""

    def owns(self, path: str, fact: FileFact) -> bool:
        """Whether what stands at ``path`` is ours, as long as git, where it was asked, does not disprove it."""
        return self._claims(fact) and not self.unproven(path, fact)

    def unproven(self, path: str, fact: FileFact) -> bool:
        """Only the lock says that this is ours, and git has no copy."""
        asked = path in self.committed
        return self._claims(fact) and asked and not self.vouches(path, fact.sha256)

    def yields(self, path: str, fact: FileFact) -> bool:
        """Whether what stands at ``path`` may be replaced or removed now."""
        return fact.kind is not FileKind.OTHER and self.vouches(path, fact.sha256)

    def vouches(self, path: str, sha256: str) -> bool:
        """Whether bytes at ``path`` are proved ours: this machine wrote them, or the last commit has them there."""
        return sha256 in self.vouched or (sha256 in self.hashes and self.committed.get(path) == sha256)

    def _claims(self, fact: FileFact) -> bool:
        return fact.kind is not FileKind.OTHER and fact.sha256 in self.hashes


def ours(lock: Lock, facts: Iterable[Fact], observed: Observed) -> Ours:
    """The bytes that are ours. What a person accepted is the person's: it can be moved, never replaced."""
    facts = tuple(facts)
    written = {output.sha256 for fact in facts for output in fact.job.outputs}
    vouched = frozenset[str]().union(observed.vouched, *(fact.written for fact in facts))
    blessed: set[str] = set()
    recorded: set[str] = set()
    for _, past in pasts(lock):
        written.update(output.sha256 for job in past.jobs for output in job.outputs)
        blessed.update(output.sha256 for output in past.accepted)
        recorded.update(output.path for job in past.jobs for output in job.outputs)
        recorded.update(output.path for output in past.accepted)
    known = written | blessed
    standing: dict[str, list[str]] = {}
    for path in sorted(observed.files):
        fact = observed.files[path]
        if fact.kind is not FileKind.OTHER and fact.sha256 in known:
            standing.setdefault(fact.sha256, []).append(path)
    places = {sha256: tuple(found) for sha256, found in standing.items()}
    return Ours(frozenset(written), frozenset(recorded), places, vouched, observed.committed)


def recorded_paths(lock: Lock) -> set[str]:
    """Where the lock says that files stand. Documents are no files of their own: metadata tell of them."""
    known: list[Output] = []
    for _, past in pasts(lock):
        for job in past.jobs:
            known += job.outputs
        known += past.accepted
    return {output.path for output in known if not output.is_document}


def paths_of_interest(
    wanted: Iterable[Wanted], recorded: Iterable[str], facts: Iterable[Fact], paid: Mapping[str, Paid]
) -> set[str]:
    """Every path whose bytes the plan may ask about. ``recorded``: those of the lock."""
    found = {output.path for fact in facts for output in fact.job.outputs if not output.is_document}
    found.update(recorded)
    for variant in wanted:
        made = paid[variant.fingerprint].every_output if variant.fingerprint in paid else ()
        media = (output for output in made if not output.is_document)
        found.update(target_of(variant, output.index, paths.suffix_of(output.path)) for output in media)
    return found


def documents(known: Mapping[str, metadata.MetadataFact]) -> dict[str, FileFact]:
    """Where documents stand, as facts like those of files: each in its metadata, by its own hash."""
    return {
        path: FileFact(FileKind.FILE, fact.output.sha256, fact.output.size)
        for path, fact in known.items()
        if fact.output is not None
    }


def place(
    wanted: Wanted,
    paid: Paid,
    entry: Entry | None,
    origin: EntryKey | None,
    files: Mapping[str, FileFact],
    own: Ours,
    blessed: bool = True,
) -> tuple[Placed, ...]:
    """Each output of a completed request, and where it stands.

    ``entry``: what the lock has at this very path, if it is at this fingerprint: what stands at its recorded
    paths is this request's. ``origin``: the entry that this spec was renamed from. ``blessed``: what a
    person accepted counts.
    """
    mine = {output.index: output for output in entry.outputs} if entry else {}
    outputs = sorted(_outputs(wanted.key, paid, origin, blessed), key=lambda output: output.index)
    return tuple([_place(wanted, output, mine.get(output.index), files, own, paid) for output in outputs])


def _outputs(key: EntryKey, paid: Paid, origin: EntryKey | None, blessed: bool) -> tuple[Output, ...]:
    """What stands for a request at ``key``: what was blessed for it, else what its jobs made. What was blessed for
    another spec of the same request counts only where no job made anything."""
    if not paid.accepted:
        return tuple([output for job in paid.latest for output in job.outputs])
    chosen = paid.accepted.get(key) or (paid.accepted.get(origin, ()) if origin else ())
    if blessed and chosen:
        return chosen
    made = tuple(output for job in paid.latest for output in job.outputs)
    others = (paid.accepted[other] for other in sorted(paid.accepted))
    return made or (next(others, ()) if blessed else ())


def _place_document(
    wanted: Wanted, output: Output, mine: Output | None, files: Mapping[str, FileFact], own: Ours
) -> Placed:
    """Its metadata have it, or another's in the project, or it is fetched: what a person makes of it is no media file
    that could be lost. Of one that was fetched anew for another spec or branch, this entry's own counts."""
    output = mine if mine is not None and mine.is_document else output
    target = metadata.path_of(wanted.key)
    if _same(files.get(target), output):
        return Placed(output, target, Standing.HERE, target)
    sources = own.standing.get(output.sha256, ())
    if sources:
        return Placed(output, target, Standing.ELSEWHERE, output.path if output.path in sources else sources[0])
    return Placed(output, target, Standing.MISSING)


def _place(
    wanted: Wanted, output: Output, mine: Output | None, files: Mapping[str, FileFact], own: Ours, paid: Paid
) -> Placed:
    if output.is_document:
        return _place_document(wanted, output, mine, files, own)
    if mine is not None and mine.path != output.path:
        output = replace(output, path=mine.path)  # another spec of the same request has it elsewhere
    target = target_of(wanted, output.index, paths.suffix_of(output.path))
    there = files.get(target)
    if _same(there, output):
        return Placed(output, target, Standing.HERE, target)
    recorded = files.get(mine.path) if mine else None
    suffix = paths.suffix_of(output.path)
    besides = {beside_of(wanted, output.index, suffix, job.id) for job in paid.jobs}
    if there is not None and output.path in besides and _same(recorded, output):
        return Placed(output, output.path, Standing.HERE, output.path)
    if mine is not None and recorded is not None and not own.owns(mine.path, recorded) and not _same(recorded, output):
        # By hand, or by a program: either way not ours, and not to be lost.
        return Placed(output, target, Standing.EDITED, output.path)
    if there is not None and not own.owns(target, there):
        standing = Standing.EDITED if target in own.recorded else Standing.TAKEN
        return Placed(output, target, standing)
    sources = own.standing.get(output.sha256, ())
    if sources:
        return Placed(output, target, Standing.ELSEWHERE, output.path if output.path in sources else sources[0])
    return Placed(output, target, Standing.MISSING)


def _same(fact: FileFact | None, output: Output) -> bool:
    return fact is not None and fact.kind is not FileKind.OTHER and fact.sha256 == output.sha256


def taken(wanted: Wanted, count: int, observed: Observed, own: Ours) -> tuple[str, ...]:
    """Media files that hold a stem of this variant and were never ours. Their bytes would be at risk."""
    return tuple([path for path in in_place(wanted, count, observed) if _never_ours(path, observed, own)])


def _never_ours(path: str, observed: Observed, own: Ours) -> bool:
    fact = observed.files.get(path)
    if path in own.recorded:
        return fact is not None and (fact.kind is FileKind.OTHER or own.unproven(path, fact))
    return fact is None or not own.owns(path, fact)


def in_place(wanted: Wanted, count: int, observed: Observed) -> tuple[str, ...]:
    """Media files that hold a stem of this variant."""
    stems = {paths.folded(stem_of(wanted, index)) for index in range(1, count + 1)}
    there = _by_stem(observed.names.get(wanted.folder, frozenset()))
    names = [name for stem in stems for name in there.get(stem, ())]
    return tuple([paths.under(wanted.folder, name) for name in sorted(names)])


@functools.lru_cache(maxsize=1024)
def _by_stem(names: frozenset[str]) -> Mapping[str, tuple[str, ...]]:
    """Media files by their folded stems: of a folder of thousands, made once."""
    found: dict[str, list[str]] = {}
    for name in names:
        stem, suffix = posixpath.splitext(paths.folded(name))
        if suffix in paths.MEDIA_SUFFIXES:
            found.setdefault(stem, []).append(name)
    return {stem: tuple(here) for stem, here in found.items()}


def edited(outputs: Iterable[Output], observed: Observed, own: Ours) -> tuple[str, ...]:
    """Those of ``outputs`` where bytes stand that are not ours to replace."""
    found = []
    for output in outputs:
        fact = observed.files.get(output.path) if not output.is_document else None
        if fact is not None and not own.owns(output.path, fact):
            found.append(output.path)
    return tuple(found)


def stems(wanted: Wanted, count: int) -> Iterator[tuple[str, str]]:
    """(folder, stem) of each output, folded: what a variant reserves among specs."""
    for index in range(1, count + 1):
        yield paths.folded(wanted.folder), paths.folded(stem_of(wanted, index))


def clashes(wanted: Iterable[Wanted], counts: Mapping[EntryKey, int]) -> dict[EntryKey, EntryKey]:
    """Variants that would write a stem, or metadata, that another writes: each with the other."""
    holders: dict[tuple[str, str], EntryKey] = {}
    documents: dict[str, EntryKey] = {}
    found: dict[EntryKey, EntryKey] = {}
    for variant in wanted:
        held = [holders.setdefault(stem, variant.key) for stem in stems(variant, counts[variant.key])]
        # Of two plain specs the names of the specs themselves differ.
        other = documents.setdefault(paths.folded(metadata.path_of(variant.key)), variant.key)
        held += [other] if other.variant or variant.key.variant else []
        for holder in held:
            if holder != variant.key:
                found.setdefault(variant.key, holder)
                found.setdefault(holder, variant.key)
    return found
