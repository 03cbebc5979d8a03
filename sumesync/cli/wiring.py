"""The only place that builds real adapters: which project, which endpoint, which ledger, which API."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sumesync import __version__
from sumesync.cli.options import Common
from sumesync.core import paths
from sumesync.core.action import Observed, Plan, Policy
from sumesync.core.placement import Ours, ours
from sumesync.core.plan import Project, State, only, plan
from sumesync.core.recover import open_submissions
from sumesync.core.spec import Config, Schemas
from sumesync.core.text import count, printable, suggest
from sumesync.disk import mutex, observe, schemas
from sumesync.disk import project as projects
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import LockFile, new_lineage
from sumesync.disk.outputs import OutputFiles
from sumesync.disk.project import Home
from sumesync.errors import LocalStateError, NoProject, Problem, UsageError
from sumesync.host import SystemClock
from sumesync.model import SANDBOX, SUME, EntryKey, Fact, Lock

if TYPE_CHECKING:
    from sumesync.ports import JobApi

DEFAULT_URL = "https://www.sume.so/api/v1"


@dataclass(frozen=True, slots=True)
class Session:
    """One look at a project, and the adapters of the endpoint that counts."""

    home: Home
    config: Config
    schemas: Schemas
    endpoint: str
    locks: LockFile
    ledger: LocalLedger
    journal: LocalJournal
    media: OutputFiles
    project: Project
    state: State
    observed: Observed
    lock_exists: bool
    _asked: dict[str, str] = field(default_factory=dict)
    _vouched: set[str] = field(default_factory=set)

    def policy(self, **asked: object) -> Policy:
        base = Policy(self.endpoint, self.config.store, self.config.max_jobs)
        return replace(base, **asked)  # type: ignore[arg-type]

    def plan(self, policy: Policy, first: Callable[[EntryKey], bool] = lambda _key: True) -> Plan:
        """The plan; made again where files would be lost that nobody but the lock calls ours, with what git and the
        other endpoint's ledger say of them."""
        while True:
            made = plan(self.project, self.state, self._known(), policy, self.schemas.kinds, first)
            if not made.doubts:
                return made
            self._ask(made.doubts)

    @property
    def own(self) -> Ours:
        return ours(self.state.lock, self.state.facts, self._known())

    def _known(self) -> Observed:
        return replace(self.observed, committed=dict(self._asked), vouched=frozenset(self._vouched))

    def _ask(self, paths_: Iterable[str]) -> None:
        other = self.home.state(SUME if self.endpoint == SANDBOX else SANDBOX)
        for fact in LocalLedger(other, LocalJournal(other)).list():
            self._vouched.update(fact.written)
        files = {path: self.observed.files[path] for path in paths_}
        self._asked.update(observe.committed(self.home, files))


@dataclass(frozen=True, slots=True)
class Place:
    """A project and its settings, before anything else of it is read."""

    home: Home
    config: Config
    schemas: Schemas
    problems: tuple[Problem, ...]
    endpoint: str


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
    config, problems = projects.read_settings(home, known)
    if problems and not broken:
        raise UsageError(f"{paths.CONFIG_NAME} is wrong; nothing was done", problems=problems)
    endpoint = SANDBOX if common.sandbox or config.endpoint == SANDBOX else SUME
    return Place(home, config, known, problems, endpoint)


def look(place: Place, without_lock: bool = False) -> Session:
    """Read the project, its lock, its ledger, its journal and what is on disk. ``without_lock``: for commands that
    can do their work where the lock was lost."""
    home, endpoint = place.home, place.endpoint
    folder = home.state(endpoint)
    journal = LocalJournal(folder)
    ledger = LocalLedger(folder, journal)
    locks = LockFile(home.root)
    facts = ledger.list()
    project = projects.read_project(home, place.config, place.problems, place.schemas)
    lock = locks.read()
    waiting = open_submissions(journal.list(), facts)
    if lock is None and not without_lock:
        _refuse_without_lock(home, project, len(waiting))
    state = State(lock or Lock(_lineage(facts)), facts, waiting)
    project = projects.without_absent(home, project, {key.path for key in state.lock.entries})
    observed = observe.observe(home.root, project, state, endpoint)
    media = OutputFiles(home.root)
    return Session(
        home,
        place.config,
        place.schemas,
        endpoint,
        locks,
        ledger,
        journal,
        media,
        project,
        state,
        observed,
        lock is not None,
    )


def _refuse_without_lock(home: Home, project: Project, waiting: int) -> None:
    """A lock that was lost is made again from what is there; planning without it could pay again."""
    kept = observe.find_metadata(home.root, project.spec_paths)
    if not kept and not waiting:
        return
    there = [count(len(kept), "metadata file")] if kept else []
    there += [count(waiting, "paid request in progress", "paid requests in progress")] if waiting else []
    raise LocalStateError(
        f"{paths.LOCK_NAME} is missing, and there {'is' if len(kept) + waiting == 1 else 'are'} {' and '.join(there)}",
        "restore it from git, or make it again, for free: sumesync lock rebuild",
    )


def _lineage(facts: tuple[Fact, ...]) -> str:
    """The lineage that this machine knows the project by, when there is just one; else a new one."""
    known = {fact.lineage for fact in facts} - {""}
    return next(iter(known)) if len(known) == 1 else new_lineage()


