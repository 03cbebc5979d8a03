"""Stories of the API's own description: kept by ``schema refresh``, told of by validate, plan and apply, and never more
than told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sumesync.sandbox.settings import Idempotency
from tests import canaries

from .conftest import Maker
from .stage import Stage

COPY = ".sume/openapi.json"
EXTRA = 'prompt = "A cat"\nresolution = "1k"\n\n[extra]\nstyl = "noir"\nquality = 3\n'
LOST = {"route": "/images/generations", "drop": "after-creating", "times": 1}


def refreshed(make: Maker, *rules: Any, **settings: Any) -> Stage:
    stage = make(*rules, **settings)
    stage.here("schema", "refresh", code=0)
    return stage


def odd(stage: Stage, text: str = EXTRA) -> None:
    stage.write("hero.sume.toml", text)


def test_differences_are_told_where_they_stand_and_change_no_exit_code(make: Maker) -> None:
    stage = refreshed(make)
    odd(stage)
    for args in (("validate",), ("plan",)):
        found = stage.here(*args, code=0)
        assert "warning: hero.sume.toml:5:1: styl is no field that Sume's API description knows" in found.err
        assert "warning: hero.sume.toml:6:1: quality must be a string" in found.err
        assert "warning" not in found.out
        told = stage.here(*args, "--json", code=0).json["warnings"]
        assert [(one["path"], one["line"]) for one in told] == [("hero.sume.toml", 5), ("hero.sume.toml", 6)]
    events = stage.here("apply", "--yes", "--json")
    assert [one["line"] for one in events.events[0]["warnings"]] == [5, 6]
    assert stage.posts() == 1, "a warning keeps nothing from being tried"


def test_a_plan_saved_with_warnings_is_applied(make: Maker) -> None:
    stage = refreshed(make)
    odd(stage, 'prompt = "A cat"\n[extra]\nstyl = "noir"\n')
    stage.here("plan", "--out", str(stage.path("plan.json")), code=0)
    assert "warnings" not in json.loads(stage.read("plan.json"))
    stage.here("apply", str(stage.path("plan.json")), code=0)
    assert len(stage.charges()) == 1


def test_only_what_is_paid_for_is_told_of_in_a_plan(make: Maker) -> None:
    stage = refreshed(make)
    odd(stage, 'prompt = "A cat"\n[extra]\nstyl = "noir"\n')
    assert "warning" in stage.here("apply", "--yes", code=0).err
    assert "warning" not in stage.here("plan", code=0).err
    assert "warning" in stage.here("validate", code=0).err
    assert "warning" not in stage.here("validate", "--quiet", code=0).err


def test_without_a_copy_everything_is_as_before(make: Maker) -> None:
    stage = make()
    odd(stage)
    assert stage.here("plan", code=0).err.count("warning") == 0
    assert "warnings" not in stage.here("validate", "--json", code=0).json


def test_it_is_offline(make: Maker) -> None:
    stage = refreshed(make)
    odd(stage)
    before = len(stage.world.requests)
    stage.here("plan", code=0, env={"SUME_API_KEY": None})
    assert len(stage.world.requests) == before


@pytest.mark.parametrize("base", ["https://other.example/api/v1", "no url at all"])
def test_a_copy_of_another_origin_says_nothing(make: Maker, base: str) -> None:
    stage = refreshed(make)
    odd(stage)
    found = stage.here("plan", code=0, env={"SUME_API_BASE_URL": base})
    assert "warning" not in found.err
    assert "warning" not in stage.here("plan", "--sandbox", code=0).err


def test_the_embedded_sandbox_has_one_too(make: Maker) -> None:
    stage = make()
    odd(stage)
    found = stage.here("schema", "refresh", "--sandbox", "--json", code=0, env={"SUME_API_KEY": None}).json
    assert (found["origin"], found["path"]) == ("sandbox", COPY)
    assert "warning" in stage.here("plan", "--sandbox", code=0).err
    assert "warning" not in stage.here("plan", code=0).err


ODD = {
    "empty": b"",
    "no JSON": b"<html>",
    "bytes": b"\xff\xfe\x00",
    "deep": b"[" * 200_000,
    "another": b'{"format_version": 9}',
    "no document": b'{"format_version": 1, "origin": "sandbox", "fetched_at": "x", "document": 3}',
    "large": b" " * (9 << 20),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_copy_is_told_in_one_line_and_nothing_else_changes(make: Maker, name: str) -> None:
    stage = refreshed(make)
    odd(stage)
    stage.path(COPY).write_bytes(ODD[name])
    found = stage.here("plan", code=0)
    lines = [line for line in found.err.splitlines() if COPY in line]
    assert len(lines) == 1
    assert "schema refresh" in lines[0]
    stage.here("validate", code=0)
    stage.here("schema", "refresh", code=0)
    assert "warning" in stage.here("plan", code=0).err


def test_a_link_in_its_place_is_not_read(make: Maker) -> None:
    stage = refreshed(make)
    odd(stage)
    stage.path(COPY).rename(stage.path("moved.json"))
    stage.path(COPY).symlink_to(stage.path("moved.json"))
    found = stage.here("plan", code=0)
    assert "is not used" in found.err
    assert "warning" not in found.err


JUNK: list[dict[str, Any]] = [
    {"answer": {"status": 404}},
    {"answer": {"status": 200, "body": {"swagger": "2.0", "paths": {}}}},
    {"answer": {"status": 200, "body": [1, 2]}},
    {"garble": "html"},
    {"garble": "garbage"},
    {"garble": "deep"},
    {"garble": "short"},
    {"garble": "oversize"},
    {"garble": "gzip-bomb"},
]


@pytest.mark.parametrize("rule", JUNK, ids=str)
def test_junk_is_refused_and_the_copy_stays(make: Maker, rule: dict[str, Any]) -> None:
    stage = refreshed(make)
    before = stage.path(COPY).read_bytes()
    stage.faults({"route": "/openapi.json", **rule})
    found = stage.here("schema", "refresh")
    assert found.code in (1, 64)
    assert found.err.startswith("error: ")
    assert stage.path(COPY).read_bytes() == before
    assert [path.name for path in stage.path(".sume").glob("*.part")] == []


def test_a_document_that_quotes_the_key_is_kept_without_it(make: Maker) -> None:
    body = {"openapi": "3.1.0", "info": {"title": f"for {canaries.KEY}"}, "paths": {}}
    stage = refreshed(make, {"route": "/openapi.json", "answer": {"status": 200, "body": body}})
    assert "for " in stage.read(COPY)


def test_where_there_is_no_project(make: Maker) -> None:
    stage = make(git=False, project=False)
    stage.here("schema", "refresh", code=64)
    assert not stage.has(".sume")


@pytest.mark.parametrize("documented_now", [False, True])
def test_a_kept_copy_never_lets_a_request_be_sent_again(make: Maker, documented_now: bool) -> None:
    stage = refreshed(make, idempotency=Idempotency.DOCUMENTED)
    assert "Idempotency-Key" in stage.read(COPY)
    stage.settings(openapi=documented_now)
    stage.faults(LOST)
    stage.spec("hero", "A cat")
    stage.here("apply", "--yes")
    stage.faults()
    again = stage.here("apply", "--yes")
    if documented_now:
        assert (again.code, stage.posts()) == (0, 2)
    else:
        assert (again.code, stage.posts()) == (4, 1)
    assert len(stage.charges()) == 1
