"""What a plan costs is told before, held to while it runs, and recorded after. The sandbox's prices are known: an
image 4, a video of 5 s 20."""

from __future__ import annotations

import itertools

import pytest

from sumesync.sandbox.settings import Idempotency
from tests.canaries import KEY

from .conftest import Maker
from .stage import Stage

UNREADABLE = {"method": "GET", "route": "/credits", "answer": {"status": 403, "body": {"error": {"code": "no"}}}}


def specs(stage: Stage, *names: str) -> None:
    for name in names:
        kind = {"kind": "video", "duration": 5} if name.startswith("v") else {}
        stage.spec(name, f"A {name}.", **kind)


def test_plan_and_apply_tell_what_it_will_cost_and_what_there_is(make: Maker) -> None:
    stage = make(credits=50, capacity=3)
    specs(stage, "a", "b", "v1")
    first = stage.here("plan", code=0).out
    assert "Cost: 3 jobs of unknown cost." in first
    assert "cost unknown" in first
    assert "Balance: 50 credits; 3 jobs at once." in first
    stage.here("apply", "--yes", code=0)
    specs(stage, "c", "v2", "v3")
    told = stage.here("plan", code=0).out
    assert "Cost: about 44 credits for 3 jobs." in told
    assert "4 a job, as 2 earlier images" in told
    assert "20 a job, as 1 earlier video of 5 s" in told
    assert "Balance: 22 credits" in told
    assert "more than the balance" in told
    again = stage.here("apply", "--yes", code=1)
    assert "likely to cost 44 credits or more: more than the 22 there are" in again.err
    assert len(stage.charges()) in (4, 5)  # of those that go out together Sume refuses what it must


def test_the_document_says_it_and_the_digest_does_not(make: Maker) -> None:
    stage = make(credits=50)
    specs(stage, "a")
    stage.here("apply", "--yes", code=0)
    specs(stage, "b", "v1")
    found = stage.here("plan", "--json", "--out", str(stage.path("p.json")), code=0).json
    assert found["estimate"] == {
        "credits": 4,
        "unknown_jobs": 1,
        "basis": ["4 a job, as 1 earlier image"],
        "actions": [
            {"path": "b.sume.toml", "credits": 4, "unknown_jobs": 0, "basis": ["4 a job, as 1 earlier image"]},
            {"path": "v1.sume.toml", "credits": None, "unknown_jobs": 1, "basis": []},
        ],
    }
    assert (found["balance"], found["capacity"]) == (46, 8)
    stage.settings(credits=400)
    done = stage.here("apply", "--json", str(stage.path("p.json")), code=0).events
    assert {"event": "balance", "balance": 396, "capacity": 8, "format_version": 1} in done
    assert done[-1]["credits"] == 24


@pytest.mark.parametrize(
    ("flags", "env", "rules", "asked", "note"),
    [
        pytest.param(["--offline"], {}, [], 0, "", id="offline"),
        pytest.param([], {"SUME_API_KEY": None}, [], 0, "", id="no key"),
        pytest.param([], {}, [UNREADABLE], 1, "The balance is not shown", id="unreadable"),
        pytest.param([], {"SUME_API_BASE_URL": "ftp://x"}, [], 0, "The balance is not shown", id="no origin"),
    ],
)
def test_a_plan_without_a_balance(
    make: Maker, flags: list[str], env: dict[str, str | None], rules: list[object], asked: int, note: str
) -> None:
    stage = make(*rules)
    specs(stage, "a")
    found = stage.here("plan", *flags, code=0, env=env)
    assert "Cost: 1 job of unknown cost." in found.out
    assert "Balance" not in found.out
    assert bool(note) is bool("balance" in found.err)
    assert note in found.err
    assert len(stage.world.requests) == asked
    assert KEY not in found.text


def test_nothing_to_pay_asks_for_no_balance(stage: Stage) -> None:
    specs(stage, "a")
    stage.here("apply", "--yes", code=0)
    before = len(stage.world.requests)
    assert "Cost" not in stage.here("plan", code=0).out
    assert len(stage.world.requests) == before


def test_a_sandbox_is_not_made_to_tell_its_balance(make: Maker) -> None:
    stage = make()
    specs(stage, "a")
    assert "Balance: 10,000 credits; 8 jobs at once." in stage.here("plan", "--sandbox", code=0).out
    assert not stage.has(".sume/sandbox/world.jsonl")
    assert not stage.world.requests


# --- --max-credits ------------------------------------------------------------------------------------


