"""What a command works on: a project with its settings, and one look at all that is known of it. Values; ``wiring``
fills them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sumesync.core.action import Observed, Plan, Policy
from sumesync.core.config import Config, Schemas
from sumesync.core.paid import Index
from sumesync.core.placement import Ours, ours
from sumesync.core.plan import prepared
from sumesync.core.view import Project, State
from sumesync.disk import observe, signs
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import LockFile
from sumesync.disk.outputs import OutputFiles
from sumesync.disk.project import Home
from sumesync.errors import Problem
from sumesync.model import SANDBOX, SUME, EntryKey


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
    _asked: dict[str, str] = field(default_factory=dict)
    _vouched: set[str] = field(default_factory=set)

    def policy(self, **asked: Any) -> Policy:
        """What the project's settings say, but for what is ``asked``, by Policy's names."""
        base = Policy(self.place.endpoint, self.place.config.store, self.place.config.max_jobs)
        return replace(base, **asked)

    def plan(self, policy: Policy, first: Callable[[EntryKey], bool] = lambda _key: True) -> Plan:
        """The plan; made again where files would be lost that nobody but the lock calls ours, with what git and the
        other endpoint's ledger say of them."""
        kinds, paid = self.place.schemas.kinds, self.paid if policy.endpoint == self.place.endpoint else None
        ready = prepared(self.project, self.state, self.observed, policy, kinds, first, paid)
        while True:
            made = ready.plan(self._known())
            if not made.doubts:
                return made
            self._ask(made.doubts)

    @property
    def own(self) -> Ours:
        return ours(self.state.lock, self.state.facts, self._known())

    def _known(self) -> Observed:
        return replace(self.observed, committed=dict(self._asked), vouched=frozenset(self._vouched))

    def _ask(self, paths: Iterable[str]) -> None:
        other = self.place.home.state(SUME if self.place.endpoint == SANDBOX else SANDBOX)
        for fact in LocalLedger(other, LocalJournal(other)).list():
            self._vouched.update(fact.written)
        files = {path: self.observed.files[path] for path in paths}
        self._asked.update(observe.committed(self.place.home, files))
