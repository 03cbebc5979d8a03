"""The frozen values that the rest of the house speaks in. No IO, no behaviour beyond reading oneself.

Paths in these values are POSIX-style and relative to the project's root. Fingerprints are
``v1:`` + 64 hex digits; hashes are 64 hex digits of sha256; sizes are bytes; times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Request: TypeAlias = Mapping[str, Json]

SANDBOX = "sandbox"
"""Endpoint of facts made in the embedded sandbox; worth nothing to the real one."""
SUME = "sume"
"""Endpoint of facts made at any configured origin. Not the origin itself: a vendor who moves
to another host name must not make a project pay again; the workspace digest guards the rest."""


class JobState(StrEnum):
    """What we record of a job. The API's own in-flight words vary and change by themselves: all of
    them, unknown ones included, are ACCEPTED here."""

    ACCEPTED = "accepted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    GONE = "gone"
    """Completed once, but Sume no longer has its result."""
    VOID = "void"
    """No job at all: a person said that this attempt created none. Only the attempt's number counts."""

    @property
    def in_flight(self) -> bool:
        return self is JobState.ACCEPTED

    @property
    def ended_badly(self) -> bool:
        return self in (JobState.FAILED, JobState.CANCELED, JobState.EXPIRED)


@dataclass(frozen=True, slots=True, order=True)
class EntryKey:
    """One variant of one spec. A plain spec has the variant ``""``."""

    path: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.path}[{self.variant}]" if self.variant else self.path


@dataclass(frozen=True, slots=True)
class Output:
    """A media file that we wrote, or one that a person accepted."""

    index: int
    path: str
    sha256: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class JobError:
    """What is kept of a failed job: never the message, which may quote anything."""

    code: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job that the API accepted, and what became of it."""

    id: str
    state: JobState
    attempt: int = 1
    credits: float | None = None
    error: JobError | None = None
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """What an entry was before: a request and what was paid for it."""

    fingerprint: str
    kind: str
    endpoint: str
    jobs: tuple[JobRecord, ...] = ()
    accepted: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What the lock says of one variant. ``accepted`` are outputs blessed by hand: they stand for the
    jobs' own outputs, or for a job where there is none."""

    key: EntryKey
    fingerprint: str
    kind: str
    endpoint: str
    jobs: tuple[JobRecord, ...] = ()
    accepted: tuple[Output, ...] = ()
    history: tuple[Past, ...] = ()

    @property
    def present(self) -> Past:
        return Past(self.fingerprint, self.kind, self.endpoint, self.jobs, self.accepted)

    @property
    def pasts(self) -> tuple[Past, ...]:
        """All that it ever was, the present last."""
        return (*self.history, self.present)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The files that this entry stands for."""
        if self.accepted:
            return self.accepted
        return tuple(output for job in self.jobs for output in job.outputs)


Change: TypeAlias = Callable[["Entry | None"], "Entry | None"]
"""One step of a lock entry, applied to the entry as it stands in the file at the moment of writing."""


@dataclass(frozen=True, slots=True)
class Lock:
    """The whole of ``sume.lock``. ``workspace`` is a digest, None until the first contact."""

    lineage: str
    workspace: str | None = None
    entries: Mapping[EntryKey, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the ledger: a job, the request that it was paid for, and where that stood then."""

    fingerprint: str
    job: JobRecord
    kind: str
    key: EntryKey
    workspace: str | None = None
    lineage: str = ""
    submission: str = ""
    """The key of the paid request that this came from, where this machine sent it."""
    written: frozenset[str] = frozenset()
    """Hashes of what this machine itself wrote of it. What the ledger has from a lock is hearsay."""
    retracted: bool = False
    """A person took back that this job belongs to this request. What it wrote stays ours to replace."""


