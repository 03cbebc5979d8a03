"""Every outcome of the paid request, where Sume documents ``Idempotency-Key``, where it only echoes it, and where it
does neither; with the fault before the job was made and after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from sumesync.sandbox.settings import Idempotency
from tests.reliability import laws
from tests.reliability.machine import Fast, machine
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import POST, Stage

DOCUMENTED = {"idempotency": Idempotency.DOCUMENTED}
ECHOED = {"echo_keys": True}
WAYS = [
    pytest.param({}, id="ignored"),
    pytest.param(DOCUMENTED, id="documented"),
    pytest.param(ECHOED, id="echoed"),
]


@dataclass(frozen=True)
class Outcome:
    """What goes wrong with the first paid request, and how many jobs were charged by then."""

    rule: dict[str, Any]
    charged: int


def before(**rule: Any) -> Outcome:
    return Outcome(rule, 0)


def after(**rule: Any) -> Outcome:
    return Outcome({"after": True, **rule}, 1)


def status(code: int, **more: Any) -> dict[str, Any]:
    return {"answer": {"status": code, **more}}


PAGE = {"body": "<html><script>alert(1)</script>502</html>", "type": "text/html"}
UNKNOWN = [
    pytest.param(before(drop="before-reading"), id="dropped-before-the-body-was-read"),
    pytest.param(before(drop="after-reading"), id="dropped-before-the-job-was-made"),
    pytest.param(before(drop="after-reading", reset=True), id="reset-before", marks=pytest.mark.fault(38)),
    pytest.param(after(drop="after-creating"), id="dropped-after-the-job-was-made"),
    pytest.param(after(drop="after-creating", reset=True), id="reset-after", marks=pytest.mark.fault(38)),
    pytest.param(after(drop="mid-answer"), id="answer-broken-off"),
    pytest.param(before(**status(500)), id="500-before", marks=pytest.mark.fault(40)),
    pytest.param(after(**status(500)), id="500-after", marks=pytest.mark.fault(40)),
    pytest.param(before(**status(502, **PAGE)), id="502-before"),
    pytest.param(after(**status(502, **PAGE)), id="502-after", marks=pytest.mark.fault(41)),
    pytest.param(after(**status(503, headers={"Retry-After": "1"})), id="503-after"),
    pytest.param(before(**status(408)), id="408-before", marks=pytest.mark.fault(42)),
    pytest.param(after(**status(408)), id="408-after", marks=pytest.mark.fault(42)),
    pytest.param(before(**status(409)), id="409-before"),
    pytest.param(after(**status(409)), id="409-after"),
    pytest.param(before(redirect="http://10.0.0.1/"), id="302-before"),
    pytest.param(after(**status(307, headers={"Location": "/api/v1/images/generations"})), id="307-after"),
    pytest.param(after(garble="html"), id="html", marks=pytest.mark.fault(46)),
    pytest.param(after(garble="garbage"), id="garbage"),
    pytest.param(after(garble="empty"), id="empty"),
    pytest.param(after(garble="no-id"), id="no-id", marks=pytest.mark.fault(47)),
    pytest.param(after(garble="deep"), id="deep", marks=pytest.mark.fault(48)),
    pytest.param(after(garble="job-id"), id="an-id-that-is-a-path", marks=pytest.mark.fault(49)),
    pytest.param(after(garble={"way": "oversize", "bytes": 9 << 20}), id="too-large", marks=pytest.mark.fault(61)),
    pytest.param(after(garble={"way": "gzip-bomb"}), id="gzip-bomb", marks=pytest.mark.fault(62)),
]


@pytest.mark.parametrize("way", WAYS[:2])
@pytest.mark.parametrize("outcome", UNKNOWN)
def test_a_lost_answer(make: Maker, outcome: Outcome, way: dict[str, Any]) -> None:
    """Documented: the same request goes out once more, for the same job. Echoed: the job is found. Else: a question."""
    stage = make({**POST, **outcome.rule, "times": 1}, git=False, **way)
    stage.spec("hero", "A jar.")
    asks = way != DOCUMENTED and not (way == ECHOED and outcome.charged)
    stage.here("apply", "--yes", code=4 if asks else 0)
    laws.hold(stage)
    assert stage.posts() == (2 if way == DOCUMENTED else 1)
    if asks:
        assert len(stage.charges()) == outcome.charged
        _is_asked(stage)
    laws.finish(stage)
    assert stage.posts() == 1 + (asks and not outcome.charged) + (way == DOCUMENTED)


@pytest.mark.parametrize("outcome", [each for each in UNKNOWN if str(each.id).startswith(("500", "reset", "no-id"))])
def test_a_lost_answer_where_keys_are_echoed(make: Maker, outcome: Outcome) -> None:
    test_a_lost_answer(make, outcome, ECHOED)


def _is_asked(stage: Stage) -> None:
    """It stays a question until a person answers, and nothing is sent meanwhile."""
    [step] = stage.journal()
    assert step["step"] == "unknown"
    posts = stage.posts()
    again = stage.here("apply", "--yes", "--retry-failed", code=4)
    assert "sumesync resolve hero.sume.toml" in again.text
    assert stage.posts() == posts
    shown = stage.here("resolve", code=4).out
    assert "hero.sume.toml" in shown
    assert "UTC" in shown
    assert all(charge.job_id in shown for charge in stage.charges())
    laws.answer(stage)


@pytest.mark.fault(39)
@pytest.mark.parametrize("way", WAYS)
def test_no_answer_in_time(make: Maker, way: dict[str, Any]) -> None:
    """The job was made, and its answer does not come."""
    stage = make({**POST, "delay": 1, "after": True, "times": 1}, git=False, **way)
    stage.spec("hero", "A jar.")
    with machine(limits={"submit": 0.3}):
        stage.here("apply", "--yes", code=0 if way else 4)
    assert len(stage.charges()) == 1
    laws.hold(stage)
    laws.answer(stage)
    laws.finish(stage)
    assert stage.posts() == (1 if way == DOCUMENTED else 0)  # the first was answered by nobody yet
    stage.sume.gate.open()


@pytest.mark.fault(39)
def test_a_request_that_is_acted_on_only_after_we_gave_up(make: Maker) -> None:
    """It was held up on its way; the same key went out again meanwhile: still one job."""
    stage = make({**POST, "delay": 1, "times": 1}, git=False, **DOCUMENTED)
    stage.spec("hero", "A jar.")
    with machine(limits={"submit": 0.3}):
        stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    stage.sume.gate.open()
    stage.sume.running.close()  # waits for what is still under way
    assert len(stage.charges()) == 1


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 413, 422])
def test_a_definite_no_costs_nothing_and_is_not_sent_again(make: Maker, code: int) -> None:
    way = DOCUMENTED if code % 2 else {}
    stage = make({**POST, **status(code), "times": 1}, git=False, **way)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    assert stage.posts() == 1
    assert not stage.charges()
    assert not stage.journal()
    laws.finish(stage)
    assert [job["attempt"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [1]


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken-off"])
def test_a_no_whose_body_breaks_off_is_a_no(make: Maker, broken: bool) -> None:
    stage = make({**POST, **status(422), "times": 1, **({"drop": "mid-answer"} if broken else {})}, git=False)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    assert not stage.journal()
    laws.finish(stage)


@pytest.mark.fault(43)
@pytest.mark.parametrize(
    "told",
    [{}, {"Retry-After": "0"}, {"Retry-After": "31536000"}, {"Retry-After": "Fri, 31 Dec 2066 23:59:59 GMT"}],
    ids=["not-told", "zero", "a-year", "a-date-far-away"],
)
def test_429_waits_a_minute_at_most_and_sends_the_same_key(make: Maker, told: dict[str, str]) -> None:
    stage = make({**POST, **status(429, headers=told), "times": 2}, git=False)
    stage.spec("hero", "A jar.")
    clock = Fast()
    began = clock.monotonic()
    with machine(clock):
        result = stage.here("apply", "--yes", code=0)
    assert clock.monotonic() - began >= 2
    far = bool(told) and told["Retry-After"] != "0"
    assert (result.err.count("asks to wait 60 s") == 2) == far
    assert len(stage.charges()) == 1
    assert stage.posts() == 3
    laws.finish(stage)


@pytest.mark.parametrize("code", [401, 402, 422, 429, 500])
def test_whatever_the_second_sending_is_told_it_stays_unknown(make: Maker, code: int) -> None:
    """The first may have made a job: a no to the second says nothing of it."""
    lost = {**POST, "drop": "after-creating", "times": 1}
    stage = make(lost, {**POST, **status(code, headers={"Retry-After": "0"}), "nth": 2}, git=False, **DOCUMENTED)
    stage.spec("hero", "A jar.")
    with machine(Fast()):
        stage.here("apply", "--yes", code=4)
    assert [step["step"] for step in stage.journal()] == ["unknown"]
    laws.hold(stage)
    stage.faults()
    laws.finish(stage)


@pytest.mark.parametrize(
    "code", [pytest.param(401, marks=pytest.mark.fault(44)), pytest.param(402, marks=pytest.mark.fault(45)), 403]
)
def test_a_no_that_concerns_all_stops_the_batch(make: Maker, code: int) -> None:
    stage = make({**POST, **status(code), "nth": 3}, git=False, capacity=1)
    for each in range(6):
        stage.spec(f"s{each}", f"Picture {each}.")
    result = stage.here("apply", "--yes", code=1)
    assert stage.posts() == 3, "one refusal is enough"
    assert len(stage.charges()) == 2
    assert "3 specs not submitted" in result.out
    assert not stage.journal()
    done = [path for path, entry in stage.lock().items() if entry["jobs"][0]["state"] == "completed"]
    assert len(done) == 2, "what was accepted is brought home"
    stage.faults()
    laws.finish(stage, charges=6)


# --- resolve ------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(make: Maker) -> Stage:
    """Two open questions: one request made its job, the other did not."""
    video = {"method": "POST", "route": "/videos/generations"}
    stage = make({**POST, "drop": "after-creating", "times": 1}, {**video, "drop": "after-reading", "times": 1})
    stage.spec("hero", "A jar.")
    stage.spec("clip", "A clip.", kind="video", duration=4)
    stage.here("apply", "--yes", code=4)
    assert len(stage.journal()) == 2
    return stage


def test_resolve_refuses_to_guess_which_request_is_meant(asked: Stage) -> None:
    [charge] = asked.charges()
    for said in (("--not-created",), ("--adopt", charge.job_id)):
        result = asked.here("resolve", *said, code=64)
        assert "hero.sume.toml" in result.err
        assert "clip.sume.toml" in result.err
        assert len(asked.journal()) == 2
    asked.here("resolve", "hero", "--adopt", charge.job_id, code=0)
    asked.here("resolve", "--not-created", code=0)
    laws.finish(asked, charges=2)


def test_resolve_refuses_a_job_of_another_kind_or_none_at_all(asked: Stage) -> None:
    [charge] = asked.charges()
    for spec, job in (("clip", charge.job_id), ("hero", "job_nobody"), ("hero", "../x"), ("nothing", charge.job_id)):
        asked.here("resolve", spec, "--adopt", job, code=64)
    asked.here("resolve", "hero", "--adopt", charge.job_id, "--not-created", code=64)
    assert len(asked.journal()) == 2
    laws.answer(asked)
    laws.finish(asked, charges=2)


@pytest.mark.fault(52)
@pytest.mark.parametrize("way", [WAYS[0], WAYS[2]])
def test_of_two_jobs_that_could_be_ours_none_is_taken(make: Maker, way: dict[str, Any]) -> None:
    """A colleague asked for the same picture before and after ours. Without our key on one of them nobody can tell."""
    stage = make({**POST, "drop": "after-creating", "times": 1}, **way)
    theirs = [stage.world.create("image", {"prompt": "A jar."}, f"their-key-{number}").id for number in range(2)]
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0 if way else 4)
    [ours] = [charge.job_id for charge in stage.charges() if charge.job_id not in theirs]
    if not way:
        shown = stage.here("resolve", "hero", code=4)
        assert all(job in shown.out for job in (*theirs, ours))
        candidates = stage.here("resolve", "--json", code=4).json["open"][0]["candidates"]
        assert {each["job"] for each in candidates} == {*theirs, ours}
        assert not set(theirs) & set(stage.ledger().split('"'))
        stage.here("resolve", "hero", "--adopt", ours, code=0)
    stage.here("apply", "--yes", code=0)
    assert [job["id"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [ours]
    assert stage.posts() == 1


@pytest.mark.fault(50)
def test_a_listing_that_lags_authorises_nothing(make: Maker) -> None:
    """Even where keys are echoed: absence from a list is no proof."""
    stage = make(
        {**POST, "drop": "after-creating", "times": 1},
        {"method": "GET", "route": "/jobs", "listing": {"lag": 3600}},
        **ECHOED,
    )
    stage.spec("hero", "A jar.")
    for _ in range(2):
        stage.here("apply", "--yes", code=4)
    assert stage.posts() == len(stage.charges()) == 1
    shown = stage.here("resolve", code=4).out
    assert stage.charges()[0].job_id not in shown
    assert "a job that is not listed may still exist" in shown
    stage.faults()  # the list has caught up: our own key settles it
    laws.finish(stage)
    assert stage.posts() == 1


@pytest.mark.fault(51)
def test_a_cursor_that_loops_ends(make: Maker) -> None:
    stage = make(
        {**POST, "drop": "after-creating", "times": 1},
        {"method": "GET", "route": "/jobs", "listing": {"loop": True}},
        **ECHOED,
    )
    for number in range(5):
        stage.world.create("image", {"prompt": "Another."}, f"their-key-{number}")
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    assert len(stage.seen("GET", "/jobs")) <= 4
    assert stage.posts() == 1
    stage.all_there("hero")


@pytest.mark.fault(50, 51)
@pytest.mark.parametrize("listing", [{"lag": 3600}, {"loop": True}], ids=["lags", "loops"])
def test_jobs_that_a_list_does_not_show_are_asked_for_by_id(make: Maker, listing: dict[str, Any]) -> None:
    stage = make({"method": "GET", "route": "/jobs", "listing": listing}, git=False)
    for number in range(6):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.here("apply", "--yes", code=0)
    laws.finish(stage, charges=6)


def test_resolve_where_sume_cannot_be_asked_still_says_what_is_open(asked: Stage) -> None:
    asked.faults({"method": "GET", "answer": {"status": 404}})
    shown = asked.here("resolve", code=4).out
    assert "hero.sume.toml" in shown
    assert "--not-created" in shown
    asked.faults()
    laws.answer(asked)
    laws.finish(asked, charges=2)
