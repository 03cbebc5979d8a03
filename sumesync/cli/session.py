"""What a command works on: a project with its settings, and one look at all that is known of it. Values; ``wiring``
fills them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sumesync.core.action import Observed, Plan, Policy
from sumesync.core.plan import Project, State, plan
from sumesync.core.spec import Config, Schemas
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import LockFile
from sumesync.disk.outputs import OutputFiles
from sumesync.disk.project import Home
from sumesync.errors import Problem
from sumesync.model import EntryKey


@dataclass(frozen=True, slots=True)
class Place:
    """A project and its settings, before anything else of it is read."""

    home: Home
    config: Config
    schemas: Schemas
    problems: tuple[Problem, ...]
    endpoint: str


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
    holder: str
    """The live process that is at work here, where that was asked: while a request is being sent."""

    def policy(self, **asked: object) -> Policy:
        base = Policy(self.endpoint, self.config.store, self.config.max_jobs)
        return replace(base, **asked)  # type: ignore[arg-type]

    def plan(self, policy: Policy, first: Callable[[EntryKey], bool] = lambda _key: True) -> Plan:
        return plan(self.project, self.state, self.observed, policy, self.schemas.kinds, first)
