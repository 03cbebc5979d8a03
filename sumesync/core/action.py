"""The plan as values: what is to be done for each variant, and why. No decisions here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sumesync.core.config import DEFAULT_MAX_JOBS
from sumesync.core.metadata import MetadataFact
from sumesync.errors import Exit, Problem
from sumesync.model import SUME, EntryKey, FileFact, JobRecord, Json, Output, Submission


class Verb(StrEnum):
    """One for every state. In the order in which a plan tells them."""

    INVALID = "invalid"
    ATTENTION = "attention"
    CREATE = "create"
    UPDATE = "update"
    RESUME = "resume"
    FETCH = "fetch"
    MOVE = "move"
    COPY = "copy"
    KEEP = "keep"


class Why(StrEnum):
    """The branch that decided. For people and programs to read; it never drives the executor."""

    INVALID = "invalid"
    TAKEN = "taken"
    UNKNOWN = "unknown"
    SENDING = "sending"
    IN_FLIGHT = "in-flight"
    UNCHANGED = "unchanged"
    EDITED = "edited"
    RENAMED = "renamed"
    COPIED = "copied"
    TWIN = "twin"
    REVERTED = "reverted"
    MISSING = "missing"
    NOT_STORED = "not-stored"
    METADATA = "metadata"
    RECORD = "record"
    UNRECORDED = "unrecorded"
    GONE = "gone"
    FAILED = "failed"
    RETRY = "retry"
    REGENERATE = "regenerate"
    EDITED_CHANGED = "edited-changed"
    UNPROVEN = "unproven"
    WAITING = "waiting"
    CHANGED = "changed"
    NEW = "new"
    REFRESH = "refresh"
    OTHER_ENDPOINT = "other-endpoint"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an action: ``code`` is promised to programs (README, "The plan"), ``text`` is for people."""

    code: Why
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A request field of a changed spec: from what to what. None: the field was, or is, not there."""

    field: str
    before: Json
    after: Json


class Standing(StrEnum):
    """Where an output that was paid for stands, seen from the place where it is wanted."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    MISSING = "missing"
    EDITED = "edited"
    """Another's bytes stand where ours were."""
    TAKEN = "taken"
    """A file that was never ours stands in the place."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One output: ``target`` is where it is wanted, ``source`` where its bytes stand now."""

    output: Output
    target: str
    standing: Standing
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Handmade:
    """A file at ``path`` that a person put in the place of an output of ``of``, which another takes. ``accepted``: it
    is what is sent; else what Sume made is."""

    path: str
    of: EntryKey
    accepted: bool


@dataclass(frozen=True, slots=True)
class Action:
    """What to do for one variant.

    ``pays``: jobs that it buys. ``jobs``: ids to poll or fetch. ``twin``: the variant whose job, bought in this
    same plan, serves this one too. ``origin``: the orphan entry that this one takes over (a rename).
    ``records``: the lock will change although no file does.
    """

    verb: Verb
    key: EntryKey
    kind: str
    reason: Reason
    fingerprint: str = ""
    pays: int = 0
    attempt: int = 1
    jobs: tuple[JobRecord, ...] = ()
    places: tuple[Placed, ...] = ()
    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    twin: EntryKey | None = None
    after: tuple[EntryKey, ...] = ()
    """Variants whose outputs it takes, and whose own work in this plan must end first. Only of what pays."""
    handmade: tuple[Handmade, ...] = ()
    """What a person had in hand of what it takes. Only of what pays."""
    unknown: bool = False
    """A paid request was sent and its outcome is not known."""
    edited: tuple[str, ...] = ()
    """Files edited by hand that stay as they are."""
    forced: tuple[str, ...] = ()
    """Files edited by hand that this may replace: a person said so."""
    replaces: tuple[str, ...] = ()
    """Files in whose place others come."""
    removes: tuple[str, ...] = ()
    """Files that will not be there any more."""
    origin: EntryKey | None = None
    records: bool = False
    metadata: bool = False
    hint: str = ""

    @property
    def pending(self) -> bool:
        """Whether anything is left to do, or to decide, here."""
        return self.verb is not Verb.KEEP or self.records or self.metadata or bool(self.edited)

    @property
    def free(self) -> bool:
        """Work for apply that costs nothing."""
        return self.verb in (Verb.RESUME, Verb.FETCH, Verb.MOVE, Verb.COPY) or (
            self.verb is Verb.KEEP and (self.records or self.metadata)
        )


