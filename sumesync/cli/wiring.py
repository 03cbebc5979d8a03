"""The only place that builds real adapters: which project, which endpoint, which ledger, which API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from sumesync import __version__
from sumesync.cli.access import api_key, configured_url
from sumesync.cli.embedded import embedded_sandbox
from sumesync.cli.options import Common
from sumesync.cli.session import Place, Session
from sumesync.cli.talk import hide
from sumesync.core import paths
from sumesync.core.paid import index
from sumesync.core.recover import being_sent, open_submissions
from sumesync.core.text import count, printable
from sumesync.core.view import Project, State
from sumesync.disk import memory, mutex, observe, schemas, signs, specs
from sumesync.disk import project as projects
from sumesync.disk.facts import Facts
from sumesync.disk.hashes import Hashes
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import LockFile, new_lineage
from sumesync.disk.outputs import OutputFiles
from sumesync.disk.project import Home
from sumesync.errors import LocalStateError, NoProject, UsageError
from sumesync.host import SystemClock
from sumesync.model import SANDBOX, SUME, Fact, Lock, Step, Submission

if TYPE_CHECKING:
    from sumesync.api.client import SumeClient
    from sumesync.disk.uploads import LocalUploads


_SHORTEST_READ = 5.0


def find(common: Common, named: tuple[str, ...] = (), broken: bool = False) -> Place:
    """The project around the working folder, else around the first path that was named.

    Settings that cannot be read are an error, since they say which endpoint counts, except where ``broken``
    ones are what the command is about.
    """
    try:
        home = projects.find(common.folder)
    except NoProject:
        if not named or common.given:
            raise
        home = projects.find(common.folder / named[0])
    known = schemas.for_specs()
    sign = signs.at(str(home.config))
    config, problems = projects.read_settings(home, known)
    if problems and not broken:
        raise UsageError(f"{paths.CONFIG_NAME} is wrong; nothing was done", problems=problems)
    endpoint = SANDBOX if common.sandbox or config.endpoint == SANDBOX else SUME
    return Place(home, config, known, problems, endpoint, not common.no_cache, sign)


def around(common: Common) -> Place | None:
    """The project, where there is one, for commands that need none: it may say that the sandbox is the endpoint."""
    try:
        return find(common)
    except NoProject:
        return None


def look(
    place: Place,
    without_lock: bool = False,
    instead: Mapping[str, bytes] = MappingProxyType({}),
    recalling: bool = False,
) -> Session:
    """Read the project, its lock, its ledger, its journal and what is on disk. ``without_lock``: for commands that
    can do their work where the lock was lost. ``instead``: what specs would say, to see what would follow.
    ``recalling``: what specs and metadata said is believed where they are what they were; only for commands that look,
    or look again before they act."""
    home, endpoint = place.home, place.endpoint
    found = projects.spec_paths(home.root)  # before anything in .sume is believed
    known = _remembered(place, recalling)
    folder = home.state(endpoint)
    if home.private in (folder, *folder.parents):
        projects.inside(home.root, folder.relative_to(home.root).as_posix())  # a pull request can commit links
    journal = LocalJournal(folder)
    ledger = LocalLedger(folder, journal)
    locks = LockFile(home.root)
    submissions, working = _submissions(home, journal)
    facts = ledger.list()  # after the journal: a run records a job here before it clears its file there
    look_at_lock = cache(lambda: _standing(home, locks, known))
    meanwhile = look_at_lock if locks.exists() else None
    settings = place.config, place.problems, place.schemas
    project = specs.read_project(home, found, *settings, instead, known.hashes, known.said, meanwhile)
    lock, standing = look_at_lock()
    waiting = open_submissions(submissions, facts)
    if lock is None and not without_lock:
        _refuse_without_lock(home, project, waiting)
    state = State(lock or Lock(_lineage(facts)), facts, waiting, _sending(waiting, working))
    project = projects.without_absent(home, project, {key.path for key in state.lock.entries})
    paid = index(state.lock, state.facts, state.journal, endpoint)
    observed = observe.observe(home.root, project, state, endpoint, known.hashes, standing, paid)
    late = recalling and known.began is not None and not instead
    if not late:
        known.keep()
    media = OutputFiles(home.root)
    return Session(
        place,
        locks,
        ledger,
        journal,
        media,
        project,
        state,
        observed,
        lock is not None,
        str(working) if working else "",
        paid,
        None if instead else known.began,
        known.keep if late else None,
    )


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What is remembered of files, of what specs said and of what metadata said. ``began``: when the look began, by the
    disk's own clock; None: nothing new is remembered."""

    began: int | None
    hashes: Hashes
    said: Facts
    described: Facts

    def keep(self) -> None:
        for each in (self.hashes, self.said, self.described):
            each.keep()


