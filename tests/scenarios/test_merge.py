"""Branches that paid for media come together, and nothing that they paid for is lost or paid for again."""

from __future__ import annotations

import sys

import pytest

from .stage import Stage

DRIVER = f"'{sys.executable}' -m sumesync lock merge %O %A %B %P"


def parted(stage: Stage, *, driver: bool) -> None:
    """Two branches that both changed hero and paid for it, each with a spec of its own beside it."""
    stage.here("init", "--git", code=0)
    if driver:
        assert stage.git("config", "merge.sumesync.driver").strip() == "sumesync lock merge %O %A %B %P"
        stage.git("config", "merge.sumesync.driver", DRIVER)  # the one under test, wherever PATH leads
    else:
        stage.git("config", "--remove-section", "merge.sumesync")
    stage.spec("hero", "A cup.")
    apply_and_commit(stage)
    for branch in ("blue", "red"):
        stage.git("checkout", "-q", "-b", branch, "main")
        stage.spec("hero", f"A {branch} cup.")
        stage.spec(f"{branch}", f"A {branch} plate.")
        apply_and_commit(stage)


def apply_and_commit(stage: Stage) -> None:
    stage.here("apply", "--yes", code=0)
    stage.commit()


def take_ours(stage: Stage) -> None:
    """What a person decides of the spec and of the picture. The lock is not theirs to decide."""
    stage.git("checkout", "--ours", "hero.sume.toml", "hero.png")


def conflict(stage: Stage) -> str:
    with pytest.raises(AssertionError) as failed:
        stage.git("merge", "-q", "blue")
    return str(failed.value)


def test_the_driver_merges_what_both_branches_paid_for(stage: Stage) -> None:
    parted(stage, driver=True)
    paid = len(stage.charges())
    conflict(stage)
    unmerged = set(stage.git("diff", "--name-only", "--diff-filter=U").split())
    assert unmerged == {"hero.sume.toml", "hero.png"}
    take_ours(stage)
    stage.commit()
    assert set(stage.lock()) == {"hero.sume.toml", "blue.sume.toml", "red.sume.toml"}
    stage.here("plan", "--exit-code", code=0)
    stage.spec("hero", "A blue cup.")
    assert stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == paid == 5


def test_lock_resolve_does_it_where_no_driver_was(stage: Stage) -> None:
    parted(stage, driver=False)
    paid = len(stage.charges())
    conflict(stage)
    refused = stage.here("plan", code=3)
    assert "sumesync lock resolve" in refused.err
    take_ours(stage)
    done = stage.here("lock", "resolve", code=0)
    assert "merged sume.lock" in done.err
    assert "merged hero.sume.json" in done.err
    stage.commit()
    stage.here("plan", "--exit-code", code=0)
    stage.spec("hero", "A blue cup.")
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == paid
    assert stage.here("lock", "resolve", code=0).err == "There is no conflict in sume.lock or in metadata.\n"


def test_markers_that_were_committed_are_settled_too(stage: Stage) -> None:
    parted(stage, driver=False)
    conflict(stage)
    take_ours(stage)
    stage.git("checkout", "--ours", "hero.sume.json")
    stage.commit()  # with the markers in sume.lock
    stage.here("lock", "resolve", code=0)
    assert "<<<<<<<" not in stage.read("sume.lock")
    assert len(stage.lock()["hero.sume.toml"]["history"]) == 2
    assert "Nothing to pay" in stage.here("plan", code=0).out


def test_a_side_that_does_not_read_is_left_to_a_person(stage: Stage) -> None:
    for name, text in {"base": "", "ours": "x", "theirs": "y"}.items():
        stage.write(name, text)
    refused = stage.here("lock", "merge", "base", "ours", "theirs", "sume.lock", code=3)
    assert "sume.lock" in refused.err
    assert stage.read("ours") == "x"
    assert "cannot be read" in stage.here("lock", "merge", "base", "gone", "theirs", code=64).err


def test_git_is_set_up_once_and_in_each_clone(stage: Stage) -> None:
    stage.write(".gitattributes", "*.txt text")
    assert stage.here("init", "--git", "--lfs", "--json", code=0).json["made"] == [
        ".gitattributes",
        "the merge driver (in this clone's .git/config)",
    ]
    assert stage.here("init", "--git", "--lfs", "--json", code=0).json["made"] == []
    attributes = stage.read(".gitattributes").splitlines()
    assert attributes[0] == "*.txt text"
    assert "sume.lock merge=sumesync linguist-generated text eol=lf" in attributes
    assert "*.png filter=lfs diff=lfs merge=lfs -text" in attributes
    assert "--git" in stage.here("init", "--lfs", code=64).err
    stage.path("other").mkdir()
    stage.here("init", "other", "--git", "--lfs", code=0)
    assert 'store = "lfs"' in stage.read("other/sumesync.toml"), "a new project says so where plan and check look"
