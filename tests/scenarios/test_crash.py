"""Killed, interrupted, or not alone: paid for once, and the next apply finishes the work."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from sumesync.sandbox.settings import Idempotency

from .conftest import Maker
from .stage import FORKS, KILLED, POST, Stage

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def finish(stage: Stage, *specs: str, charges: int) -> None:
    """The next apply ends well, and no fingerprint was paid for twice."""
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == charges
    assert len(set(stage.paid())) == charges
    stage.nothing_lost()
    stage.all_there(*specs)
    assert not stage.journal()
    assert not [path for path in stage.tree() if path.endswith(".part")]
    assert not list((stage.state_folder() / "journal").glob("*.part"))
    stage.here("plan", "--exit-code", code=0)


# --- kill -9 of a real process, at chosen moments ---------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "charged"),
    [
        pytest.param({"route": "/me"}, 0, id="before-anything"),
        pytest.param({"method": "GET", "route": "/jobs/*"}, 1, id="at-the-first-poll"),
        pytest.param({"route": "/jobs/*/result"}, 1, id="before-the-result"),
        pytest.param({"route": "media"}, 1, id="at-the-download"),
        pytest.param({"route": "media", "after": True}, 1, id="before-the-media-arrive"),
    ],
)
def test_killed_where_it_is_clear_what_was_paid(make: Maker, rule: dict[str, object], charged: int) -> None:
    stage = make({**rule, "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    process.kill()
    process.wait()
    stage.sume.gate.open()
    assert len(stage.charges()) == charged
    assert "Traceback" not in process.communicate()[1]
    finish(stage, charges=1)


@pytest.mark.parametrize("after", [False, True], ids=["before-the-charge", "after-the-charge"])
@pytest.mark.parametrize("idempotency", list(Idempotency))
def test_killed_while_the_paid_request_is_out(make: Maker, after: bool, idempotency: Idempotency) -> None:
    stage = make({**POST, "delay": 1, "after": after, "times": 1}, idempotency=idempotency)
    stage.spec("hero", "A jar.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    assert len(stage.charges()) == after
    process.kill()
    process.wait()
    stage.sume.gate.open()
    assert [step["step"] for step in stage.journal()] == ["sending"]
    if idempotency is Idempotency.IGNORED:
        # What was sent may have been acted on: only a person knows.
        stage.here("apply", "--yes", code=4)
        assert stage.posts() <= 1
        stage.sume.running.close()  # what was still under way has ended now
        assert len(stage.charges()) == 1
    else:
        finish(stage, charges=1)


def test_killed_among_many(make: Maker) -> None:
    stage = make({"route": "media", "nth": 5, "delay": 1, "times": 1}, capacity=6)
    for number in range(12):
        stage.spec(f"s{number}", f"Picture {number}.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    process.kill()
    process.wait()
    stage.sume.gate.open()
    stage.sume.rest()
    assert 5 <= len(stage.charges()) <= 12
    # Whatever was out at that moment is unknown; nobody resends it.
    posts = stage.posts()
    result = stage.here("apply", "--yes")
    if result.code == 4:
        assert stage.posts() == posts
        stage.settings(idempotency=Idempotency.DOCUMENTED)
    finish(stage, charges=12)


# --- At every step, one run after another; each step alone is told of in tests/crash ------------------------


def step_by_step(stage: Stage, *args: str, first: int = 1) -> int:
    """Kill a run at its first step, the next at its second, and so on, until one of them ends by itself."""
    for at in range(first, 400):
        result = stage.crash(at, *args)
        if result.code != KILLED:
            return at
    raise AssertionError("it never ended")


@FORKS
@pytest.mark.parametrize("git", [True, False], ids=["git", "no-git"])
def test_killed_at_each_step_of_one_job_after_another(make: Maker, git: bool) -> None:
    """Each run goes one step further than the one before, and finds all that those before it left behind."""
    stage = make(git=git, idempotency=Idempotency.DOCUMENTED)
    stage.spec("hero", "A jar.")
    steps = step_by_step(stage, "apply", "--yes")
    assert steps > 3
    finish(stage, charges=1)


# --- Asked to stop ----------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_asked_to_stop_it_says_what_still_runs_and_resumes(make: Maker, name: str) -> None:
    stage = make({"method": "GET", "route": "/jobs/*", "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    stage.slow()
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    process.send_signal(getattr(signal, name))
    result = stage.end(process, code=130)
    stage.sume.gate.open()
    [charge] = stage.charges()
    assert "Interrupted" in result.out
    assert re.search(rf"1 job still runs.*\({charge.job_id}\)", result.out)
    assert "Run apply again" in result.out
    assert not stage.journal()
    stage.later()
    finish(stage, charges=1)


@POSIX
def test_asked_to_stop_while_a_paid_request_is_out_it_waits_for_the_answer(make: Maker) -> None:
    stage = make({**POST, "delay": 1, "after": True, "times": 1}, capacity=1)
    stage.spec("hero", "A jar.")
    stage.spec("later", "A lid.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    process.send_signal(signal.SIGINT)
    stage.sume.gate.open()
    result = stage.end(process, code=130)
    assert len(stage.charges()) == 1
    assert stage.charges()[0].job_id in result.out
    assert "1 spec not submitted" in result.out
    assert not stage.journal()
    finish(stage, charges=2)


# --- Not alone ---------------------------------------------------------------------------------------------


def at_work(make: Maker) -> tuple[Stage, subprocess.Popen[str]]:
    """An apply that holds the project: it waits for a result."""
    stage = make({"route": "/jobs/*/result", "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    return stage, process


def test_a_second_apply_is_refused_and_told_who_is_at_work(make: Maker) -> None:
    stage, process = at_work(make)
    for args in (("apply", "--yes"), ("fetch",), ("accept", "hero"), ("retake", "hero"), ("lock", "rebuild")):
        result = stage.here(*args, code=3)
        assert f"sumesync apply, process {process.pid}" in result.err, args
        assert "--lock-timeout" in result.err
    for args in (("plan",), ("status",), ("validate",)):  # looking is always allowed
        stage.here(*args, code=0)
    stage.sume.gate.open()
    stage.end(process, code=0)
    finish(stage, charges=1)


def test_a_second_apply_may_wait_for_the_first(make: Maker) -> None:
    stage, first = at_work(make)
    second = stage.begin("apply", "--yes", "--lock-timeout", "300")
    assert second.stderr is not None
    waiting = second.stderr.readline()
    assert f"process {first.pid}" in waiting
    stage.sume.gate.open()
    stage.end(first, code=0)
    assert "Nothing to do" in stage.end(second, code=0).out
    finish(stage, charges=1)


def test_two_worktrees_do_not_pay_at_the_same_time(make: Maker) -> None:
    stage = make({"route": "/jobs/*/result", "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    stage.commit()
    other = stage.worktree("second", "-b", "second")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    assert f"process {process.pid}" in other.here("apply", "--yes", code=3).err
    stage.sume.gate.open()
    stage.end(process, code=0)
    other.here("apply", "--yes", code=0)
    other.all_there()
    finish(stage, charges=1)


def test_a_killed_run_holds_nobody_up(make: Maker) -> None:
    stage, process = at_work(make)
    process.kill()
    process.wait()
    stage.sume.gate.open()
    finish(stage, charges=1)