@dataclass(frozen=True, slots=True)
class Collect:
    """A job in flight whose request no spec wants any more: polled to its end and recorded, for nothing."""

    fingerprint: str
    kind: str
    job: JobRecord


@dataclass(frozen=True, slots=True)
class Orphan:
    """An entry without a spec. ``outputs``: paths whose bytes are ours still, which ``--prune`` removes."""

    key: EntryKey
    outputs: tuple[str, ...]
    in_flight: bool = False
    unproven: tuple[str, ...] = ()
    """Paths that ``--prune`` leaves: only the lock says that they are ours, and git has no copy."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the person asked for, beyond the specs. ``regenerate``: paths of specs, and single variants as they are
    written (``hero.sume.toml[serum]``)."""

    endpoint: str = SUME
    store: str = "git"
    max_jobs: int = DEFAULT_MAX_JOBS
    keep_going: bool = False
    retry_failed: bool = False
    replace_edited: bool = False
    """A changed spec may replace an output that was edited by hand."""
    restore_edited: bool = False
    """An unchanged spec's own output takes the place of an edit again (``fetch --force``)."""
    prune: bool = False
    refresh: bool = False
    """Searches are made again, unchanged ones too."""
    regenerate: frozenset[str] = frozenset()

    def regenerates(self, key: EntryKey) -> bool:
        return key.path in self.regenerate or str(key) in self.regenerate


@dataclass(frozen=True, slots=True)
class Observed:
    """What is on disk. ``files``: only paths that the plan asked about. ``names``: the file names in the folders of
    outputs. ``metadata``: by path."""

    files: Mapping[str, FileFact] = field(default_factory=dict)
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    metadata: Mapping[str, MetadataFact] = field(default_factory=dict)
    committed: Mapping[str, str] = field(default_factory=dict)
    """Of paths that git was asked about: the hash of what stands there, if that is committed, else ""."""
    vouched: frozenset[str] = frozenset()
    """Hashes that the other endpoint's ledger of this machine has as written here."""
    looked_at: frozenset[str] = frozenset()
    """Every path that was asked about, there or not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered actions that reconcile specs, lock and disk."""

    actions: tuple[Action, ...] = ()
    orphans: tuple[Orphan, ...] = ()
    collects: tuple[Collect, ...] = ()
    unknown: tuple[Submission, ...] = ()
    """Submissions of this project whose outcome nobody knows, of changed and deleted specs too."""
    other_endpoint: int = 0
    """Entries that were achieved at the other endpoint (sandbox or Sume): worth nothing here."""
    replaces_other: tuple[str, ...] = ()
    """Outputs of the other endpoint that stand on disk in the place of paid work here."""
    problems: tuple[Problem, ...] = ()
    """Of files that are no spec: the project's settings."""
    sparse: tuple[EntryKey, ...] = ()
    """Entries whose spec a sparse checkout hides: left alone."""
    nested: tuple[EntryKey, ...] = ()
    """Entries whose spec is a nested project's: left alone."""
    doubts: frozenset[str] = frozenset()
    """Files that this plan would replace or remove, and of which nobody but the lock has said yet that they are
    ours: the plan is made again with what git says of them."""

    @property
    def pays(self) -> int:
        return sum(action.pays for action in self.actions)

    @property
    def invalid(self) -> tuple[Problem, ...]:
        """Every problem, in the order of files and lines."""
        found = {*self.problems, *(problem for action in self.actions for problem in action.problems)}
        return tuple(sorted(found, key=lambda p: (p.path, p.line or 0, p.column or 0, p.what)))

    @property
    def work(self) -> tuple[Action, ...]:
        """What apply would do."""
        return tuple(action for action in self.actions if action.pays or action.free)

    def of(self, *verbs: Verb) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.verb in verbs)

    def codes(self) -> set[Exit]:
        """Everything that a check would complain of."""
        codes: set[Exit] = set()
        if self.invalid:
            codes.add(Exit.USAGE)
        if self.unknown or any(action.unknown for action in self.actions):
            codes.add(Exit.ATTENTION)
        if self.orphans or self.collects or any(action.pending for action in self.actions):
            codes.add(Exit.PENDING)
        return codes