class Step(StrEnum):
    """Where a submission stands in the journal. The order is the protocol's."""

    INTENT = "intent"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Submission:
    """One paid request in progress: a journal file. ``key`` is computed once, here, and never again."""

    key: str
    step: Step
    origin: str
    route: str
    kind: str
    entry: EntryKey
    fingerprint: str
    attempt: int
    body_sha256: str
    lineage: str
    workspace: str | None = None
    sent_at: float | None = None
    job_ids: tuple[str, ...] = ()
    detail: str = ""
    """Why it is UNKNOWN, sanitized, for the person who must decide."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One valid variant of a spec, resolved: what the user wants made, and where."""

    key: EntryKey
    kind: str
    take: int
    request: Request
    fingerprint: str
    folder: str
    """Of the outputs; "" is the project's root."""
    stem: str
    meta: Mapping[str, Json] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


class FileKind(StrEnum):
    FILE = "file"
    POINTER = "pointer"
    """A git-lfs pointer: ``sha256`` and ``size`` are those that it names."""
    OTHER = "other"
    """A folder, a symlink, a device: never ours, never touched."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """What stands at a path now. An absent path has no FileFact."""

    kind: FileKind
    sha256: str = ""
    size: int = 0


# --- What the API says ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """``GET /me``. ``workspace_id`` is secret: it is digested and never shown or stored."""

    workspace_id: str | None
    workspace_name: str | None = None
    user_name: str | None = None
    key_prefix: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Credits:
    """``GET /credits``, whose field names are not documented: None is "not told"."""

    remaining: float | None = None
    capacity: int | None = None
    """How many jobs the account may have in flight at once."""
    active: int | None = None
    plan: str | None = None
    figures: Mapping[str, Json] = field(default_factory=dict)
    """Every figure that was there, by its own name, for people."""


@dataclass(frozen=True, slots=True)
class Order:
    """A paid request, ready to be sent: exactly these bytes, under exactly this key."""

    key: str
    route: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """2xx with at least one readable job id."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotSent:
    """Failed while the sent flag was unset: nothing reached the API."""

    detail: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: not charged; the same key may be tried again after ``wait`` seconds (capped)."""

    wait: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no: 400, 401, 402, 403, 404, 413, 422. Not charged."""

    status: int
    code: str
    message: str
    request_id: str | None = None

    @property
    def stops_batch(self) -> bool:
        """401, 402, 403: the next request would be refused as well."""
        return self.status in (401, 402, 403)


@dataclass(frozen=True, slots=True)
class Unclear:
    """Sent, but whether a job was created is not known: the journal's UNKNOWN. ``conflict``: a 409."""

    detail: str
    request_id: str | None = None
    conflict: bool = False


SubmitResult: TypeAlias = Accepted | NotSent | Throttled | Refused | Unclear


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as the API shows it now, in ``GET /jobs/{id}`` or a list."""

    id: str
    status: str
    """The API's own word, shown as it is."""
    type: str = ""
    created_at: str = ""
    credits: float | None = None
    error_code: str = ""
    error_message: str = ""
    request_id: str | None = None
    tokens: frozenset[str] = frozenset()
    """Every string of the job that could be an idempotency key, to find the one that echoes ours."""
    asked: Mapping[str, Json] = field(default_factory=dict)
    """What it tells of its request, by field. Without secrets, else raw: made printable where it is shown."""

    @property
    def state(self) -> JobState:
        """Terminal only for the documented terminal words; an unknown word is still in flight."""
        try:
            state = JobState(self.status)
        except ValueError:
            return JobState.ACCEPTED
        return JobState.ACCEPTED if state in (JobState.GONE, JobState.VOID) else state


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of ``GET /jobs``, newest first as far as is known. ``cursor`` None: the last page."""

    jobs: tuple[JobView, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """``GET /jobs/{id}/result``: its media URLs in order (secret: signed), and its cost if told."""

    urls: tuple[str, ...]
    credits: float | None = None


# --- What the loop says ----------------------------------------------------------------------------


class News(StrEnum):
    """What can happen to a variant during a run."""

    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    STATUS = "status"
    DOWNLOADING = "downloading"
    DONE = "done"
    FREE = "free"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. ``text`` is for people and sanitized; ``key`` is None for the run as a whole."""

    news: News
    key: EntryKey | None = None
    text: str = ""
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A task of the Workers that ended: its value, or the error that it raised."""

    tag: object
    value: object = None
    error: BaseException | None = None
