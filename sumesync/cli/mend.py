"""``accept``, ``retake`` and ``lock rebuild``: the named ways out. All free."""

from __future__ import annotations

import itertools
import mimetypes
from collections.abc import Iterator
from pathlib import Path

import click

from sumesync.cli import options, scope, wiring
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import media, metadata, paths, placement, toml
from sumesync.core.advance import turn_to
from sumesync.core.fingerprint import fingerprint
from sumesync.core.kinds import MOST_OUTPUTS
from sumesync.core.paid import index
from sumesync.core.rebuild import count_jobs, rebuild, salvage
from sumesync.core.text import count, printable
from sumesync.disk import atomic, observe
from sumesync.disk import project as projects
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import MAX_BYTES, LockFile, new_lineage
from sumesync.errors import LocalStateError, UsageError
from sumesync.model import FileKind, Output, Past, Wanted
from sumesync.render import machine


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(), shell_complete=options.complete_specs)
@options.locks
@options.project
@options.common
def accept(common: Common, specs: tuple[str, ...]) -> None:
    """Say that the media that is there satisfies SPECS as they are now. Free.

    For a file that was edited by hand, for a prompt that was changed without wanting a new picture, and for a
    picture that was made elsewhere. From then on the file is yours: sumesync moves it, and never replaces it
    unless you say so.
    """
    place = wiring.find(common, specs)
    with wiring.holding(common, place.home, "accept"):
        session = wiring.look(place)
        if not session.lock_exists:
            session.locks.create(session.state.lock.lineage, None)
        done = []
        chosen = [(_wanted(common, session, name)) for name in specs]
        outputs = {wanted.key: tuple(_present(session, wanted)) for wanted in chosen}
        for wanted in chosen:
            _accept(session, wanted, outputs[wanted.key])
            done.append({"path": wanted.key.path, "media": [output.path for output in outputs[wanted.key]]})
    if common.talk.as_json:
        common.talk.out(machine.dump({"accepted": done}))
    for wanted in chosen:
        shown = ", ".join(output.path for output in outputs[wanted.key])
        common.talk.say(f"{wanted.key}: satisfied by {printable(shown)}. To commit: sume.lock, metadata and media.")


def _wanted(common: Common, session: Session, name: str) -> Wanted:
    """The one valid variant that ``name`` means, else what is wrong with it."""
    key = scope.one_spec(common, session, name)
    for wanted in session.project.wanted:
        if wanted.key == key:
            return wanted
    problems = tuple(problem for problem in session.project.problems if problem.path == key.path)
    raise UsageError(f"{key} is {'invalid' if problems else 'not there'}", problems=problems)


def _present(session: Session, wanted: Wanted) -> Iterator[Output]:
    """The media files that stand where this spec's outputs belong."""
    names = session.observed.names.get(wanted.folder, frozenset())
    found = 0
    for number in range(1, MOST_OUTPUTS + 1):
        stem = paths.folded(placement.stem_of(wanted, number))
        files = sorted(n for n in names if paths.folded(n.rpartition(".")[0]) == stem)
        if len(files) > 1:
            shown = ", ".join(files)
            raise UsageError(f"{wanted.key}: which one is it? {printable(shown)}", "leave only one of them there")
        if files:
            found += 1
            yield _output(session, number, paths.under(wanted.folder, files[0]))
    if not found:
        where = paths.under(wanted.folder, placement.stem_of(wanted, 1))
        raise UsageError(
            f"{wanted.key}: there is no media at {printable(where)}.*", "put the file there, then accept it"
        )


def _output(session: Session, number: int, path: str) -> Output:
    fact = session.media.look(path)
    if fact is None or fact.kind is FileKind.OTHER:
        raise LocalStateError(f"{printable(path)} is not a file that can be accepted", "links and folders cannot")
    known = media.sniff(projects.inside(session.home.root, path).read_bytes()[: media.HEAD_BYTES])
    kind = known.name if known else mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Output(number, path, fact.sha256, fact.size, kind)


def _accept(session: Session, wanted: Wanted, outputs: tuple[Output, ...]) -> None:
    entry = session.state.lock.entries.get(wanted.key)
    same = entry is not None and (entry.fingerprint, entry.endpoint) == (wanted.fingerprint, session.endpoint)
    jobs = entry.jobs if entry is not None and same else ()
    ours = {output.sha256 for job in jobs for output in job.outputs}
    blessed = () if same and {output.sha256 for output in outputs} <= ours else outputs
    now = Past(wanted.fingerprint, wanted.kind, session.endpoint, jobs, blessed)
    after = turn_to(entry, wanted.key, now)
    session.media.write_text(metadata.path_of(wanted.key), metadata.render(wanted, after))
    session.locks.patch({wanted.key: [lambda e: turn_to(e, wanted.key, now)]}, session.state.lock.lineage)


