"""Items of a plan, and a plan narrowed to them."""

from __future__ import annotations

from sumesync.core import sight
from sumesync.core.action import Action, Collect, Orphan, Plan, Reason, Verb, Why
from sumesync.core.sight import COLLECT, ORPHAN, Item
from sumesync.errors import Problem
from sumesync.model import EntryKey, JobRecord, JobState

HERO, SIDE, DEEP, OLD = (EntryKey(f"{name}.sume.toml") for name in ("hero", "side", "deep", "old"))


def action(verb: Verb, key: EntryKey, fingerprint: str = "v1:a", pays: int = 0, **more: object) -> Action:
    return Action(verb, key, "image", Reason(Why.NEW, "new"), fingerprint, pays, **more)  # type: ignore[arg-type]  # any


BUY = action(Verb.CREATE, HERO, pays=2)
TWIN = action(Verb.COPY, SIDE, twin=HERO)
CHAIN = action(Verb.CREATE, DEEP, "v1:c", 1, after=(SIDE,))
PLAN = Plan(
    actions=(
        BUY,
        TWIN,
        CHAIN,
        action(Verb.KEEP, OLD),
        action(Verb.INVALID, EntryKey("x"), "", problems=(Problem("x", "no"),)),
    ),
    orphans=(Orphan(EntryKey("gone"), ()),),
    collects=(Collect("v1:o", "image", JobRecord("job_1", JobState.ACCEPTED)),),
)


def test_everything_to_do_or_to_tell_is_an_item() -> None:
    found = {(item.key.path, item.deed, item.jobs, item.after) for item in sight.items_of(PLAN)}
    assert found == {
        ("hero.sume.toml", "create", 2, ()),
        ("side.sume.toml", "copy", 0, (HERO,)),
        ("deep.sume.toml", "create", 1, (SIDE,)),
        ("x", "invalid", 0, ()),
        ("gone", ORPHAN, 0, ()),
        ("", COLLECT, 0, ()),
    }


def test_a_plan_is_narrowed_to_items_that_are_still_the_same() -> None:
    whole = sight.narrowed(PLAN, sight.items_of(PLAN))
    assert (whole.actions, whole.collects) == (PLAN.actions, PLAN.collects)
    other = frozenset({Item(HERO, "create", "v1:b", 2), Item(SIDE, "copy", "v1:a"), Item(DEEP, "create", "v1:c", 1)})
    narrow = sight.narrowed(PLAN, other)
    assert narrow.work == (), "the twin and the chain hang on what is another request now"
    assert narrow.collects == ()
    assert {kept.key for kept in narrow.actions} == {OLD, EntryKey("x")}
    alone = frozenset({Item(HERO, "create", "v1:a", 2)})
    assert sight.narrowed(PLAN, alone).work == (BUY,)
