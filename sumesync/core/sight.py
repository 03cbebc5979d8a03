"""What one look of ``watch`` found, as items: each thing of a plan to do or to tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sumesync.core.action import Action, Plan, Verb
from sumesync.model import EntryKey

RESUME: Final = str(Verb.RESUME)
COLLECT: Final = "collect"
SETTLE: Final = "settle"
ORPHAN: Final = "orphan"
_NOTES: Final = frozenset({str(Verb.INVALID), str(Verb.ATTENTION), ORPHAN})


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One thing of a plan to do or to tell: another request, or another reason, is another item. ``jobs``: how many it
    pays for. ``after``: variants whose own work must come first, or with it."""

    key: EntryKey
    deed: str
    what: str
    jobs: int = 0
    after: tuple[EntryKey, ...] = ()

    @property
    def told_only(self) -> bool:
        return self.deed in _NOTES

    @property
    def polls(self) -> bool:
        return self.deed in (RESUME, COLLECT)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look found. ``fault``: why nothing could be planned."""

    items: frozenset[Item] = frozenset()
    specs: int = 0
    fault: str = ""

    @property
    def work(self) -> frozenset[Item]:
        return frozenset(item for item in self.items if not item.told_only)

    @property
    def flying(self) -> int:
        return sum(item.polls for item in self.items)


def items_of(plan: Plan) -> frozenset[Item]:
    """Everything of a plan that is to be done or told."""
    found = {_item(action) for action in (*plan.work, *plan.of(Verb.ATTENTION, Verb.INVALID))}
    found |= {Item(orphan.key, ORPHAN, "") for orphan in plan.orphans}
    found |= {Item(EntryKey(""), COLLECT, collect.job.id) for collect in plan.collects}
    return frozenset(found | {Item(submission.entry, SETTLE, submission.key) for submission in plan.unknown})


def _item(action: Action) -> Item:
    what = action.fingerprint
    if action.verb in (Verb.ATTENTION, Verb.INVALID):
        texts = [f"{problem.where} {problem.what}" for problem in action.problems]
        what = "\n".join([action.fingerprint, action.reason.text, *texts])
    return Item(action.key, str(action.verb), what, action.pays, _hangs_on(action))


def _hangs_on(action: Action) -> tuple[EntryKey, ...]:
    return (*((action.twin,) if action.twin else ()), *action.after)


def narrowed(plan: Plan, items: frozenset[Item]) -> Plan:
    """``plan`` without all work that is not among ``items``, and without what hangs on that."""
    kept = {(item.key, item.deed, item.what) for item in items}
    out = {a.key for a in plan.work if (a.key, str(a.verb), a.fingerprint) not in kept}
    work = {action.key for action in plan.work}
    while more := {a.key for a in plan.actions if a.key in work - out and out.intersection(_hangs_on(a))}:
        out |= more
    return replace(
        plan,
        actions=tuple(action for action in plan.actions if action.key not in out),
        collects=tuple(c for c in plan.collects if (EntryKey(""), COLLECT, c.job.id) in kept),
        unknown=tuple(s for s in plan.unknown if (s.entry, SETTLE, s.key) in kept),
    )


def seen_only(plan: Plan, items: frozenset[Item]) -> Plan:
    """``plan`` with what ``items`` tell of, for people to read."""
    keys = {item.key for item in items}
    return replace(
        plan,
        actions=tuple(action for action in plan.actions if action.key in keys),
        orphans=tuple(orphan for orphan in plan.orphans if orphan.key in keys),
        collects=(),
    )