@click.command()
@click.argument("spec", type=click.Path(), shell_complete=options.complete_specs)
@options.locks
@options.project
@options.common
def retake(common: Common, spec: str) -> None:
    """Ask for another generation of the same request: raises take in SPEC. The next apply pays for it.

    Comments and layout of the file stay as they are.
    """
    import tomlkit

    place = wiring.find(common, (spec,))
    with wiring.holding(common, place.home, "retake"):
        session = wiring.look(place)
        wanted = _wanted(common, session, spec)
        paid = index(session.state.lock, session.state.facts, session.state.journal, session.endpoint)
        take = wanted.take + 1
        while fingerprint(wanted.kind, wanted.request, take) in paid:
            take += 1  # that one was paid for before: asking for it would bring it back, not make another
        full = projects.inside(session.home.root, wanted.key.path)
        before = full.read_bytes()
        document = tomlkit.parse(before.decode("utf-8-sig"))
        document["take"] = take
        after = tomlkit.dumps(document)
        if toml.parse(wanted.key.path, after.replace("\r\n", "\n")).get("take") != take:
            raise LocalStateError(f"{wanted.key} cannot be edited safely", f"set take = {take} by hand")
        mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
        atomic.write(full, mark + after.encode())
    if common.talk.as_json:
        common.talk.out(machine.dump({"path": wanted.key.path, "take": take}))
    common.talk.say(f"{wanted.key}: take = {take}. The next apply pays for one more job.")


@click.group(short_help="Make sume.lock again from what is there.")
def lock() -> None:
    """Work on sume.lock itself."""


def _backup(home: projects.Home) -> Path:
    """Where the old lock is kept: never in the place of an older one."""
    names = (home.private / f"sume.lock.before-rebuild{'' if n == 1 else f'-{n}'}" for n in itertools.count(1))
    return next(path for path in names if not path.exists())


@lock.command("rebuild")
@options.locks
@options.project
@options.common
def rebuild_(common: Common) -> None:
    """Make sume.lock again, for free, from metadata and what still reads of the old one.

    For a lock that was lost, damaged, or left with merge markers. Of a conflict both sides' jobs are kept.
    What only this machine's ledger knows stays known there. The old file is kept in .sume/.
    """
    place = wiring.find(common)
    home = place.home
    with wiring.holding(common, home, "lock rebuild"):
        projects.make_private(home)
        locks = LockFile(home.root)
        data = projects.read_bytes(home.root, paths.LOCK_NAME, MAX_BYTES) if locks.exists() else b""
        if isinstance(data, str):
            raise LocalStateError(data, "make it a plain file, or remove it, then run this again")
        old = salvage(data.decode("utf-8", "replace"))
        folder = home.state(place.endpoint)
        journal = LocalJournal(folder)
        ledger = LocalLedger(folder, journal)
        torn = ledger.salvage()
        facts = ledger.list()
        if data:
            atomic.write(_backup(home), data)
        known = observe.find_metadata(home.root, projects.spec_paths(home.root))
        described = [known[path].entry for path in sorted(known)]
        lineages = [old.lineage, *(s.lineage for s in journal.list()), *(fact.lineage for fact in facts)]
        lineage = next((name for name in lineages if name), None) or new_lineage()
        workspaces = [old.workspace, *(fact.workspace for fact in facts)]
        made = rebuild(
            lineage,
            next((name for name in workspaces if name), None),
            [*(entry for entry in described if entry is not None), *old.entries],
        )
        locks.replace(made)
    talk = common.talk
    if talk.as_json:
        talk.out(machine.dump({"entries": len(made.entries), "jobs": count_jobs(made), "unreadable": old.lost + torn}))
    talk.say(f"Made sume.lock again: {count(len(made.entries), 'entry', 'entries')}, {count(count_jobs(made), 'job')}.")
    if old.lost or torn:
        lost = f"{count(old.lost, 'entry', 'entries')} of the old lock and {count(torn, 'line')} of the ledger"
        talk.warn(f"{lost} did not read.")
    talk.say("Look at what is left to do: sumesync plan")
