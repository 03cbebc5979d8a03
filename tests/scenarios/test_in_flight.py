"""Jobs are in flight, and then the working tree changes under them: nothing is paid for again, nothing is lost."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

import pytest

from .conftest import Maker
from .stage import Stage

HERO = "A jar on a white counter."
DEMO = "A hand opens the jar."


@pytest.fixture(params=["lock-committed", "lock-not-committed"])
def flying(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """Two committed specs whose jobs run; the lock that says so is committed, or is not."""
    stage.spec("hero", HERO)
    stage.spec("launch/demo", DEMO)
    stage.commit()
    stage.slow()
    submit(stage, 2)
    if request.param == "lock-committed":
        stage.commit("sume.lock")
    return stage


def submit(stage: Stage, jobs: int) -> None:
    """Send what there is to send, and leave."""
    before = len(stage.charges())
    result = stage.here("apply", "--yes", "--no-wait", code=5)
    assert f"{jobs} jobs still run" in result.out or f"{jobs} job still runs" in result.out
    assert len(stage.charges()) - before == jobs
    assert not stage.journal()
    stage.nothing_lost()


def arrive(stage: Stage, *specs: str, charges: int = 2) -> None:
    """Time passes; one apply brings everything home, and the next has nothing to do."""
    stage.later()
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == charges == len(set(stage.paid()))
    stage.nothing_lost()
    stage.all_there(*specs)
    assert not stage.journal()
    stage.here("plan", "--exit-code", code=0)


def first_commit(stage: Stage) -> str:
    return stage.git("rev-list", "--max-parents=0", "HEAD").strip()


def test_apply_while_they_run_waits_for_them_and_pays_nothing(flying: Stage) -> None:
    assert "2 to resume" in flying.here("plan", code=0).out
    again = flying.here("apply", "--yes", "--deadline", "0.2", code=5)
    assert "2 jobs still run" in again.out
    assert len(flying.charges()) == 2
    arrive(flying)


@pytest.mark.fault(72)
@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
def test_checkout_of_a_branch_without_the_specs(flying: Stage, force: bool) -> None:
    """Plain, a lock that is not committed comes along; forced, it is gone."""
    how = ["checkout", "-q", *(["-f"] if force else [])]
    flying.git(*how, "-b", "before", first_commit(flying))
    assert not flying.has("hero.sume.toml")
    flying.later()
    flying.here("apply", "--yes", code=0)
    assert len(flying.charges()) == 2
    flying.nothing_lost()
    flying.git("checkout", "-q", "-f", "main")
    arrive(flying)


@pytest.mark.fault(72)
def test_checkout_of_a_branch_with_other_specs_and_back(stage: Stage) -> None:
    stage.git("checkout", "-q", "-b", "side")
    stage.spec("side", "The other side.")
    stage.commit()
    stage.git("checkout", "-q", "main")
    stage.spec("hero", HERO)
    stage.commit()
    stage.slow()
    submit(stage, 1)
    stage.commit("sume.lock")
    stage.git("checkout", "-q", "side")
    more = stage.here("apply", "--yes", "--no-wait", code=5)
    assert "side.sume.toml" in more.text
    assert sorted(stage.paid()) == sorted([HERO, "The other side."])
    stage.later()
    stage.here("apply", "--yes", code=0)
    stage.all_there("side")
    assert "hero.sume.toml" not in stage.lock()
    stage.nothing_lost()
    stage.commit()
    stage.git("checkout", "-q", "main")
    arrive(stage, "hero")
    stage.commit()
    # Both branches come together. In a lock this small they stand side by side, and git cannot tell.
    with pytest.raises(AssertionError, match=r"CONFLICT \(content\): Merge conflict in sume\.lock"):
        stage.git("merge", "-q", "-m", "both", "side")
    conflict = stage.path("sume.lock").read_bytes()
    assert "lock resolve" in stage.here("plan", code=3).err
    assert "lock resolve" in stage.here("apply", "--yes", code=3).err
    assert stage.path("sume.lock").read_bytes() == conflict
    stage.here("lock", "rebuild", code=0)
    stage.here("plan", "--exit-code", code=0)
    stage.all_there("hero", "side")
    assert len(stage.charges()) == 2


@pytest.mark.fault(73)
def test_reset_hard(flying: Stage) -> None:
    flying.git("reset", "-q", "--hard")
    arrive(flying)


@pytest.mark.fault(73)
def test_reset_hard_to_before_the_specs_and_forward_again(flying: Stage) -> None:
    head = flying.git("rev-parse", "HEAD").strip()
    flying.git("reset", "-q", "--hard", first_commit(flying))
    assert not flying.has("hero.sume.toml")
    flying.later()
    flying.here("apply", "--yes", code=0)
    assert len(flying.charges()) == 2
    flying.nothing_lost()
    flying.git("reset", "-q", "--hard", head)
    arrive(flying)


@pytest.mark.fault(74)
@pytest.mark.parametrize("meanwhile", [False, True], ids=["no-apply-meanwhile", "apply-meanwhile"])
def test_stash_with_everything_untracked(stage: Stage, meanwhile: bool) -> None:
    stage.spec("early", "An earlier one.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    stage.spec("hero", HERO)
    stage.spec("launch/demo", DEMO)
    stage.slow()
    submit(stage, 2)
    stage.git("stash", "-q", "-u")
    assert not stage.has("hero.sume.toml")
    if meanwhile:
        stage.later()
        lock = stage.read("sume.lock")
        stage.here("apply", "--yes", code=0)
        assert len(stage.charges()) == 3
        assert stage.read("sume.lock") == lock, "collecting what no spec asks for is no change of the branch"
        stage.nothing_lost()
    stage.git("stash", "pop", "-q")
    arrive(stage, charges=3)


@pytest.mark.fault(74)
def test_stash_of_the_lock_alone(flying: Stage) -> None:
    if not flying.git("status", "--porcelain", "sume.lock"):
        flying.write("sume.lock", flying.read("sume.lock") + "\n")
    flying.git("stash", "-q", "--", "sume.lock")
    arrive(flying)


@pytest.mark.fault(75)
def test_clean_fdx(flying: Stage) -> None:
    flying.git("clean", "-q", "-fdx")
    assert not flying.has(".sume")
    arrive(flying)


@pytest.mark.fault(75)
def test_clean_fdx_when_nothing_of_the_project_is_tracked_but_its_specs(make: Maker) -> None:
    stage = make(project=False)
    stage.here("init", code=0)
    stage.spec("hero", HERO)
    stage.commit("hero.sume.toml", "sumesync.toml")
    stage.slow()
    submit(stage, 1)
    stage.git("clean", "-q", "-fdx")
    assert not stage.has("sume.lock")
    assert "1 to resume" in stage.here("plan", code=0).out
    arrive(stage, charges=1)


@pytest.mark.fault(77)
def test_a_second_worktree_shares_what_was_paid_for(flying: Stage) -> None:
    other = flying.worktree("second", "-b", "second")
    assert "2 to resume" in other.here("plan", code=0).out
    arrive(other)
    assert not flying.has("hero.png")
    arrive(flying)
    assert flying.sha256("hero.png") == other.sha256("hero.png")


@pytest.mark.fault(77)
def test_a_second_worktree_that_is_removed_again(flying: Stage) -> None:
    other = flying.worktree("second", "-b", "second")
    other.spec("hero", "Another jar.")
    more = other.here("apply", "--yes", "--no-wait", code=5)
    assert "hero.sume.toml" in more.text
    assert len(flying.charges()) == 3
    flying.git("worktree", "remove", "--force", str(other.root))
    flying.nothing_lost()
    arrive(flying, charges=3)
    flying.spec("hero", "Another jar.")
    flying.here("apply", "--yes", code=0)
    flying.all_there()
    assert len(flying.charges()) == 3


@pytest.mark.fault(76)
def test_a_rebase(flying: Stage) -> None:
    flying.git("add", "-A")
    flying.git("commit", "-q", "--allow-empty", "-m", "in flight")
    flying.git("checkout", "-q", "-b", "topic")
    flying.git("checkout", "-q", "main~1")
    flying.git("checkout", "-q", "-b", "base")
    flying.write("notes.md", "Unrelated.\n")
    flying.commit()
    flying.git("checkout", "-q", "topic")
    flying.git("rebase", "-q", "base")
    arrive(flying)


@pytest.mark.fault(78)
def test_rename_of_a_spec(flying: Stage) -> None:
    (flying.root / "shots").mkdir()
    os.rename(flying.path("hero.sume.toml"), flying.path("shots/first.sume.toml"))
    assert "Nothing to pay" in flying.here("plan", code=0).out
    arrive(flying)
    assert flying.has("shots/first.png")
    assert not flying.has("hero.png")
    assert "hero.sume.toml" not in flying.lock()


def test_change_and_revert_of_a_spec(flying: Stage) -> None:
    text = flying.read("hero.sume.toml")
    flying.spec("hero", "A jar on a black counter.")
    more = flying.here("apply", "--yes", "--no-wait", code=5)
    assert "hero.sume.toml" in more.text
    assert len(flying.charges()) == 3
    flying.write("hero.sume.toml", text)
    arrive(flying, charges=3)
    first = flying.sha256("hero.png")
    flying.spec("hero", "A jar on a black counter.")
    arrive(flying, charges=3)
    assert flying.sha256("hero.png") != first


def test_revert_before_anything_else_is_sent(flying: Stage) -> None:
    text = flying.read("hero.sume.toml")
    flying.spec("hero", "A jar on a black counter.")
    assert "1 paid job." in flying.here("plan", code=0).out
    flying.write("hero.sume.toml", text)
    arrive(flying)


@pytest.mark.fault(78)
def test_deletion_of_a_spec_and_its_return(flying: Stage) -> None:
    text = flying.read("hero.sume.toml")
    flying.path("hero.sume.toml").unlink()
    flying.later()
    flying.here("apply", "--yes", code=0)
    assert len(flying.charges()) == 2
    flying.nothing_lost()
    flying.all_there("launch/demo")
    flying.write("hero.sume.toml", text)
    arrive(flying)


def test_prune_never_drops_what_still_runs(flying: Stage) -> None:
    text = flying.read("hero.sume.toml")
    flying.path("hero.sume.toml").unlink()
    flying.here("apply", "--yes", "--prune", "--deadline", "0.1", code=5)
    assert "hero.sume.toml" in flying.lock()
    flying.later()
    flying.here("apply", "--yes", "--prune", code=0)
    flying.here("apply", "--yes", "--prune", code=0)
    assert "hero.sume.toml" not in flying.lock()
    flying.nothing_lost()
    flying.write("hero.sume.toml", text)
    arrive(flying)


def test_a_copy_and_another_name_for_the_output(flying: Stage) -> None:
    shutil.copy(flying.path("hero.sume.toml"), flying.path("launch/hero-again.sume.toml"))
    flying.write("launch/demo.sume.toml", flying.read("launch/demo.sume.toml") + '[output]\nname = "clip"\n')
    arrive(flying)
    assert flying.sha256("hero.png") == flying.sha256("launch/hero-again.png")
    assert flying.has("launch/clip.png")
    assert not flying.has("launch/demo.png")


def test_a_spec_that_becomes_invalid(flying: Stage) -> None:
    text = flying.read("hero.sume.toml")
    flying.write("hero.sume.toml", text + "promt = 1\n")
    flying.later()
    flying.here("apply", "--yes", code=64)
    flying.here("apply", "--yes", "--keep-going", code=64)
    flying.all_there("launch/demo")
    flying.nothing_lost()
    flying.write("hero.sume.toml", text)
    arrive(flying)


def test_the_project_is_moved(flying: Stage) -> None:
    moved = flying.root.parent / "moved"
    flying.root.rename(moved)
    stage = flying.elsewhere(moved)
    arrive(stage)
    flying.root.mkdir()  # what was said of it is still checked


def test_sume_lock_is_deleted(flying: Stage) -> None:
    flying.path("sume.lock").unlink()
    arrive(flying)


def test_sume_is_deleted(flying: Stage) -> None:
    shutil.rmtree(flying.path(".sume"), ignore_errors=True)
    arrive(flying)


@pytest.mark.fault(72)
def test_another_branch_is_checked_out_while_apply_runs(make: Maker) -> None:
    """The lock of the branch that is there when it is written is patched, never replaced by the one of before."""
    stage = make({"method": "GET", "route": "/jobs/*/result", "delay": 1, "times": 1})
    stage.spec("hero", HERO)
    stage.commit()
    stage.git("checkout", "-q", "-b", "side")
    stage.spec("side", "The other side.")
    stage.faults()
    stage.here("apply", "--yes", code=0)
    stage.commit()
    side = stage.lock()
    stage.git("checkout", "-q", "main")
    stage.spec("extra", "One more.")
    stage.faults({"method": "GET", "route": "/jobs/*/result", "delay": 1, "times": 1})
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    for _ in range(100):  # the run may write its lock in between, and git refuses; before long it stands at the gate
        stage.git("stash", "-q", "-u")
        with suppress(AssertionError):
            stage.git("checkout", "-q", "side")
            break
    assert stage.git("branch", "--show-current") == "side\n"
    stage.sume.gate.open()
    stage.end(process)
    after = stage.lock()
    assert {path: after[path] for path in side} == side
    stage.nothing_lost()
    assert len(stage.charges()) == len(set(stage.paid()))
    stage.all_there("side", "hero")