def chosen(
    common: Common, session: Session, named: tuple[str, ...], tags: tuple[str, ...]
) -> Callable[[EntryKey], bool] | None:
    """The variants that PATHS and ``--tag`` ask for; None: all."""
    if not named and not tags:
        return None
    scopes = [_scope(common, session, name) for name in named]
    tagged = {wanted.key for wanted in session.project.wanted if set(tags) & set(wanted.tags)}
    if tags and not tagged:
        known = sorted({tag for wanted in session.project.wanted for tag in wanted.tags})
        hint = suggest(tags[0], known) or f"tags in use: {', '.join(known[:10]) or 'none'}"
        raise UsageError(f"no spec has the tag {printable(', '.join(tags))}", hint)

    def accept(key: EntryKey) -> bool:
        inside = not scopes or any(key.path == s or s == "" or key.path.startswith(s + "/") for s in scopes)
        return inside and (not tags or key in tagged)

    return accept


def _scope(common: Common, session: Session, name: str) -> str:
    """A path that a person typed, relative to the project: a spec, a folder, or a spec that the lock knows."""
    root = session.home.root
    full = Path(os.path.normpath((common.folder / name).absolute()))
    for base in (root, Path(os.path.normpath(root))):
        if full == base or base in full.parents:
            path = full.relative_to(base).as_posix()
            break
    else:
        resolved = full.resolve()
        if resolved != root and root not in resolved.parents:
            raise UsageError(f"{printable(name)} is outside the project {printable(str(root))}")
        path = resolved.relative_to(root).as_posix()
    path = "" if path == "." else path
    known = session.project.spec_paths | {key.path for key in session.state.lock.entries}
    if path in known or any(not path or spec.startswith(path + "/") for spec in known):
        return path
    with_suffix = path + paths.SPEC_SUFFIX
    if with_suffix in known:
        return with_suffix
    raise UsageError(f"there is no spec at {printable(name)}", suggest(path, known))


def narrowed(common: Common, session: Session, policy: Policy, named: tuple[str, ...], tags: tuple[str, ...]) -> Plan:
    """The plan of the whole project, narrowed to what was asked for."""
    accept = chosen(common, session, named, tags)
    return only(session.plan(policy, accept), accept) if accept else session.plan(policy)


def one_spec(common: Common, session: Session, name: str) -> EntryKey:
    """The one spec that a command is about."""
    path = _scope(common, session, name)
    if not path.endswith(paths.SPEC_SUFFIX):
        raise UsageError(f"{printable(name)} is a folder; name one spec")
    return EntryKey(path)


@contextmanager
def holding(common: Common, home: Home, command: str) -> Iterator[None]:
    """The project's mutex, for commands that change something."""
    if not home.in_git:
        projects.make_private(home)
    with mutex.hold(home.shared, command, common.lock_timeout, lambda who: common.talk.warn(f"waiting for {who}")):
        yield


@contextmanager
def connected(common: Common, place: Place | None) -> Iterator[JobApi]:
    """The API of the endpoint that counts: the sandbox, started inside this process, or Sume."""
    if common.sandbox or (place is not None and place.endpoint == SANDBOX):
        with _sandbox(place) as api:
            yield api
        return
    from sumesync.api.client import Limits, SumeClient

    # A read that fails is tried again by the loop, too; what a person waits for should fail within seconds.
    limits = Limits(tries=4)
    key = api_key(common, place)
    client = SumeClient(configured_url(common), key, SystemClock(), version=__version__, limits=limits)
    try:
        yield client
    finally:
        client.close()


def check_access(common: Common, place: Place) -> None:
    """Whether there is a key and an origin to connect with: told before anybody is asked to agree to anything."""
    if place.endpoint != SANDBOX:
        from sumesync.api.origin import check_origin

        check_origin(configured_url(common))
        api_key(common, place)


def configured_url(common: Common) -> str:
    """The API's origin: from the command line or the environment, never from the project."""
    return common.base_url or os.environ.get("SUME_API_BASE_URL", "").strip() or DEFAULT_URL


def is_local(common: Common) -> bool:
    """Whether the API is on this machine: a sandbox, which has no limits to mind."""
    from urllib.parse import urlsplit

    return urlsplit(configured_url(common)).hostname in ("127.0.0.1", "localhost", "::1")


@contextmanager
def _sandbox(place: Place | None) -> Iterator[JobApi]:
    from sumesync.api.client import SumeClient
    from sumesync.sandbox.server import embedded
    from sumesync.sandbox.settings import Settings

    if place is None:
        raise UsageError("the sandbox belongs to a project, and there is none here", "make one with: sumesync init")
    projects.make_private(place.home)
    asked = place.config.sandbox
    settings = Settings(
        credits=asked.get("credits", SANDBOX_CREDITS),
        capacity=asked.get("capacity", SANDBOX_CAPACITY),
        seconds=asked.get("seconds", {}),
    )
    with embedded(place.home.sandbox, settings) as running:
        client = SumeClient(running.base_url, running.key, SystemClock(), version=__version__)
        try:
            yield client
        finally:
            client.close()


SANDBOX_CREDITS = 10_000
SANDBOX_CAPACITY = 8


def api_key(common: Common, place: Place | None) -> str:
    """From SUME_API_KEY or ``--api-key-file``, never from a file of the project."""
    if common.key_file is not None:
        return _key_of_file(common.folder / common.key_file, place)
    key = os.environ.get("SUME_API_KEY", "").strip()
    if not key:
        raise UsageError(
            "there is no API key",
            "set SUME_API_KEY (or --api-key-file FILE); to try it without one: --sandbox",
        )
    return key


def _key_of_file(path: Path, place: Place | None) -> str:
    shown = printable(str(path))
    try:
        full = path.resolve(strict=True)
        if place is not None and place.home.root in full.parents:
            raise UsageError(
                f"{shown} is inside the project: everyone who can clone it would read the key",
                "keep it elsewhere, or set SUME_API_KEY",
            )
        if not stat.S_ISREG(full.stat().st_mode) or full.stat().st_size > 4096:
            raise UsageError(f"{shown} is not a file with a key in it")
        key = full.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not key:
        raise UsageError(f"{shown} is empty")
    return key
