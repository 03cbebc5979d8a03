"""What is said to the Sume API and what it answers, as frozen values: they live for a run and are never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sumesync.model import JobState, Json


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
    """2xx with at least one readable job id. ``credits``: what the answer says that all of them cost."""

    job_ids: tuple[str, ...]
    credits: float | None = None


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
    """Sent, but whether a job was created is not known: the journal's UNKNOWN."""

    detail: str
    request_id: str | None = None


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
    document: Mapping[str, Json] = field(default_factory=dict)
    """All that it tells, URLs without their queries and nothing private, where that was asked for: of an analysis this
    is the result."""


@dataclass(frozen=True, slots=True)
class Presigned:
    """``POST /uploads/presign``. ``url`` and ``headers`` (the only ones to send) are secret."""

    upload_id: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    media_url: str = field(default="", repr=False)
    """Where the media will stand, as a create request may name it; private. "" where Sume does not tell."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What is remembered of an upload: enough to use it again, nothing that is signed."""

    sha256: str
    purpose: str
    upload_id: str
    media_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Scene:
    """One of ``GET /assets``, or ``GET /assets/{id}``. ``document`` is all that was told; its URLs are private."""

    id: str
    title: str = ""
    document: Mapping[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ScenePage:
    """A page of ``GET /assets``. ``cursor`` None: the last page."""

    scenes: tuple[Scene, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Avatar:
    """One of ``GET /avatars``. ``abilities`` are the capabilities that it is told to have, in Sume's words."""

    id: str
    name: str = ""
    abilities: tuple[str, ...] = ()
    document: Mapping[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AvatarPage:
    """A page of ``GET /avatars``. ``cursor`` None: the last page."""

    avatars: tuple[Avatar, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Brand:
    """``GET /brand``. ``images`` are its reference images' URLs, private like those of ``document``."""

    name: str = ""
    images: tuple[str, ...] = field(default=(), repr=False)
    document: Mapping[str, Json] = field(default_factory=dict, repr=False)
