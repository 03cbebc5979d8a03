"""Kinds of paid work, read from the one place that declares them: ``schemas/spec.schema.json``.

A kind is one entry under ``$defs`` with an ``x-sume`` block (route, usual and longest duration, which
field says how many outputs, what to show in a plan) and its request fields as ``properties``.
Everything else (validation, plan, apply, sandbox, ``new``) goes by this value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DEFAULT_KIND: Final = "image"
MOST_OUTPUTS: Final = 100
"""Places that one request may reserve: [extra] is not held against the schema, and 10**9 would stop a plan."""
PROMPT_FIELDS: Final = frozenset({"prompt", "prompt_file"})


@dataclass(frozen=True, slots=True)
class Takes:
    """What a request field takes as media: ``family`` is image, video or any; ``purpose`` is what Sume is told that an
    upload for it is for; ``sent_as`` names the field of the body where an upload's id is sent instead of a URL;
    ``uploaded``: Sume takes nothing but uploads there, not even the URL of what it made itself."""

    family: str
    purpose: str
    sent_as: str = ""
    uploaded: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. Times are seconds; ``media`` is the family of its outputs (image, video, or none: its result is a
    document); ``fields`` maps each request field to its JSON Schema."""

    name: str
    route: str
    expected_seconds: float
    wait_seconds: float
    media: str
    fields: Mapping[str, Mapping[str, Any]]
    outputs_field: str | None = None
    """A request field that says how many outputs: a number, or a list with one for each."""
    jobs_field: str | None = None
    """A list in the request for each item of which Sume makes a job of its own."""
    free: bool = False
    """Nothing is submitted and no job is made: a search."""
    inputs: Mapping[str, Takes] = field(default_factory=dict)
    """The request fields that take media: a value, or a list of values."""
    required: tuple[str, ...] = ()
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fields with a URL that must be at one of these hosts, or below it."""
    ordered: tuple[tuple[str, str], ...] = ()
    """Pairs of fields of which the first must not be beyond the second."""
    listed: Mapping[str, str] = field(default_factory=dict)
    """Fields whose values a command lists, each with that command."""
    about: str = ""
    """The kind in a sentence, for a new spec."""
    shown: Mapping[str, str] = field(default_factory=dict)
    """Fields that tell most about a request, for plans, each with its unit (" s" or nothing)."""

    @property
    def document(self) -> bool:
        """Whether its result is a document, kept in the metadata."""
        return self.media == "none"

    def outputs(self, request: Mapping[str, Any]) -> int:
        """How many outputs ``request`` asks for."""
        asked = request.get(self.outputs_field, 1) if self.outputs_field else 1
        asked = len(asked) if isinstance(asked, list) else asked
        return min(asked, MOST_OUTPUTS) if isinstance(asked, int) and asked > 0 else 1

    def jobs(self, request: Mapping[str, Any]) -> int:
        """How many jobs ``request`` is paid for as."""
        listed = request.get(self.jobs_field) if self.jobs_field else None
        return len(listed) if isinstance(listed, list) and listed else 1


Kinds = Mapping[str, Kind]


def kinds_of(spec_schema: Mapping[str, Any]) -> Kinds:
    """The kinds that a spec schema declares, by name."""
    return {name: _kind(name, entry) for name, entry in spec_schema["$defs"].items() if "x-sume" in entry}


def _kind(name: str, entry: Mapping[str, Any]) -> Kind:
    facts = entry["x-sume"]
    return Kind(
        name=name,
        route=facts["route"],
        expected_seconds=facts["expected_seconds"],
        wait_seconds=facts["wait_seconds"],
        media=facts["media"],
        fields=entry["properties"],
        outputs_field=facts.get("outputs_field"),
        jobs_field=facts.get("jobs_field"),
        free=facts.get("free", False),
        inputs={name: Takes(**takes) for name, takes in facts.get("inputs", {}).items()},
        required=tuple(entry.get("required", ())),
        hosts={name: tuple(hosts) for name, hosts in facts.get("hosts", {}).items()},
        ordered=tuple((low, high) for low, high in facts.get("ordered", ())),
        listed=facts.get("listed", {}),
        about=entry.get("description", ""),
        shown=facts.get("shown", {}),
    )
