"""The state of a sandbox: an account, its credits, its jobs. Time and chance are passed in.

What was charged is what the jobs say: there is no balance to keep in step with them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sumesync.errors import LocalStateError
from sumesync.model import Request
from sumesync.sandbox import jobs, kinds, uploads
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.jobs import USUAL, Fate, Job
from sumesync.sandbox.media import Shelf, Signer
from sumesync.sandbox.settings import Idempotency, Settings
from sumesync.sandbox.store import FileLog, Log, Memory, Record
from sumesync.sandbox.uploads import Asset, Files, Upload

_FORMAT = 1


@dataclass(frozen=True)
class Charge:
    """Money that was spent, for tests to count."""

    job_id: str
    idempotency_key: str
    route: str
    body: Request
    credits: float


@dataclass(frozen=True)
class Seen:
    """A request that came in. ``status`` None: it was dropped without an answer. No query: it is signed."""

    origin: str
    """``api`` or ``media``."""
    method: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Page:
    """Jobs newest first, and the cursor of the next page."""

    jobs: tuple[Job, ...]
    cursor: str | None


class World:
    """Safe to use from several threads and, with a folder, from several processes."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        now: Callable[[], float] = time.time,
        token: Callable[[], str] = lambda: secrets.token_hex(12),
        key: str | None = None,
        folder: Path | None = None,
    ) -> None:
        """``token`` gives a new unguessable word each time; ids and secrets are made of it."""
        self.settings = settings or Settings()
        self.now = now
        self.token = token
        self.key = ""
        self.requests: list[Seen] = []
        self.leaks: list[Seen] = []
        """Requests to the media origin that carried an Authorization header."""
        self.listing_lag = 0.0
        """Seconds for which a new job is missing from listings."""
        self.shelf = Shelf(folder / "media" if folder else None)
        self.files = Files(folder / "uploads" if folder else None)
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._by_key: dict[tuple[str, str], tuple[str, ...]] = {}
        self._uploads: dict[str, Upload] = {}
        self._spent = 0.0
        self._busy: dict[str, float] = {}
        self._secret = ""
        self._log: Log = FileLog(folder / "world.jsonl") if folder else Memory()
        self._begin(key)
        self.signer = Signer(self._secret, now, self.settings.url_lifetime)

    @classmethod
    def open(
        cls,
        folder: Path,
        settings: Settings | None = None,
        *,
        now: Callable[[], float] = time.time,
        key: str | None = None,
    ) -> World:
        """The world kept in ``folder``, made if it is not there. Raises LocalStateError when it is unreadable."""
        return cls(settings, now=now, key=key, folder=folder)

    def _begin(self, key: str | None) -> None:
        with self._lock, self._log.exclusive():
            self._catch_up()
            if not self._secret:
                record: Record = {
                    "sandbox": _FORMAT,
                    "key": f"sume_sandbox_{self.token()}",
                    "secret": self.token(),
                }
                self._log.append(record)
                self._take(record)
        self.key = key or self.key

    # --- What happens ---------------------------------------------------------------------------

    def create(self, kind_name: str, body: Request, idempotency_key: str = "", *, fate: Fate = USUAL) -> Job:
        """``order`` for a request that makes one job."""
        return self.order(kind_name, body, idempotency_key, fate=fate)[0]

    def order(self, kind_name: str, body: Request, idempotency_key: str = "", *, fate: Fate = USUAL) -> tuple[Job, ...]:
        """The jobs of one request, and the price of all of them less; or, refused with 402, 404, 409 or 422, none and
        nothing."""
        kind = kinds.of(kind_name)
        digest = hashlib.sha256(json.dumps(dict(body), sort_keys=True).encode("ascii")).hexdigest()
        with self._lock, self._log.exclusive():
            self._catch_up()
            earlier = self._made_with(kind_name, idempotency_key)
            if earlier:
                if earlier[0].body_sha256 != digest:
                    raise Refusal(409, "This Idempotency-Key was used with another body.")
                return earlier
            uploads.check(kind.fields, body, self._uploads.get, self.signer.opens)
            bodies = kind.parts(body)
            price = sum(kind.price(part) for part in bodies)
            if price > self.remaining():
                raise Refusal(
                    402,
                    "Not enough credits.",
                    details={"required_credits": price, "remaining_credits": self.remaining()},
                )
            made: list[Job] = []
            for part in bodies:
                made.append(self._new_job(kind, part, digest, idempotency_key, fate, made))
            self._record(_order_record(made))
            return tuple(made)

    def _made_with(self, kind_name: str, idempotency_key: str) -> tuple[Job, ...]:
        if self.settings.idempotency is Idempotency.IGNORED:
            return ()
        return tuple(self._jobs[job_id] for job_id in self._by_key.get((kind_name, idempotency_key), ()))

    def _new_job(
        self, kind: kinds.Kind, body: Request, digest: str, key: str, fate: Fate, before: Sequence[Job]
    ) -> Job:
        """``before``: those of the same request, that are not there yet."""
        now = self.now()
        starts = self._free_at(now, before)
        seconds = self.settings.seconds.get(kind.name, kind.seconds) if fate.seconds is None else fate.seconds
        return Job(
            id=f"job_{self.token()}",
            number=len(self._jobs) + len(before) + 1,
            kind=kind.name,
            body=body,
            body_sha256=digest,
            idempotency_key=key,
            credits=kind.price(body),
            created_at=now,
            starts_at=starts,
            ends_at=None if fate.never_ends else starts + seconds,
            running_as=fate.running_as or kind.running,
            ends_as=fate.ends_as,
            error_code=fate.error_code,
            error_message=fate.message,
            gone=fate.gone,
        )

    def _free_at(self, now: float, before: Sequence[Job]) -> float:
        """When fewer jobs than the capacity are left of those made so far. One that never ends does not
        hold its place, or one scripted fault would silence the world."""
        self._busy = {job_id: end for job_id, end in self._busy.items() if end > now}
        ends = [*self._busy.values(), *(job.ends_at for job in before if job.ends_at is not None and job.ends_at > now)]
        if len(ends) < self.settings.capacity:
            return now
        return heapq.nlargest(self.settings.capacity, ends)[-1]

    def presign(self, file_name: str, content_type: str, size: int, purpose: str) -> Upload:
        """A place for a file that has not come yet. Costs nothing."""
        with self._lock, self._log.exclusive():
            self._catch_up()
            upload = Upload(
                id=f"upload_{self.token()}",
                object=f"object_{self.token()}",
                file_name=file_name,
                content_type=content_type,
                size=size,
                purpose=purpose,
                created_at=self.now(),
            )
            self._record({"upload": uploads.to_json(upload)})
            return upload

    def receive(self, upload: Upload, read: Callable[[int], bytes]) -> Upload:
        """Take the bytes of ``upload``, from ``read``. Raises Refusal 400 for too few; what ``read`` raises passes."""
        sha256 = self.files.take(upload, self.token(), read)
        whole = replace(upload, sha256=sha256)
        with self._lock, self._log.exclusive():
            self._catch_up()
            self._record({"upload": uploads.to_json(whole)})
        return whole

    def finish(self, job_id: str, status: str = "completed", error_code: str = "", message: str = "") -> None:
        """End a job now, in whatever way."""
        changes: Record = {"ends_at": self.now(), "ends_as": status, "error_code": error_code, "error_message": message}
        self._amend(job_id, changes)

    def expire_result(self, job_id: str) -> None:
        """The job stays, its result and its media are 404 from now on."""
        self._amend(job_id, {"gone": True})

    def forget(self, job_id: str) -> None:
        """The job is 404 and in no listing. What was charged for it stays charged."""
        self._amend(job_id, {"forgotten": True})

    def _amend(self, job_id: str, changes: Record) -> None:
        with self._lock, self._log.exclusive():
            self._catch_up()
            if job_id not in self._jobs:
                raise KeyError(job_id)
            self._record({"amend": job_id, "changes": changes})

    # --- What is ----------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """Raises Refusal 404."""
        with self._lock:
            self._catch_up()
            job = self._jobs.get(job_id)
        if job is None or job.forgotten:
            raise Refusal(404, "No such job.")
        return job

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, forgotten ones too, oldest first."""
        with self._lock:
            self._catch_up()
            return tuple(self._jobs.values())

    def uploads(self) -> tuple[Upload, ...]:
        """All that a place was asked for, oldest first."""
        with self._lock:
            self._catch_up()
            return tuple(self._uploads.values())

    def upload(self, upload_id: str) -> Upload:
        """Raises Refusal 404."""
        found = next((upload for upload in self.uploads() if upload.id == upload_id), None)
        if found is None:
            raise Refusal(404, "No such upload.")
        return found

    def upload_of(self, path: str) -> Upload | None:
        """The upload that a PUT to ``path`` is for."""
        name = uploads.object_of(path)
        found = next((upload for upload in self.uploads() if upload.object == name), None)
        return found if found and uploads.same_path(path, found.put_path(self.settings.workspace_id)) else None

    def assets(self) -> tuple[Asset, ...]:
        """What completed ingest jobs put into the library, oldest first."""
        now = self.now()
        ingested = [job for job in self.jobs() if job.kind == kinds.INGEST and job.status(now) == "completed"]
        return tuple(
            Asset(
                id=kinds.asset_id(job.id),
                job_id=job.id,
                upload=self.upload(str(job.body.get("upload_id"))),
                title=str(job.body.get("title") or ""),
                created_at=job.created_at if job.ends_at is None else job.ends_at,
            )
            for job in ingested
            if not job.gone and not job.forgotten
        )

    def status(self, job: Job) -> str:
        return job.status(self.now())

    def page(
        self, limit: int | None = None, cursor: str = "", type_: str = "", status: str = "", lag: float = 0.0
    ) -> Page:
        """Raises Refusal 400 for a cursor that is not ours. A cursor is not disturbed by newer jobs."""
        count = min(limit or self.settings.page_default, self.settings.page_limit)
        before = _position(cursor) if cursor else None
        now = self.now()
        newest = now - max(self.listing_lag, lag)
        found: list[Job] = []
        for job in reversed(self.jobs()):
            if before is not None and job.number >= before:
                continue
            if job.forgotten or (newest < now and job.created_at > newest):
                continue
            if (type_ and kinds.of(job.kind).type != type_) or (status and job.status(now) != status):
                continue
            if len(found) == count:
                return Page(tuple(found), _cursor(found[-1].number))
            found.append(job)
        return Page(tuple(found), None)

    def remaining(self) -> float:
        with self._lock:
            self._catch_up()
            return self.settings.credits - self._spent

    def active(self) -> int:
        """How many jobs run now."""
        now = self.now()
        return sum(job.starts_at <= now and not job.ended(now) for job in self.jobs() if not job.forgotten)

    def charges(self) -> tuple[Charge, ...]:
        """Every charge ever made, oldest first."""
        return tuple(
            Charge(job.id, job.idempotency_key, kinds.of(job.kind).route, job.body, job.credits) for job in self.jobs()
        )

    def note(self, seen: Seen, *, leak: bool = False) -> None:
        with self._lock:
            self.requests.append(seen)
            if leak:
                self.leaks.append(seen)

    # --- The log ----------------------------------------------------------------------------------

    def _record(self, record: Record) -> None:
        self._log.append(record)
        self._take(record)

    def _catch_up(self) -> None:
        for record in self._log.news():
            try:
                self._take(record)
            except (KeyError, TypeError, ValueError) as error:
                raise LocalStateError(
                    f"the sandbox's world cannot be read: {error}", "delete .sume/sandbox to begin a new one"
                ) from error

    def _take(self, record: Record) -> None:
        match record:
            case {"sandbox": int(version), "key": str(key), "secret": str(secret)}:
                if version != _FORMAT:
                    raise ValueError(f"it is of format {version}, and this program knows {_FORMAT}")
                self.key, self._secret = key, secret
            case {"job": dict(fields)}:
                self._put_order([jobs.from_json(fields)])
            case {"jobs": list(several)}:
                self._put_order([jobs.from_json(fields) for fields in several if isinstance(fields, dict)])
            case {"upload": dict(fields)}:
                upload = uploads.from_json(fields)
                self._uploads[upload.id] = upload
            case {"amend": str(job_id), "changes": dict(changes)}:
                self._put(jobs.from_json({**jobs.to_json(self._jobs[job_id]), **changes}))
            case _:
                raise ValueError("a record of a kind that this program does not know")

    def _put_order(self, made: list[Job]) -> None:
        for job in made:
            self._put(job)
        if made and made[0].idempotency_key:
            self._by_key.setdefault((made[0].kind, made[0].idempotency_key), tuple(job.id for job in made))

    def _put(self, job: Job) -> None:
        kinds.of(job.kind)
        if job.id not in self._jobs:
            self._spent += job.credits
        self._jobs[job.id] = job
        if job.ends_at is not None:
            self._busy[job.id] = job.ends_at


def _order_record(made: list[Job]) -> Record:
    """One line, whole or not there: of several jobs none is charged without the others."""
    if len(made) == 1:
        return {"job": jobs.to_json(made[0])}
    return {"jobs": [jobs.to_json(job) for job in made]}


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"before:{number}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        if word == "before":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise Refusal(400, "Unknown cursor.", details={"errors": [{"path": "cursor", "message": "not a cursor"}]})
