"""What a command works on: a project with its settings, and one look at all that is known of it. Values; ``wiring``
fills them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from sumesync.core import paths
from sumesync.core.action import Observed, Plan, Policy
from sumesync.core.config import Config, Schemas
from sumesync.core.paid import Index
from sumesync.core.placement import Ours, ours
from sumesync.core.plan import prepared
from sumesync.core.view import Project, State
from sumesync.disk import ahead, memory, observe, signs
from sumesync.disk import project as projects
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import LockFile
from sumesync.disk.outputs import OutputFiles
from sumesync.disk.project import Home
from sumesync.errors import Problem
from sumesync.model import SANDBOX, SUME, EntryKey

Signs: TypeAlias = "tuple[dict[str, str], int]"


@dataclass(frozen=True, slots=True)
class Place:
    """A project and its settings, before anything else of it is read."""

    home: Home
    config: Config
    schemas: Schemas
    problems: tuple[Problem, ...]
    endpoint: str
    cached: bool = True
    """Whether what earlier looks found out is believed, where its sign still is the same."""
    sign: signs.Sign | None = None
    """That of the settings' file, before it was read."""


@dataclass(frozen=True, slots=True)
class Session:
    """One look at a project, and the adapters of the endpoint that counts."""

    place: Place
    locks: LockFile
    ledger: LocalLedger
    journal: LocalJournal
    media: OutputFiles
    project: Project
    state: State
    observed: Observed
    lock_exists: bool
    holder: str
    """The live process that is at work here, where that was asked: while a request is being sent."""
    paid: Index
    """What has been paid for at the place's endpoint."""
    began: int | None = None
    """When the look began, by the disk's own clock; None where nothing of it may be remembered."""
    keep: Callable[[], None] | None = None
    """Remembers what was read, where that is not done yet."""
    _asked: dict[str, str] = field(default_factory=dict)
    _vouched: set[str] = field(default_factory=set)
    _signs: list[Signs] = field(default_factory=list)

    def policy(self, **asked: Any) -> Policy:
        """What the project's settings say, but for what is ``asked``, by Policy's names."""
        base = Policy(self.place.endpoint, self.place.config.store, self.place.config.max_jobs)
        return replace(base, **asked)

    def plan(self, policy: Policy, first: Callable[[EntryKey], bool] = lambda _key: True) -> Plan:
        """The plan; made again where files would be lost that nobody but the lock calls ours, with what git and the
        other endpoint's ledger say of them."""
        kinds, paid = self.place.schemas.kinds, self.paid if policy.endpoint == self.place.endpoint else None
        late = self.keep is not None and not self._signs
        with ahead.ahead(self._settled, late and ahead.is_worth(len(self.project.spec_paths))) as told:
            ready = prepared(self.project, self.state, self.observed, policy, kinds, first, paid)
            while (made := ready.plan(self._known())).doubts:
                self._ask(made.doubts)
            if late:
                signs, latest = told() or self._settled()
                self._signs.append((signs, latest))
        return made

    @property
    def signs(self) -> Signs:
        """The digests of all folders that the look hung on, as they were after it, and the latest time in them."""
        return self._signs[0] if self._signs else self._settled()

    def _settled(self) -> Signs:
        if self.keep is not None:
            self.keep()
        return memory.newest(sorted(str(place) for place in self._places()), str(self.place.home.root))

    def _places(self) -> set[Path]:
        """Every folder that holds, or would hold, a file that the look asked for, and those above it in the project."""
        home = self.place.home
        project = self.project
        files: set[str] = {*project.spec_paths, *self.observed.looked_at}
        files.update(*project.reads.values())
        folders = {paths.parent(path) for path in files} | project.folders
        if not home.in_git:
            folders.update(projects.folders(home.root))
        places = {home.root / above for folder in folders for above in _upwards(folder)}
        states = {home.state(endpoint) for endpoint in (SUME, SANDBOX)}
        return places | {home.root, home.private} | states | {state / "journal" for state in states}

    @property
    def own(self) -> Ours:
        return ours(self.state.lock, self.state.facts, self._known())

    def _known(self) -> Observed:
        return replace(self.observed, committed=dict(self._asked), vouched=frozenset(self._vouched))

    def _ask(self, doubtful: Iterable[str]) -> None:
        other = self.place.home.state(SUME if self.place.endpoint == SANDBOX else SANDBOX)
        for fact in LocalLedger(other, LocalJournal(other)).list():
            self._vouched.update(fact.written)
        files = {path: self.observed.files[path] for path in doubtful}
        self._asked.update(observe.committed(self.place.home, files))


def _upwards(folder: str) -> Iterable[str]:
    while folder:
        yield folder
        folder = paths.parent(folder)
