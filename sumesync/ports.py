"""What the loops need from outside, as Protocols. Adapters stand in api/, disk/, render/ and sandbox/;
only cli/wiring.py chooses among them. Tests put values and a hand-moved clock in their place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sumesync.answers import (
    Account,
    Credits,
    JobPage,
    JobResult,
    JobView,
    Order,
    Presigned,
    ScenePage,
    SubmitResult,
    Uploaded,
)
from sumesync.model import Change, Done, EntryKey, Event, Fact, FileFact, Lock, Submission


class Clock(Protocol):
    """Time, passed in. Deadlines use ``monotonic``; ``now`` is only ever shown or recorded."""

    def now(self) -> float:
        """Seconds since the epoch; may jump."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    def sleep(self, seconds: float) -> None:
        """Wait; may raise KeyboardInterrupt or end early when the run is being stopped."""


class JobApi(Protocol):
    """The Sume Public API, as far as we use it. Blocking; safe to call from several threads.

    Reads retry by themselves and raise ApiError when they give up; with ``status`` 404 the thing is
    not there. ``submit`` never retries, never raises for the network: it classifies.
    """

    @property
    def origin(self) -> str:
        """``https://host[:port]/path``, without key or query."""

    def account(self) -> Account: ...

    def credits(self) -> Credits:
        """What the account has, as far as it is told."""

    def declares_idempotency(self, route: str) -> bool:
        """Whether the live OpenAPI document, fetched from this origin in this run, declares the
        ``Idempotency-Key`` header for POST ``route``. False whenever it cannot be read."""

    def hold(self) -> float:
        """Seconds until the limits that Sume told leave room for one more paid request; 0: now, and it is counted."""

    def submit(self, order: Order, before_first_byte: Callable[[], None]) -> SubmitResult:
        """POST once, on a fresh connection. ``before_first_byte`` is called after connect, TLS and
        proxy CONNECT and before any byte of the request; what it raises passes through unchanged,
        and then nothing was sent."""

    def list_jobs(self, cursor: str | None = None, limit: int = 100, *, only: Collection[str] | None = None) -> JobPage:
        """The newest jobs of the workspace, or those of a page that are in ``only``, without what they echo of their
        requests. The list lags: absence proves nothing."""

    def job(self, job_id: str) -> JobView: ...

    def result(self, job_id: str, sent: frozenset[str] = frozenset(), *, whole: bool = False) -> JobResult:
        """``sent`` are the URLs of our own request: echoed inputs are not outputs. ``whole``: its document, too."""

    def download(self, url: str, write: Callable[[bytes], None]) -> str:
        """Stream a media URL into ``write`` and return its Content-Type ("" when not told). The key is
        never sent. Raises MediaError when the body is short, too large or not to be had; what
        ``write`` raises passes through."""


class Library(Protocol):
    """What else Sume has: free. Reads retry by themselves and raise ApiError when they give up."""

    def presign(self, name: str, media_type: str, size: int, purpose: str) -> Presigned:
        """Ask where to send a file of ``size`` bytes. Costs nothing; what is never sent is forgotten by Sume."""

    def put(self, presigned: Presigned, size: int, read: Callable[[int], bytes]) -> None:
        """Stream ``size`` bytes from ``read`` (at most that many a call) to the presigned URL, once, with its own
        headers only: the key is never sent. Raises MediaError; what ``read`` raises passes through."""

    def scenes(self, query: Mapping[str, str], cursor: str | None = None) -> ScenePage:
        """A page of ``GET /assets`` with these filters."""


class Uploads(Protocol):
    """What this machine has uploaded, by content and purpose, so that the same bytes are not sent twice."""

    def find(self, sha256: str, purpose: str) -> Uploaded | None: ...

    def begin(self, sha256: str, purpose: str, upload_id: str) -> None:
        """About to send: durable when it returns, so that a crash in between is known for what it was."""

    def record(self, uploaded: Uploaded) -> None:
        """Whole at Sume: durable when it returns."""

    def drop(self, upload_id: str) -> None:
        """Not to be found any more: Sume does not take it, or has made of it what it was for."""


class Ledger(Protocol):
    """Every job ever accepted, by fingerprint: permanent facts, outside any branch."""

    def list(self) -> tuple[Fact, ...]:
        """All facts; of several about one job the latest. Raises LocalStateError when unreadable."""

    def record(self, facts: Iterable[Fact]) -> None:
        """Durable when it returns."""

    def claim(self, submission: Submission) -> None:
        """Say durably that this fingerprint and attempt is about to be paid for (journal INTENT).
        Raises LocalStateError when another submission of it is open."""


class Journal(Protocol):
    """The paid steps in progress. Every change is durable when the call returns."""

    def list(self) -> tuple[Submission, ...]: ...

    def write(self, submission: Submission) -> None: ...

    def clear(self, *keys: str) -> None: ...


class LockStore(Protocol):
    """``sume.lock``. Reading raises LocalStateError when it cannot be read."""

    def read(self) -> Lock | None: ...

    def create(self, lineage: str, workspace: str | None) -> Lock:
        """The header alone, durable when it returns. There must be no lock yet."""

    def patch(self, changes: Mapping[EntryKey, Sequence[Change]], lineage: str, workspace: str | None = None) -> None:
        """Read the file again, apply each entry's changes to what stands there now, replace it durably. Made
        anew with ``lineage`` where a checkout took it away."""


class Part(Protocol):
    """A file on its way to its place."""

    path: Path
    head: bytes
    """Its first bytes, which say what it is."""

    def write(self, data: bytes) -> None: ...

    def finish(self) -> tuple[str, int]:
        """Durable: (sha256, size)."""

    def discard(self) -> None: ...


class Source(Protocol):
    """A file that is being read."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` of the bytes that come next; none at its end."""

    def close(self) -> None: ...


class Media(Protocol):
    """Outputs and metadata on disk. Paths are the project's; what leads outside raises LocalStateError."""

    def part(self, folder: str) -> Part: ...

    def look(self, path: str) -> FileFact | None: ...

    def open(self, path: str) -> Source:
        """A file of the project, to read. Raises LocalStateError where there is none."""

    def place(self, part: Part, target: str, expected: FileFact | None) -> bool:
        """Move ``part`` to ``target`` if what stands there is still ``expected``; False: it is not."""

    def copy(self, source: str, folder: str, sha256: str) -> Part | None:
        """A finished part with the bytes of ``source``; None when they are not those of ``sha256`` any more."""

    def remove(self, path: str, sha256: str) -> bool:
        """Remove ``path`` if its bytes are still those of ``sha256``."""

    def read_text(self, path: str) -> str | None:
        """The text of a file; None where there is none. Raises LocalStateError for what is no file."""

    def write_text(self, path: str, text: str) -> None: ...

    def remove_text(self, path: str) -> None: ...


class Workers(Protocol):
    """Threads for IO. The loop starts tasks and takes their ends one at a time; nothing else is shared."""

    def start(self, tag: object, task: Callable[[], object]) -> None: ...

    def next(self, timeout: float | None) -> Done | None:
        """The next task that ended, waiting at most ``timeout`` seconds (None: for as long as it likes). None: none
        has ended yet."""

    @property
    def busy(self) -> int:
        """Tasks started whose end was not taken yet."""


class Progress(Protocol):
    """Who is told what happens. Called from one thread only."""

    def tell(self, event: Event) -> None: ...
