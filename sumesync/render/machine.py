"""Plans and ends of runs as JSON documents for programs. Every one says its ``format_version``."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from sumesync.core.action import Action, Plan
from sumesync.core.cost import Estimate, Quote
from sumesync.core.metadata import clean
from sumesync.core.outcome import Outcome
from sumesync.errors import Problem, SumesyncError
from sumesync.model import EntryKey, Event, Json

FORMAT_VERSION = 1


def dump(document: dict[str, Any]) -> str:
    """One document, ready to print."""
    return escaped(json.dumps({"format_version": FORMAT_VERSION, **document}, indent=2, ensure_ascii=False))


def line(document: dict[str, Any]) -> str:
    """One event, on one line."""
    return escaped(json.dumps({"format_version": FORMAT_VERSION, **document}, ensure_ascii=False))


def escaped(text: str) -> str:
    """What a terminal would obey or cannot show (C1 controls, bidi marks, half a pair) as JSON's own escapes."""
    return re.sub(r"[^\n -~]", lambda m: m[0] if m[0].isprintable() else json.dumps(m[0])[1:-1], text)


def plan(plan_: Plan, endpoint: str, quote: Quote | None = None) -> dict[str, Any]:
    """A plan, by ``plan.schema.json``. The same state gives the same document, but for what Sume is asked."""
    quote = quote or Quote()
    return {
        "endpoint": endpoint,
        "paid_jobs": plan_.pays,
        "estimate": _estimates(plan_, quote),
        "balance": quote.balance,
        "capacity": quote.capacity,
        "summary": _summary(plan_),
        "actions": [action(item) for item in plan_.actions],
        "orphans": [
            {
                **key(orphan.key),
                "outputs": list(orphan.outputs),
                "in_flight": orphan.in_flight,
                **({"unproven": list(orphan.unproven)} if orphan.unproven else {}),
            }
            for orphan in plan_.orphans
        ],
        "collects": [
            {"job": item.job.id, "kind": item.kind, "fingerprint": item.fingerprint} for item in plan_.collects
        ],
        "unknown": [
            {**key(item.entry), "kind": item.kind, "fingerprint": item.fingerprint, "sent_at": item.sent_at}
            for item in plan_.unknown
        ],
        "problems": [problem(item) for item in plan_.invalid],
        "other_endpoint": plan_.other_endpoint,
        **({"left_alone": away} if (away := list(_left_alone(plan_))) else {}),
    }


def _estimates(plan_: Plan, quote: Quote) -> dict[str, Any] | None:
    """None where the plan was not quoted."""
    if plan_.pays and not quote.estimates:
        return None
    each = [{**key(of), **_estimate(estimate)} for of, estimate in sorted(quote.estimates.items())]
    return {**_estimate(quote.total), "actions": each}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    """What is not known is null, never 0."""
    known = None if estimate.unknown and not estimate.priced else estimate.known
    return {"credits": known, "unknown_jobs": estimate.unknown, "basis": list(estimate.basis)}


def _left_alone(plan_: Plan) -> Iterator[dict[str, Any]]:
    yield from ({**key(each), "why": "sparse"} for each in plan_.sparse)
    yield from ({**key(each), "why": "nested"} for each in plan_.nested)


def _summary(plan_: Plan) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in plan_.actions:
        counts[str(item.verb)] = counts.get(str(item.verb), 0) + 1
    return dict(sorted(counts.items()))


def key(of: EntryKey) -> dict[str, Any]:
    """A variant, as every document names it."""
    return {"path": of.path, "variant": of.variant} if of.variant else {"path": of.path}


def action(item: Action) -> dict[str, Any]:
    """As ``schemas/plan.schema.json`` has it."""
    table: dict[str, Any] = {
        **key(item.key),
        "action": str(item.verb),
        "kind": item.kind,
        "fingerprint": item.fingerprint,
        "reason": {"code": str(item.reason.code), "text": item.reason.text},
        "paid_jobs": item.pays,
        "pending": item.pending,
    }
    if item.jobs:
        table["jobs"] = [job.id for job in item.jobs]
    if item.places:
        table["outputs"] = [
            {
                "path": place.target,
                "sha256": place.output.sha256,
                "standing": str(place.standing),
                "source": place.source,
            }
            for place in item.places
        ]
    if item.changes:
        table["changes"] = [{"field": c.field, "from": _value(c.before), "to": _value(c.after)} for c in item.changes]
    if item.origin:
        table["renamed_from"] = key(item.origin)
    if item.twin:
        table["same_as"] = key(item.twin)
    if item.after:
        table["after"] = [key(each) for each in item.after]
    if item.handmade:
        table["handmade"] = [
            {"path": each.path, "of": key(each.of), "accepted": each.accepted} for each in item.handmade
        ]
    if item.replaces:
        table["replaces"] = list(item.replaces)
    if item.removes:
        table["removes"] = list(item.removes)
    if item.hint:
        table["hint"] = item.hint
    return table


def _value(value: Json) -> Json:
    """Of a request: without URL queries, and without the numbers that JSON has not."""
    value = clean(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def problem(item: Problem) -> dict[str, Any]:
    return {"path": item.path, "line": item.line, "column": item.column, "what": item.what, "hint": item.hint}


# Money that came or went since a plan was saved does not change what it would do.
_NOT_DIGESTED = frozenset({"digest", "options", "format_version", "estimate", "balance", "capacity"})


def digest(document: dict[str, Any], options: dict[str, Any]) -> str:
    """Of a plan document and the options that it was made with: two plans that would do the same have the same."""
    kept = {name: value for name, value in document.items() if name not in _NOT_DIGESTED}
    return hashlib.sha256(json.dumps([kept, options], sort_keys=True).encode()).hexdigest()


def event(item: Event) -> dict[str, Any]:
    table: dict[str, Any] = {"event": str(item.news)}
    if item.key is not None:
        table.update(key(item.key))
    if item.job_id is not None:
        table["job"] = item.job_id
    if item.text:
        table["text"] = item.text
    return table


def outcome(result: Outcome, code: int) -> dict[str, Any]:
    """The end of a run, as the last event of ``apply --json``."""
    return {
        "event": "end",
        "exit_code": code,
        "done": [str(key) for key in result.done],
        "jobs_paid_for": list(result.bought),
        "credits": result.credits,
        "written": list(result.written),
        "removed": list(result.removed),
        "failed": [{"path": str(t.key) if t.key else None, "what": t.text, "hint": t.hint} for t in result.failed],
        "unknown": [{**key(s.entry), "what": s.detail, "sent_at": s.sent_at} for s in result.unknown],
        "running": sorted(result.running),
        "not_downloaded": [str(key) for key in result.undelivered],
        "not_submitted": [str(key) for key in result.not_begun],
        "interrupted": result.interrupted,
        "refused": {"what": result.refused.text, "hint": result.refused.hint} if result.refused else None,
    }


def error(fault: SumesyncError) -> dict[str, Any]:
    """An error, where ``--json`` was asked for."""
    return {
        "event": "error",
        "error": {"what": fault.what, "hint": fault.hint, "exit_code": int(fault.code)},
        "problems": [problem(item) for item in fault.problems],
    }
