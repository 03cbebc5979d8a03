"""What was paid for, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sumesync.core.decide import quoted
from sumesync.core.taken import Taken
from sumesync.core.text import in_credits, printable
from sumesync.model import SUME, JobState
from sumesync.render.changes import from_to
from sumesync.render.machine import key
from sumesync.render.style import Style, plain


def history(found: Iterable[Taken], style: Style = plain) -> str:
    """A block for each job, the latest first: when it was what, what it cost, what it made, and what was asked for."""
    return "\n".join(line for taken in found for line in _block(taken, style))


def _block(taken: Taken, style: Style) -> Iterator[str]:
    job, past = taken.job, taken.past
    told = [str(job.state)]
    told += [in_credits(job.credits)] if job.credits is not None else []
    told += [f"attempt {job.attempt}"] if job.attempt > 1 else []
    told += [f"take {taken.asked.take}"] if taken.asked and taken.asked.take > 1 else []
    told += ["made in the sandbox"] if past.endpoint != SUME else []
    head = style("now   " if taken.now else "before", bold=taken.now)
    yield f"  {head}  {printable(job.id)}  {' · '.join(told)}"
    if job.error is not None:
        yield f"          {printable(job.error.code, 80)}"
    for output in job.outputs:
        yield f"          {printable(output.path)}"
    for change in taken.changes:
        yield f"          {from_to(change, style)}"
    if not taken.now and taken.asked is None:
        yield "          what was asked for is not written down"
    elif not taken.now and job.state is JobState.COMPLETED:
        yield f"          sumesync restore {quoted(str(taken.key))} {printable(job.id)}"


def as_json(found: Iterable[Taken]) -> list[dict[str, Any]]:
    """The same, one object a job."""
    return [
        {
            **key(taken.key),
            "job": taken.job.id,
            "state": str(taken.job.state),
            "now": taken.now,
            "attempt": taken.job.attempt,
            "credits": taken.job.credits,
            "error": taken.job.error.code if taken.job.error else None,
            "kind": taken.past.kind,
            "fingerprint": taken.past.fingerprint,
            "endpoint": taken.past.endpoint,
            "outputs": [{"path": output.path, "sha256": output.sha256} for output in taken.job.outputs],
            "take": taken.asked.take if taken.asked else None,
            "request": dict(taken.asked.request) if taken.asked else None,
        }
        for taken in found
    ]
