"""Two processes at once, a lock file that a killed one left, and a working tree that changes under a run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from tests.reliability import laws
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import POLL, POST, RESULT, Stage


def at_work(make: Maker, *rules: object, **settings: object) -> tuple[Stage, subprocess.Popen[str]]:
    """An apply that stands at the gate."""
    stage = make(*(rules or ({**RESULT, "delay": 1, "times": 1},)), **settings)
    stage.spec("hero", "A jar.")
    stage.commit()
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    return stage, process


# --- Two applies --------------------------------------------------------------------------------------------


@pytest.mark.fault(32)
def test_two_applies_that_start_together_pay_once(make: Maker) -> None:
    stage = make()
    for number in range(3):
        stage.spec(f"s{number}", f"Picture {number}.")
    both = [stage.begin("apply", "--yes", "--lock-timeout", "300") for _ in range(2)]
    ends = [stage.end(process, code=0) for process in both]
    assert sum("Nothing to do" in end.out for end in ends) == 1
    assert len(stage.charges()) == 3
    laws.finish(stage, charges=3)


@pytest.mark.fault(32)
@pytest.mark.parametrize("wait", ["0", "0.3"])
def test_a_second_one_is_told_who_is_at_work(make: Maker, wait: str) -> None:
    """Also while the paid request of the first is out."""
    stage, process = at_work(make, {**POST, "delay": 1, "after": True, "times": 1})
    result = stage.here("apply", "--yes", "--lock-timeout", wait, code=3)
    assert result.err.count(f"sumesync apply, process {process.pid} on ") == (2 if wait != "0" else 1)
    assert "--lock-timeout SECONDS" in result.err
    stage.here("resolve", "hero", "--not-created", code=3)
    assert len(stage.charges()) == 1
    stage.sume.gate.open()
    stage.end(process, code=0)
    laws.finish(stage)


@pytest.mark.fault(32)
def test_whoever_waits_plans_anew_when_it_is_its_turn(make: Maker) -> None:
    stage, first = at_work(make)
    stage.spec("later", "A lid.")
    second = stage.begin("apply", "--yes", "--lock-timeout", "300")
    assert second.stderr is not None
    assert f"process {first.pid}" in second.stderr.readline()
    stage.sume.gate.open()
    stage.end(first, code=0)
    assert "1 paid job." in stage.end(second, code=0).out
    laws.finish(stage, charges=2)


# --- Stale lock files ---------------------------------------------------------------------------------------


@pytest.mark.fault(32)
def test_the_lock_file_of_a_killed_process_holds_nobody_up(make: Maker) -> None:
    stage, process = at_work(make)
    process.kill()
    process.wait()
    stage.sume.gate.open()
    folder = stage.state_folder()
    assert (folder / "run.lock").exists()
    assert json.loads((folder / "run.json").read_text())["pid"] == process.pid
    laws.finish(stage)


@pytest.mark.parametrize("number", [None, 1, 2**22 + 1, -1], ids=["a-living-one", "the-first", "none", "odd"])
def test_a_lock_file_that_names_another_program_holds_nobody_up(make: Maker, number: int | None) -> None:
    """The number of a killed process belongs to some other program now; nobody holds the lock."""
    stage = make()
    stage.spec("hero", "A jar.")
    folder = stage.state_folder()
    folder.mkdir(exist_ok=True)
    (folder / "run.lock").write_bytes(b"")
    note = {"pid": os.getpid() if number is None else number, "host": "elsewhere", "command": "apply", "since": 1.0}
    (folder / "run.json").write_text(json.dumps(note))
    stage.here("apply", "--yes", code=0)
    assert json.loads((folder / "run.json").read_text())["pid"] == os.getpid()
    laws.finish(stage)


# --- The tree changes under a run ---------------------------------------------------------------------------


def checkout(stage: Stage) -> Callable[[], None]:
    stage.git("checkout", "-q", "-f", "-b", "side", stage.git("rev-list", "--max-parents=0", "HEAD").strip())
    return lambda: void(stage.git("checkout", "-q", "-f", "main"))


def reset(stage: Stage) -> Callable[[], None]:
    head = stage.git("rev-parse", "HEAD").strip()
    stage.git("reset", "-q", "--hard", "HEAD~1")
    return lambda: void(stage.git("reset", "-q", "--hard", head))


def stash(stage: Stage) -> Callable[[], None]:
    stage.spec("more", "A lid.")
    stage.git("stash", "-q", "-u")
    return lambda: stage.path("more.sume.toml").unlink(missing_ok=True)


def clean(stage: Stage) -> Callable[[], None]:
    stage.git("clean", "-q", "-fdx")
    return lambda: None


def rebase(stage: Stage) -> Callable[[], None]:
    stage.git("stash", "-q", "-u")
    stage.git("checkout", "-q", "-b", "base", "HEAD~1")
    stage.write("notes.md", "Unrelated.\n")
    stage.commit()
    stage.git("checkout", "-q", "main")
    stage.git("rebase", "-q", "base")
    return lambda: None


def worktree(stage: Stage) -> Callable[[], None]:
    other = stage.worktree("second", "-b", "second")
    return lambda: laws.finish(other)


def rename(stage: Stage) -> Callable[[], None]:
    stage.path("hero.sume.toml").rename(stage.path("moved.sume.toml"))
    return lambda: None


def delete(stage: Stage) -> Callable[[], None]:
    text = stage.read("hero.sume.toml")
    stage.path("hero.sume.toml").unlink()
    return lambda: void(stage.write("hero.sume.toml", text))


def void(_value: object) -> None:
    return None


UNDER_WAY = [
    pytest.param(checkout, id="checkout", marks=pytest.mark.fault(72)),
    pytest.param(reset, id="reset", marks=pytest.mark.fault(73)),
    pytest.param(stash, id="stash", marks=pytest.mark.fault(74)),
    pytest.param(clean, id="clean", marks=pytest.mark.fault(75)),
    pytest.param(rebase, id="rebase", marks=pytest.mark.fault(76)),
    pytest.param(worktree, id="worktree", marks=pytest.mark.fault(77)),
    pytest.param(rename, id="rename", marks=pytest.mark.fault(78)),
    pytest.param(delete, id="delete", marks=pytest.mark.fault(78)),
]


@pytest.mark.parametrize("change", UNDER_WAY)
def test_the_tree_changes_while_a_run_is_under_way(make: Maker, change: Callable[[Stage], Callable[[], None]]) -> None:
    """The paid request is out. The run ends as it may; when the tree is as it was, or stays as it is now, one more
    apply has all of it. tests/scenarios/test_in_flight.py has the same between two runs."""
    stage, process = at_work(make, {**POST, "after": True, "delay": 1, "times": 1})
    back = change(stage)
    stage.sume.gate.open()
    stage.end(process)
    laws.hold(stage)
    assert len(stage.charges()) == 1
    for path in stage.root.glob("hero*.png"):
        if not stage.git("ls-files", path.name):
            path.unlink()  # a person tidies what the run put where another branch stood
    stage.path("hero.sume.json").unlink(missing_ok=True)
    back()
    stage.here("apply", "--yes")
    laws.finish(stage, "moved" if change is rename else "hero")


@pytest.mark.fault(71)
@pytest.mark.parametrize("moment", ["paying", "polling"])
def test_a_spec_that_is_edited_while_its_job_runs(make: Maker, moment: str) -> None:
    rule = {**POST, "after": True} if moment == "paying" else POLL
    stage, process = at_work(make, {**rule, "delay": 1, "times": 1})
    stage.spec("hero", "Another jar.")
    stage.sume.gate.open()
    stage.end(process, code=0)
    assert stage.paid() == ["A jar."]
    assert "1 paid job." in stage.here("plan", code=0).out
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == ["A jar.", "Another jar."]
    laws.finish(stage, charges=2)
    stage.spec("hero", "A jar.")
    laws.finish(stage, charges=2)
