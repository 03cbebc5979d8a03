"""The frozen values that the rest of the house speaks in. No IO, no behaviour beyond reading oneself.

Paths in these values are POSIX-style and relative to the project's root. Fingerprints are
``v1:`` + 64 hex digits; hashes are 64 hex digits of sha256; sizes are bytes; times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Request: TypeAlias = Mapping[str, Json]
Pointer: TypeAlias = tuple[str | int, ...]
"""A place in a document or a request: names of fields, and indexes from 0."""

SANDBOX = "sandbox"
"""Endpoint of facts made in the embedded sandbox; worth nothing to the real one."""
SUME = "sume"
"""Endpoint of facts made at any configured origin. Not the origin itself: a vendor who moves
to another host name must not make a project pay again; the workspace digest guards the rest."""


DOCUMENT = "application/json"
"""Media type of an output that is no file of its own: it stands in the metadata under ``result``."""


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


class EntryKey(NamedTuple):
    """One variant of one spec. A plain spec has the variant ``""``. A tuple: a plan of thousands of specs hashes and
    compares its keys a million times, which a dataclass does in Python."""

    path: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.path}[{self.variant}]" if self.variant else self.path


@dataclass(frozen=True, slots=True)
class Output:
    """A media file that we wrote, or one that a person accepted; or a document, whose ``path`` is that of the metadata
    that hold it, and whose ``sha256`` and ``size`` are those of its canonical text."""

    index: int
    path: str
    sha256: str
    size: int
    media_type: str

    @property
    def is_document(self) -> bool:
        return self.media_type == DOCUMENT


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
        if len(self.jobs) == 1:
            return self.jobs[0].outputs
        return tuple([output for job in self.jobs for output in job.outputs])


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
class LocalInput:
    """A file of the project that a request takes. Its bytes are its identity, never its path; it is uploaded when the
    request is sent. Of a git-lfs pointer ``sha256`` and ``size`` are those that it names."""

    path: str
    sha256: str
    size: int
    media_type: str
    purpose: str
    """What Sume is told that the upload is for."""


@dataclass(frozen=True, slots=True)
class UpstreamInput:
    """Output ``output`` (from 1) of another variant. The fingerprint of that variant's request is its identity; the URL
    is asked for when the request is sent, and never stored."""

    key: EntryKey
    output: int
    fingerprint: str
    purpose: str
    """For an upstream whose accepted file must be uploaded, as a LocalInput is."""


Input: TypeAlias = LocalInput | UpstreamInput


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
    inputs: Mapping[Pointer, Input] = field(default_factory=dict)
    """What stands for a URL in ``request``, by its place there. The request itself shows it as people wrote it:
    ``{"file": "clips/take1.mp4"}``, ``{"from": "hero.sume.toml", "output": 1}``."""


class FileKind(StrEnum):
    """What stands at a path."""

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


class News(StrEnum):
    """What can happen to a variant during a run."""

    UPLOADING = "uploading"
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