def test_a_plan_that_is_too_dear_is_refused_before_anything_is_spent(stage: Stage) -> None:
    specs(stage, "a", "v1")
    stage.here("apply", "--yes", code=0)
    specs(stage, "b", "v2")
    before = stage.posts()
    refused = stage.here("apply", "--yes", "--max-credits", "23", code=3)
    assert "likely to cost 24 credits, more than the 23 allowed" in refused.err
    assert stage.posts() == before
    assert "(24 credits)" in stage.here("apply", "--yes", "--max-credits", "24", code=0).out


def test_unknown_costs_go_one_at_a_time_until_the_budget_ends(stage: Stage) -> None:
    specs(stage, "a", "b", "v1", "v2", "v3")
    ended = stage.here("apply", "--yes", "--max-credits", "30", code=3)
    assert stage.paid() == ["A a.", "A b.", "A v1.", "A v2."]
    assert "48 of 30 credits used; what the next submit needs is not known" in ended.out
    assert "1 spec not submitted" in ended.out
    stage.all_there("a", "b", "v1", "v2")
    routes = [(seen.method, seen.path) for seen in stage.world.requests]
    posts = [number for number, (method, _) in enumerate(routes) if method == "POST"]
    for one, other in itertools.pairwise(posts):
        assert ("GET", "/credits") in routes[one:other], "begun without a look at the balance"


def test_the_budget_ends_in_the_middle_and_what_was_bought_is_finished(stage: Stage) -> None:
    specs(stage, "v0")
    stage.here("apply", "--yes", code=0)
    specs(stage, "a", "b", "c", "v1")
    ended = stage.here("apply", "--yes", "--max-credits", "20", code=3)
    assert "12 of 20 credits used; the next submit needs 20" in ended.out
    assert "raise --max-credits" in ended.out
    stage.all_there("a", "b", "c")
    assert stage.posts() == 4
    assert stage.here("apply", "--yes", "--max-credits", "20", code=0)
    assert stage.posts() == 5


def test_an_unknown_cost_without_a_balance_wants_a_number_of_jobs(make: Maker) -> None:
    stage = make(UNREADABLE)
    specs(stage, "a", "b")
    refused = stage.here("apply", "--yes", "--max-credits", "20", code=3)
    assert "what 2 jobs will cost is not known, and the balance cannot be read" in refused.err
    assert "sumesync apply --max-credits 20 --max-jobs 2" in refused.err
    assert stage.posts() == 0
    done = stage.here("apply", "--yes", "--max-credits", "20", "--max-jobs", "2", code=0)
    assert "(8 credits)" in done.out
    assert stage.posts() == 2


def test_a_balance_that_becomes_unreadable_ends_it(make: Maker) -> None:
    stage = make({**UNREADABLE, "nth": 2})
    specs(stage, "a", "b")
    ended = stage.here("apply", "--yes", "--max-credits", "20", code=3)
    assert "the balance cannot be read" in ended.out
    assert stage.paid() == ["A a."]
    stage.all_there("a")


def test_no_wait_under_a_budget_ends(make: Maker) -> None:
    stage = make(seconds={"image": 600, "video": 600})
    specs(stage, "a", "b")
    stage.here("apply", "--yes", "--no-wait", "--max-credits", "20", code=5)
    assert stage.posts() == 2  # the balance told at once what the first one cost


def test_status_tells_what_each_cost(stage: Stage) -> None:
    specs(stage, "a", "v1")
    stage.here("apply", "--yes", code=0)
    shown = stage.here("status", code=0)
    assert "CREDITS" in shown.out
    rows = {row["path"]: row for row in stage.here("status", "--json", code=0).json["specs"]}
    assert rows["v1.sume.toml"]["credits"] == 20
    assert rows["a.sume.toml"]["jobs"][0]["credits"] == 4


def test_a_job_that_two_specs_share_is_counted_once(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.spec(name, "The same.")
    stage.here("apply", "--yes", code=0)
    assert "What is here cost 4 credits." in stage.here("status", code=0).err


def test_under_a_budget_nothing_unknown_is_sent_once_more(make: Maker) -> None:
    stage = make({"route": "/images/generations", "times": 1, "drop": "after-creating"})
    specs(stage, "a")
    stage.here("apply", "--yes", code=4)
    stage.settings(idempotency=Idempotency.DOCUMENTED)
    sent = stage.posts()
    stage.here("apply", "--yes", "--max-credits", "20", code=4)
    assert stage.posts() == sent
    stage.here("apply", "--yes", code=0)
    assert stage.posts() == sent + 1
    assert len(stage.charges()) == 1
