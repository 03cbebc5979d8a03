"""Searches of the library, kept as specs: free, never a job, made again when somebody asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sumesync.disk import schemas

from .conftest import Maker
from .stage import Stage

ASSETS = {"method": "GET", "route": "/assets"}


def search(stage: Stage, path: str = "clips", **filters: Any) -> None:
    lines = ['kind = "asset-search"', *(f"{name} = {json.dumps(value)}" for name, value in filters.items())]
    stage.write(f"{path}.sume.toml", "\n".join(lines) + "\n")


def result(stage: Stage, path: str = "clips") -> Any:
    return json.loads(stage.read(f"{path}.sume.json"))["result"]


def test_a_search_is_planned_made_kept_and_made_again(stage: Stage) -> None:
    search(stage, q="serum", limit=3)
    planned = stage.here("plan", code=0)
    assert "↓ fetch     clips.sume.toml  new; searched, free" in planned.out
    assert "Nothing to pay." in planned.out
    stage.here("check", code=2)
    assert "to be searched" in stage.here("status", code=0).out

    done = stage.here("apply", "--yes", code=0)
    assert "clips.sume.toml: done 3 scenes" in done.err
    assert "nothing paid for, 1 file written" in done.out
    found = result(stage)
    assert (found["count"], len(found["scenes"])) == (3, 3)
    assert all("?" not in scene["clip_url"] for scene in found["scenes"])
    assert (stage.charges(), stage.posts(), stage.ledger(), stage.journal()) == ((), 0, "", [])

    stage.here("check", code=0)
    status = stage.here("status", code=0).out
    assert "3 scenes" in status
    assert "search-" not in status
    asked = len(stage.seen("GET", ".*/assets"))
    stage.here("apply", "--yes", code=0)
    assert len(stage.seen("GET", ".*/assets")) == asked
    again = stage.here("apply", "--refresh", "--yes", code=0)
    assert "you asked for it; searched, free" in again.out
    assert len(stage.seen("GET", ".*/assets")) == asked + 1
    assert result(stage) == found
    assert not stage.seen("GET", ".*/jobs.*")


def test_a_search_needs_consent_like_all_that_is_free_and_no_guard_counts_it(stage: Stage) -> None:
    search(stage, q="serum")
    assert "--yes" in stage.here("apply", code=64).text
    stage.here("apply", "--yes", "--max-jobs", "0", code=0)


def test_refresh_means_the_paths_that_are_named(stage: Stage) -> None:
    search(stage, "one", q="serum")
    search(stage, "two", q="hands")
    stage.here("apply", "--yes", code=0)
    asked = len(stage.seen("GET", ".*/assets"))
    planned = stage.here("plan", "--refresh", "one.sume.toml", "--json", code=0).json
    assert [(action["path"], action["reason"]["code"]) for action in planned["actions"]] == [
        ("one.sume.toml", "refresh")
    ]
    assert "jobs" not in planned["actions"][0]
    stage.here("apply", "--refresh", str(stage.path("one.sume.toml")), "--yes", code=0)
    assert len(stage.seen("GET", ".*/assets")) == asked + 1


def test_what_is_lost_of_a_search_comes_back_with_the_next_apply(stage: Stage) -> None:
    search(stage, q="serum")
    stage.here("apply", "--yes", code=0)
    found = result(stage)
    stage.path("clips.sume.json").unlink()
    assert "result missing" in stage.here("status", code=0).out
    stage.here("fetch", code=0)
    assert result(stage) == found
    (stage.root / "sume.lock").unlink()
    stage.here("plan", code=3)
    stage.here("lock", "rebuild", code=0)
    asked = len(stage.seen("GET", ".*/assets"))
    assert "Nothing to do" in stage.here("apply", "--yes", code=0).out
    assert len(stage.seen("GET", ".*/assets")) == asked


def test_renamed_changed_and_dropped(stage: Stage) -> None:
    search(stage, q="serum")
    stage.here("apply", "--yes", code=0)
    found = result(stage)
    asked = len(stage.seen("GET", ".*/assets"))
    stage.path("clips.sume.toml").rename(stage.path("shots.sume.toml"))
    assert "renamed from clips.sume.toml" in stage.here("apply", "--yes", code=0).out
    assert result(stage, "shots") == found
    assert not stage.has("clips.sume.json")
    assert len(stage.seen("GET", ".*/assets")) == asked
    search(stage, "shots", q="serum", limit=1)
    assert "limit: (not set) → 1" in stage.here("apply", "--yes", code=0).out
    assert result(stage, "shots")["count"] == 1
    stage.path("shots.sume.toml").unlink()
    stage.here("apply", "--prune", "--yes", code=0)
    assert stage.lock() == {}
    assert not stage.has("shots.sume.json")


EVERY_FILTER: dict[str, Any] = {
    "q": "serum",
    "search_mode": "text",
    "source_type": "upload",
    "segment_type": "demo",
    "brand": "Lumen",
    "product": "serum",
    "tag": "macro",
    "keyword": "drop",
    "cta_present": False,
    "min_duration_seconds": 3.5,
    "max_duration_seconds": 4,
    "created_after": "2026-01-10",
    "created_before": "2026-01-20T00:00:00Z",
    "sort": "duration_desc",
}
"""As Sume documents them. The library has one scene that passes all."""


def test_every_filter_is_a_field_and_is_sent(stage: Stage) -> None:
    assert set(EVERY_FILTER) | {"limit"} == set(schemas.for_specs().kinds["asset-search"].fields)
    search(stage, **EVERY_FILTER)
    stage.here("apply", "--yes", code=0)
    assert [scene["id"] for scene in result(stage)["scenes"]] == ["asset_0002"]
    assert result(stage)["scenes"][0]["search"] == {"mode": "text", "score": 1.0, "query": "serum"}


def test_every_filter_of_a_spec_counts(stage: Stage) -> None:
    """Each of them alone, at a value that the scene does not have, leaves none."""
    others = {
        "q": "coffee",
        "source_type": "social",
        "segment_type": "hook",
        "brand": "Stride",
        "product": "cream",
        "tag": "kitchen",
        "keyword": "sole",
        "cta_present": True,
        "created_after": "2026-01-16",
        "min_duration_seconds": 4.5,
        "max_duration_seconds": 3,
        "created_before": "2026-01-11",
    }
    opposite = {"min_duration_seconds": "max_duration_seconds", "max_duration_seconds": "min_duration_seconds"}
    for name, value in others.items():
        filters = {**EVERY_FILTER, name: value}
        filters.pop(opposite.get(name, ""), None)
        search(stage, name.replace("_", "-"), **filters)
    stage.here("apply", "--yes", code=0)
    assert {name: result(stage, name.replace("_", "-"))["count"] for name in others} == dict.fromkeys(others, 0)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ({"status": 401, "body": {"error": {"code": "unauthorized", "message": "no"}}}, "SUME_API_KEY"),
        ({"status": 400, "body": {"error": {"code": "bad_request", "message": "odd filter"}}}, "odd filter"),
    ],
)
def test_a_search_that_fails_is_told_and_the_rest_is_done(make: Maker, answer: Any, what: str) -> None:
    stage = make({**ASSETS, "answer": answer})
    search(stage, q="serum")
    stage.spec("hero", "A jar.")
    ended = stage.here("apply", "--yes", code=1)
    assert what in ended.text
    assert "failed clips.sume.toml" in ended.out
    assert "trying again" not in ended.text
    assert stage.has("hero.png")
    assert "search-" not in stage.read("sume.lock")
    assert "clips.sume.toml" in stage.here("plan", code=0).out


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("limit = 0", "clips.sume.toml:2:1: limit is 0"),
        ("limit = 101", "allowed: 1 to 100"),
        ('sort = "oldest"', "clips.sume.toml:2:1: sort"),
        ("min_duration_seconds = -1", "clips.sume.toml:2:1: min_duration_seconds is -1"),
        (
            "min_duration_seconds = 9\nmax_duration_seconds = 3",
            "clips.sume.toml:3:1: min_duration_seconds is 9, beyond",
        ),
        ('created_after = "2026-02-30"', "there is no such day"),
        ('created_after = "2027-01-01"\ncreated_before = "2026-01-01"', "clips.sume.toml:3:1: created_after is"),
        ('cursor = "x"', "cursor is not a field of asset-search"),
    ],
)
def test_a_filter_out_of_range_is_a_located_error_and_asks_nobody(stage: Stage, lines: str, told: str) -> None:
    stage.write("clips.sume.toml", f'kind = "asset-search"\n{lines}\n')
    assert told in stage.here("plan", code=64).out
    stage.here("apply", "--yes", code=64)
    assert not stage.world.requests
