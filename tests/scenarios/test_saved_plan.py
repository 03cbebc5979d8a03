"""A plan that was saved and reviewed: applied exactly, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .stage import Stage


@pytest.fixture
def saved(stage: Stage) -> Stage:
    """A plan of one spec of two, saved."""
    stage.spec("hero", "A jar.")
    stage.spec("launch/demo", "A hand.")
    stage.here("plan", "--out", "p.json", "launch", code=0)
    return stage


def test_it_is_applied_exactly_and_without_asking(saved: Stage) -> None:
    document = json.loads(saved.read("p.json"))
    assert [action["path"] for action in document["actions"]] == ["launch/demo.sume.toml"]
    saved.run("apply", "p.json", code=0)
    assert saved.paid() == ["A hand."]
    saved.all_there("launch/demo")
    assert not saved.has("hero.png")


def test_once_applied_it_is_stale(saved: Stage) -> None:
    saved.here("apply", "p.json", code=0)
    assert "stale" in saved.here("apply", "p.json", code=3).err
    assert len(saved.charges()) == 1


def change_prompt(stage: Stage) -> None:
    stage.spec("launch/demo", "Another hand.")


def add_spec(stage: Stage) -> None:
    stage.spec("launch/extra", "One more.")


def remove_spec(stage: Stage) -> None:
    stage.path("launch/demo.sume.toml").unlink()


def put_file(stage: Stage) -> None:
    stage.write("launch/demo.png", b"mine")


def change_default(stage: Stage) -> None:
    stage.write("sumesync.toml", '[defaults.image]\naspect_ratio = "1:1"\n')


@pytest.mark.parametrize("change", [change_prompt, add_spec, remove_spec, put_file, change_default])
def test_it_is_refused_when_anything_that_it_speaks_of_changed(saved: Stage, change: Callable[[Stage], None]) -> None:
    change(saved)
    before = saved.tree()
    result = saved.here("apply", "p.json", code=3)
    assert "stale" in result.err
    assert "plan --out" in result.err
    assert saved.tree() == before
    assert not saved.posts()


def test_what_it_does_not_speak_of_may_change(saved: Stage) -> None:
    saved.write("launch/demo.sume.toml", "# a note\n" + saved.read("launch/demo.sume.toml"))
    saved.here("apply", "p.json", code=0)
    assert saved.paid() == ["A hand."]


def test_the_words_of_the_plan_hold_when_it_is_applied(stage: Stage) -> None:
    stage.faults({"method": "POST", "job": {"ends_as": "failed", "error_code": "content_policy"}, "times": 1})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    stage.here("plan", "--out", "without.json", code=0)
    stage.here("plan", "--out", "with.json", "--retry-failed", code=0)
    stage.here("apply", "without.json", code=1)
    assert len(stage.charges()) == 1
    stage.here("apply", "with.json", code=0)
    assert len(stage.charges()) == 2
    stage.all_there("hero")


def test_a_saved_plan_is_not_above_the_guard(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.write("sumesync.toml", "[apply]\nmax_jobs = 0\n")
    stage.here("plan", "--out", "p.json", code=0)
    stage.here("apply", "p.json", code=3)
    assert not stage.posts()
    stage.here("apply", "p.json", "--max-jobs", "1", code=0)
    assert stage.paid() == ["A jar."]


def test_it_stands_alone_on_the_command_line(saved: Stage) -> None:
    saved.here("apply", "p.json", "launch", code=64)
    assert not saved.posts()