def _remembered(place: Place, recalling: bool) -> _Remembered:
    """What specs said hangs on the settings, too."""
    if not place.cached:
        return _Remembered(None, Hashes(), Facts(), Facts())
    began, cache_ = projects.began(place.home), place.home.cache
    hashes = Hashes(cache_, began)
    if not recalling:
        return _Remembered(began, hashes, Facts(), Facts())
    tool = memory.tool()
    stamp = signs.digest(f"{tool}\0{place.config!r}".encode("utf-8", "surrogatepass"))
    return _Remembered(
        began, hashes, Facts(cache_ / "specs.json", began, stamp), Facts(cache_ / "metadata.json", began, tool)
    )


def _standing(home: Home, locks: LockFile, known: _Remembered) -> tuple[Lock | None, observe.Standing | None]:
    """The lock, and what stands where it says."""
    lock = locks.read()
    if lock is None:
        return None, None
    return lock, observe.standing(home.root, lock, known.hashes, known.described, locks.blocks)


def _sending(waiting: Iterable[Submission], working: mutex.Holder | None) -> dict[str, str]:
    """What a live process is sending, and that process in words."""
    if working is None:
        return {}
    who = printable(f"process {working.pid} ({working.command})", 80)
    return {submission.key: who for submission in being_sent(waiting, working.since)}


def uploads(place: Place, workspace: str | None) -> LocalUploads:
    """What was uploaded to the endpoint that counts, for this workspace."""
    from sumesync.disk.uploads import LocalUploads

    return LocalUploads(place.home.state(place.endpoint), workspace)


def _submissions(home: Home, journal: LocalJournal) -> tuple[tuple[Submission, ...], mutex.Holder | None]:
    """The journal, and the other process that is at work, asked for only where a request is out. Read again where
    nobody is: who was may have ended in between."""
    found = journal.list()
    if not any(submission.step is Step.SENDING for submission in found):
        return found, None
    working = mutex.holder(home.shared)
    return (found, working) if working else (journal.list(), None)


def _refuse_without_lock(home: Home, project: Project, open_: tuple[Submission, ...]) -> None:
    """A lock that was lost is made again from what is there; planning without it could pay again."""
    kept = observe.find_metadata(home.root, project.spec_paths)
    waiting = len(open_)
    if not kept and not waiting:
        return
    there = [count(len(kept), "metadata file")] if kept else []
    there += [count(waiting, "paid request in progress", "paid requests in progress")] if waiting else []
    hint = "restore it from git, or make it again, for free: sumesync lock rebuild"
    if not kept and all(submission.step is not Step.ACCEPTED for submission in open_):
        # Such as another worktree's: with a new lock, too, nothing of its kind would be paid for before it is settled.
        hint = "settle it first: sumesync resolve; or restore the lock from git"
    raise LocalStateError(
        f"{paths.LOCK_NAME} is missing, and there {'is' if len(kept) + waiting == 1 else 'are'} {' and '.join(there)}",
        hint,
    )


def _lineage(facts: tuple[Fact, ...]) -> str:
    """The lineage that this machine knows the project by, when there is just one; else a new one."""
    known = {fact.lineage for fact in facts} - {""}
    return next(iter(known)) if len(known) == 1 else new_lineage()


@contextmanager
def holding(common: Common, home: Home, command: str) -> Iterator[None]:
    """The project's mutex, for commands that change something."""
    if not home.in_git:
        projects.make_private(home)
    with mutex.hold(home.shared, command, common.lock_timeout, lambda who: common.talk.warn(f"waiting for {who}")):
        yield


@contextmanager
def connected(common: Common, place: Place | None, within: float | None = None) -> Iterator[SumeClient]:
    """The API of the endpoint that counts: the sandbox, started inside this process, or Sume. ``within``: seconds that
    a run has; no read takes longer, but each has a few."""
    if common.sandbox or (place is not None and place.endpoint == SANDBOX):
        with embedded_sandbox(place) as api:
            yield api
        return
    from sumesync.api.client import Limits, SumeClient

    # A read that fails is tried again by the loop, too; what a person waits for should fail within seconds.
    limits = Limits(tries=4)
    if within is not None:
        most = max(within, _SHORTEST_READ)
        limits = replace(limits, read=min(limits.read, most), patience=min(limits.patience, most))
    key = api_key(common, place)
    hide(key)
    client = SumeClient(configured_url(common), key, SystemClock(), version=__version__, limits=limits)
    try:
        yield client
    finally:
        client.close()
