"""What a request with inputs becomes when it is sent: each input's URL, or upload id, in its place. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sumesync.core.kinds import Kind
from sumesync.model import Entry, JobRecord, JobState, Json, Output, Pointer, Request, UpstreamInput


def renamed(pointer: Pointer, kind: Kind) -> str:
    """The field of the body in which the upload's id is sent for the input at ``pointer``; "" where its URL is."""
    takes = kind.inputs.get(str(pointer[0]))
    return takes.sent_as if takes else ""


def upload_only(pointer: Pointer, kind: Kind) -> bool:
    """Whether the input at ``pointer`` is an upload whatever it is of, so that an upstream's file must be here."""
    takes = kind.inputs.get(str(pointer[0]))
    return takes is not None and takes.uploaded


def filled(request: Request, values: Mapping[Pointer, str], kind: Kind) -> Request:
    """``request`` with ``values`` in the places of its inputs: what is sent."""
    body = {name: _filled(value, values, (name,)) for name, value in request.items()}
    for pointer, value in values.items():
        if field := renamed(pointer, kind):
            del body[str(pointer[0])]
            body[field] = value
    return body


def _filled(value: Json, values: Mapping[Pointer, str], here: Pointer) -> Any:
    if here in values:
        return values[here]
    if isinstance(value, dict):
        return {name: _filled(item, values, (*here, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values, (*here, index)) for index, item in enumerate(value)]
    return value


@dataclass(frozen=True, slots=True)
class Made:
    """An upstream's output. ``job``: whose result has it, as output ``place`` (from 0) of ``of``; None where a person
    put another file in its place, or where Sume is known to have it no more."""

    output: Output
    job: JobRecord | None = None
    place: int = 0
    of: int = 1


def upstream(source: UpstreamInput, entry: Entry | None, endpoint: str) -> Made | None:
    """What ``source`` names, by the lock's entry of that variant; None where it has not been made."""
    if entry is None or (entry.fingerprint, entry.endpoint) != (source.fingerprint, endpoint):
        return None
    blessed = next((output for output in entry.accepted if output.index == source.output), None)
    for job in sorted(entry.jobs, key=lambda job: -job.attempt):
        ours = sorted(job.outputs, key=lambda output: output.index)
        for place, output in enumerate(ours):
            if output.index != source.output or job.state not in (JobState.COMPLETED, JobState.GONE):
                continue
            if blessed is not None and blessed.sha256 != output.sha256:
                return Made(blessed)
            there = blessed or output
            return Made(there, job, place, len(ours)) if job.state is JobState.COMPLETED else Made(there)
    return Made(blessed) if blessed is not None else None
