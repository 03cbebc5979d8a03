"""A job as a value. When it starts and ends is settled as it is made, so that its status is a function
of the time alone: nothing needs to run, or to be written, for a job to go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sumesync.model import Json, Request


@dataclass(frozen=True)
class Fate:
    """What becomes of a job when it is not the usual: scripted faults speak of jobs in these words."""

    seconds: float | None = None
    never_ends: bool = False
    running_as: str = ""
    ends_as: str = "completed"
    error_code: str = ""
    message: str = ""
    gone: bool = False
    """Completed, but its result is 404."""


USUAL = Fate()


@dataclass(frozen=True)
class Job:
    """Times are seconds since the epoch; ``ends_at`` None is never. ``number`` counts from 1 in order of
    creation. A forgotten job is 404 for the API and still charged for."""

    id: str
    number: int
    kind: str
    body: Request
    body_sha256: str
    idempotency_key: str
    credits: float
    created_at: float
    starts_at: float
    ends_at: float | None
    running_as: str
    ends_as: str
    error_code: str = ""
    error_message: str = ""
    gone: bool = False
    forgotten: bool = False

    def status(self, now: float) -> str:
        if self.ended(now):
            return self.ends_as
        return self.running_as if now >= self.starts_at else "queued"

    def ended(self, now: float) -> bool:
        return self.ends_at is not None and now >= self.ends_at

    @property
    def prompt(self) -> str:
        return str(self.body.get("prompt") or self.body.get("script") or "")


def to_json(job: Job) -> dict[str, Json]:
    return {**asdict(job), "body": dict(job.body)}


def from_json(record: Mapping[str, Json]) -> Job:
    """Raises ValueError for anything that ``to_json`` does not make."""
    allowed: dict[str, tuple[type, ...]] = {
        "number": (int,),
        "body": (dict,),
        "credits": (int, float),
        "created_at": (int, float),
        "starts_at": (int, float),
        "ends_at": (int, float, type(None)),
        "gone": (bool,),
        "forgotten": (bool,),
    }
    names = {field.name for field in fields(Job)}
    if set(record) != names:
        raise ValueError("not the fields of a job")
    for name, value in record.items():
        if not isinstance(value, allowed.get(name, (str,))):
            raise ValueError(f"a job's {name} is {value!r}")
    return Job(**record)  # type: ignore[arg-type]  # the loop above looked at each type
