"""What goes wrong at Sume, on the way, or by a person's hand; and what each of the ways out costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.reliability.machine import Fast, machine

from .conftest import Maker
from .stage import MEDIA, POST, Stage, png


@pytest.fixture
def hero(stage: Stage) -> Stage:
    """One spec, applied."""
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    return stage


# --- Jobs that end badly ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["failed", "canceled", "expired"])
def test_a_job_that_ends_badly_is_paid_for_again_only_when_somebody_asks(make: Maker, end: str) -> None:
    stage = make({**POST, "job": {"ends_as": end, "error_code": "content_policy"}, "times": 1})
    stage.spec("hero", "A jar.")
    stage.spec("other", "A lid.", take=2)
    failed = stage.here("apply", "--yes", code=1)
    assert "content_policy" in failed.text
    assert "--retry-failed" in failed.text
    [spec] = [path for path, entry in stage.lock().items() if entry["jobs"][0]["state"] == end]
    bad = spec.removesuffix(".sume.toml")
    assert len(stage.charges()) == 2
    lock = stage.read("sume.lock")
    for args in (("apply", "--yes"), ("apply", "--yes", bad)):
        assert "--retry-failed" in stage.here(*args, code=1).text
        assert stage.read("sume.lock") == lock
    assert len(stage.charges()) == 2
    assert "1 paid job." in stage.here("plan", "--retry-failed", code=0).out
    stage.here("apply", "--yes", "--retry-failed", code=0)
    assert len(stage.charges()) == 3
    assert [(job["attempt"], job["state"]) for job in stage.lock()[spec]["jobs"]] == [(1, end), (2, "completed")]
    stage.all_there()
    stage.nothing_lost()
    assert "Nothing to do" in stage.here("apply", "--yes", "--retry-failed", code=0).out
    assert len(stage.charges()) == 3


def test_a_retry_that_fails_again_is_one_more_attempt(make: Maker) -> None:
    stage = make({**POST, "job": {"ends_as": "failed"}, "times": 2})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    stage.here("apply", "--yes", "--retry-failed", code=1)
    assert len(stage.charges()) == 2
    stage.here("apply", "--yes", "--retry-failed", code=0)
    assert [job["attempt"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [1, 2, 3]
    stage.all_there()
    stage.nothing_lost()


def test_the_error_message_of_a_job_is_not_recorded(make: Maker) -> None:
    """It may quote anything: only its code is kept."""
    message = "cannot read https://media.example/x.png?X-Sume-Signature=abc for a person"
    stage = make({**POST, "job": {"ends_as": "failed", "error_code": "bad_\x1b[31mref", "message": message}})
    stage.spec("hero", "A jar.")
    result = stage.here("apply", "--yes", code=1)
    assert "\x1b" not in result.text
    assert "for a person" in result.text
    recorded = stage.read("sume.lock") + stage.ledger()
    assert "for a person" not in recorded
    assert "\\u001b" not in recorded


def test_a_changed_prompt_is_the_other_way_out_of_a_failure(make: Maker) -> None:
    stage = make({**POST, "job": {"ends_as": "failed"}, "times": 1})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    stage.spec("hero", "A kinder jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    assert len(stage.charges()) == 2


def test_one_failure_does_not_keep_the_others_from_their_media(make: Maker) -> None:
    stage = make({**POST, "prompt": "number 2", "job": {"ends_as": "failed"}})
    for number in range(4):
        stage.spec(f"s{number}", f"Picture number {number}.")
    stage.here("apply", "--yes", code=1)
    stage.all_there("s0", "s1", "s3")
    assert len(stage.charges()) == 4


# --- Results and downloads -----------------------------------------------------------------------------


def test_a_download_that_fails_twice_is_tried_again_with_a_fresh_url(make: Maker) -> None:
    stage = make({**MEDIA, "answer": {"status": 500, "body": "no", "type": "text/plain"}, "times": 2})
    stage.spec("hero", "A jar.")
    with machine(Fast()):
        result = stage.here("apply", "--yes", code=0)
    assert result.err.count("trying again") == 2
    stage.all_there("hero")
    assert len(stage.charges()) == 1
    assert len(stage.seen("GET", "/jobs/.*/result")) == 3


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({**MEDIA, "garble": "html"}, id="html"),
        pytest.param({**MEDIA, "garble": {"way": "html", "value": "image/png"}}, id="html-posing-as-png"),
        pytest.param({**MEDIA, "garble": "short"}, id="short"),
        pytest.param({**MEDIA, "garble": "empty"}, id="empty"),
        pytest.param({**MEDIA, "redirect": "http://10.0.0.1/x.png"}, id="redirect-to-a-private-address"),
        pytest.param({"route": "/jobs/*/result", "links": {"expired": True}}, id="expired"),
        pytest.param({"route": "/jobs/*/result", "links": {"base": "http://10.0.0.1"}}, id="private-address"),
        pytest.param({"route": "/jobs/*/result", "answer": {"status": 200, "body": {}}}, id="no-media"),
    ],
)
def test_media_that_cannot_be_had_now_come_for_free_later(make: Maker, rule: dict[str, object]) -> None:
    stage = make(rule)
    stage.spec("hero", "A jar.")
    result = stage.here("apply", "--yes", "--deadline", "0.8")
    assert result.code in (1, 5), f"its media are not there, so it is not done\n{result}"
    assert not stage.has("hero.png")
    assert not [path for path in stage.tree() if path.endswith(".part")]
    stage.faults()
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == 1


def test_a_url_that_has_expired_is_asked_for_again_in_the_same_run(make: Maker) -> None:
    stage = make({"route": "/jobs/*/result", "links": {"expired": True}, "times": 1})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.seen("GET", "/jobs/.*/result")) == 2


def test_names_that_the_server_gives_are_not_followed(make: Maker) -> None:
    stage = make({"route": "/jobs/*/result", "links": {"name": "..%2f..%2f..%2fevil.sh"}})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert not list(stage.root.parent.rglob("evil*"))


def test_a_result_that_is_gone_needs_a_decision(hero: Stage) -> None:
    [charge] = hero.charges()
    data = hero.path("hero.png").read_bytes()
    hero.world.expire_result(charge.job_id)
    hero.here("plan", "--exit-code", code=0)
    hero.path("hero.png").unlink()
    result = hero.here("apply", "--yes", code=1)
    assert "--regenerate hero.sume.toml" in result.text
    assert "--regenerate hero.sume.toml" in hero.here("apply", "--yes", code=1).text
    assert "--regenerate hero.sume.toml" in hero.here("check", code=2).text
    assert len(hero.charges()) == 1
    # The file from git is one way out.
    hero.write("hero.png", data)
    hero.here("apply", "--yes", code=0)
    hero.here("plan", "--exit-code", code=0)
    # Paying again is the other.
    hero.path("hero.png").unlink()
    assert "1 paid job." in hero.here("plan", "--regenerate", "hero", code=0).out
    hero.here("apply", "--yes", "--regenerate", "hero", code=0)
    assert len(hero.charges()) == 2
    assert [job["attempt"] for job in hero.lock()["hero.sume.toml"]["jobs"]] == [1, 2]
    assert hero.sha256("hero.png") == hero.lock()["hero.sume.toml"]["jobs"][1]["outputs"][0]["sha256"]
    hero.nothing_lost()
    assert "Nothing to do" in hero.here("apply", "--yes", "--regenerate", "hero", code=0).out
    assert len(hero.charges()) == 2


# --- Files that a person touched ------------------------------------------------------------------------


def test_an_edited_output_stays_and_is_told(hero: Stage) -> None:
    lock = hero.read("sume.lock")
    hero.write("hero.png", png("my own touch"))
    for args in (("plan",), ("apply", "--yes"), ("status",)):
        assert "edited by hand" in hero.here(*args, code=0).text, args
    assert hero.path("hero.png").read_bytes() == png("my own touch")
    assert hero.read("sume.lock") == lock
    hero.here("check", code=2)
    assert len(hero.charges()) == 1


def test_accept_blesses_an_edit(hero: Stage) -> None:
    hero.write("hero.png", png("my own touch"))
    hero.here("accept", "hero", code=0)
    hero.here("check", code=0)
    assert "Nothing to do" in hero.here("apply", "--yes", code=0).out
    assert hero.outputs("hero.sume.toml")[0]["sha256"] == hero.sha256("hero.png")
    assert hero.path("hero.png").read_bytes() == png("my own touch")
    # It moves with its spec, as ours do.
    hero.path("hero.sume.toml").rename(hero.path("first.sume.toml"))
    hero.here("apply", "--yes", code=0)
    assert hero.path("first.png").read_bytes() == png("my own touch")
    assert not hero.has("hero.png")
    hero.here("check", code=0)
    assert len(hero.charges()) == 1


def test_fetch_force_restores_ours(hero: Stage) -> None:
    data = hero.path("hero.png").read_bytes()
    hero.write("hero.png", png("my own touch"))
    hero.here("fetch", code=0)
    assert hero.path("hero.png").read_bytes() == png("my own touch")
    hero.here("fetch", "--force", code=0)
    assert hero.path("hero.png").read_bytes() == data
    hero.here("check", code=0)
    assert len(hero.charges()) == 1


def test_an_edit_is_something_to_decide_for_plan_and_check_alike(hero: Stage) -> None:
    """What is said and the exit codes agree; apply has nothing to do and leaves it."""
    hero.write("hero.png", png("retouched"))
    plan = hero.here("plan", "--exit-code", code=2).out
    assert "Nothing to do" not in plan
    assert "1 spec with media edited by hand, kept as they are; accept them, or fetch --force." in plan
    assert "edited by hand: hero.png" in hero.here("check", code=2).out
    (action,) = hero.here("plan", "--json", code=0).json["actions"]
    assert action["pending"] is True
    hero.here("apply", "--yes", code=0)
    hero.here("accept", "hero", code=0)
    assert "Nothing to do: 1 spec up to date." in hero.here("plan", "--exit-code", code=0).out
    hero.here("check", code=0)


def folder(stage: Stage, path: str) -> None:
    stage.path(path).unlink(missing_ok=True)
    stage.path(path).mkdir()


def link(stage: Stage, path: str) -> None:
    stage.path(path).unlink(missing_ok=True)
    stage.path(path).symlink_to(stage.root / "sumesync.toml")


@pytest.mark.parametrize("block", [folder, link])
@pytest.mark.parametrize("path", ["hero.sume.json", "hero.png"])
@pytest.mark.parametrize("first", [True, False], ids=["new", "changed"])
def test_what_blocks_a_place_is_told_before_it_is_paid_for(
    stage: Stage, block: Callable[[Stage, str], None], path: str, first: bool
) -> None:
    stage.spec("hero", "A jar.")
    if not first:
        stage.here("apply", "--yes", code=0)
        stage.spec("hero", "Another jar.")
    paid = len(stage.charges())
    block(stage, path)
    for flags in ((), ("--replace-edited",)):
        result = stage.here("apply", "--yes", *flags, code=64)
        assert f"would take the place of {path}" in result.out
        assert "move " in result.out
    assert len(stage.charges()) == paid
    stage.path(path).unlink() if block is link else stage.path(path).rmdir()
    stage.here("apply", "--yes", code=0)
    stage.all_there()


@pytest.mark.parametrize("output", ["media", "media/new"])
def test_a_file_in_the_place_of_the_folder_of_outputs_is_told_before_it_is_paid_for(stage: Stage, output: str) -> None:
    stage.write("media", "a file")
    stage.write("hero.sume.toml", f'prompt = "A jar."\n[output]\ndir = "{output}"\n')
    assert "hero.sume.toml:3:1: output.dir: media is not a folder" in stage.here("apply", "--yes", code=64).out
    assert stage.charges() == ()


@pytest.fixture
def pair(make: Maker) -> Stage:
    """Two pictures of one job, the first retouched, the second missing."""
    stage = make()
    stage.spec("pair", "Two jars.", image_count=2)
    stage.here("apply", "--yes", code=0)
    stage.write("pair.png", png("retouched"))
    return stage


@pytest.mark.parametrize("command", [("apply", "--yes"), ("fetch",)], ids=" ".join)
def test_beside_an_edited_output_the_missing_one_is_fetched(pair: Stage, command: tuple[str, ...]) -> None:
    second = pair.sha256("pair-2.png")
    pair.path("pair-2.png").unlink()
    pair.commit()
    plan = pair.here("plan", code=0).out
    assert "missing: pair-2.png; edited by hand: pair.png" in plan
    assert "1 spec with media edited by hand" in plan
    before = pair.lock()
    result = pair.here(*command, code=0)
    assert "1 file written" in result.out
    assert pair.sha256("pair-2.png") == second
    assert pair.path("pair.png").read_bytes() == png("retouched")
    assert sorted(path for path in pair.tree() if path.endswith(".png")) == ["pair-2.png", "pair.png"]
    assert pair.lock() == before
    assert "edited by hand: pair.png" in pair.here("plan", code=0).out
    pair.here("fetch", "--force", code=0)
    pair.all_there()
    assert len(pair.charges()) == 1


def test_accept_does_not_forget_the_output_that_is_missing(pair: Stage) -> None:
    second = pair.sha256("pair-2.png")
    pair.path("pair-2.png").unlink()
    result = pair.here("accept", "pair", code=0)
    assert "pair-2.png was paid for and is missing; sumesync fetch pair.sume.toml brings it" in result.err
    assert "missing: pair-2.png" in pair.here("plan", code=0).out
    pair.here("fetch", code=0)
    assert pair.sha256("pair-2.png") == second
    assert pair.path("pair.png").read_bytes() == png("retouched")
    pair.here("plan", "--exit-code", code=0)
    pair.here("check", code=0)
    assert sorted(path for path in pair.tree() if path.endswith(".png")) == ["pair-2.png", "pair.png"]
    assert len(pair.charges()) == 1


def test_beside_an_edited_output_what_sume_no_longer_has_needs_a_decision(pair: Stage) -> None:
    pair.path("pair-2.png").unlink()
    pair.faults({"route": "/jobs/*/result", "answer": {"status": 410}})
    pair.here("fetch", code=1)
    for command, code in ((("plan", "--exit-code"), 2), (("check",), 2), (("apply", "--yes"), 1)):
        said = pair.here(*command, code=code).text
        assert "missing: pair-2.png; edited by hand: pair.png; Sume no longer has its result" in said, command
        assert "sumesync accept pair.sume.toml" in said, command
        assert "sumesync apply --replace-edited --regenerate pair.sume.toml" in said, command
    assert "needs you" in pair.here("status", code=0).out
    pair.here("apply", "--yes", "--regenerate", "pair", code=1)
    assert pair.path("pair.png").read_bytes() == png("retouched")
    assert len(pair.charges()) == 1
    pair.faults()
    pair.here("apply", "--yes", "--replace-edited", "--regenerate", "pair", code=0)
    pair.here("check", code=0)
    assert len(pair.charges()) == 2


def test_accept_says_what_sume_no_longer_has(pair: Stage) -> None:
    pair.path("pair-2.png").unlink()
    pair.faults({"route": "/jobs/*/result", "answer": {"status": 410}})
    pair.here("fetch", code=1)
    assert "pair-2.png was paid for, is missing, and Sume no longer has it" in pair.here("accept", "pair", code=0).err
    pair.here("check", code=0)
    assert len(pair.charges()) == 1


def test_changed_and_edited_needs_a_decision(hero: Stage) -> None:
    hero.write("hero.png", png("my own touch"))
    hero.spec("hero", "Another jar.")
    result = hero.here("apply", "--yes", code=1)
    assert "edited by hand" in result.text
    assert "--replace-edited" in result.text
    assert len(hero.charges()) == 1
    assert hero.path("hero.png").read_bytes() == png("my own touch")
    hero.here("apply", "--yes", "--replace-edited", code=0)
    assert hero.paid() == ["A jar.", "Another jar."]
    hero.all_there()


def test_changed_and_edited_may_be_accepted(hero: Stage) -> None:
    hero.write("hero.png", png("my own touch"))
    hero.spec("hero", "Another jar.")
    hero.here("accept", "hero", code=0)
    hero.here("check", code=0)
    assert len(hero.charges()) == 1
    assert hero.path("hero.png").read_bytes() == png("my own touch")
    # And what was paid for before is still known.
    hero.path("hero.png").unlink()
    hero.spec("hero", "A jar.")
    hero.here("apply", "--yes", code=0)
    hero.all_there()
    assert len(hero.charges()) == 1


def test_a_picture_made_elsewhere_is_accepted_for_free(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.write("hero.png", png("from a camera"))
    stage.here("apply", "--yes", code=64)
    stage.here("accept", "hero.sume.toml", code=0)
    stage.here("check", code=0)
    assert "Nothing to do" in stage.here("apply", "--yes", code=0).out
    assert not stage.world.requests
    assert stage.path("hero.png").read_bytes() == png("from a camera")
    # From then on the file is the person's: a new prompt does not silently replace it.
    stage.spec("hero", "Another jar.")
    stage.here("apply", "--yes", code=1)
    assert stage.path("hero.png").read_bytes() == png("from a camera")
    assert not stage.posts()
    # Nor does losing it silently buy another.
    stage.spec("hero", "A jar.")
    stage.path("hero.png").unlink()
    assert "--regenerate" in stage.here("apply", "--yes", code=1).text
    assert not stage.posts()
    stage.here("apply", "--yes", "--regenerate", "hero", code=0)
    assert stage.paid() == ["A jar."]


def test_a_foreign_file_in_the_place_of_what_was_paid_for(hero: Stage) -> None:
    hero.write("shots/first.png", b"mine")
    hero.path("hero.sume.toml").rename(hero.path("shots/first.sume.toml"))
    result = hero.here("apply", "--yes", code=64)
    assert "shots/first.png" in result.text
    assert hero.path("shots/first.png").read_bytes() == b"mine"
    hero.path("shots/first.png").unlink()
    hero.here("apply", "--yes", code=0)
    hero.all_there("shots/first")
    assert len(hero.charges()) == 1


@pytest.mark.parametrize("flags", [(), ("--replace-edited",)], ids=["plain", "replace-edited"])
def test_a_file_that_comes_while_its_job_runs_is_not_overwritten(make: Maker, flags: tuple[str, ...]) -> None:
    """``--replace-edited`` speaks of edits of what we wrote; a stranger's file was never ours."""
    stage = make({"route": "/jobs/*/result", "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    process = stage.begin("apply", "--yes", *flags)
    stage.sume.gate.reached()
    stage.write("hero.png", b"mine")
    stage.sume.gate.open()
    result = stage.end(process, code=0)
    [charge] = stage.charges()
    assert stage.path("hero.png").read_bytes() == b"mine"
    assert f"hero.{charge.job_id}.png" in result.text
    stage.all_there("hero")
    stage.here("plan", "--exit-code", code=0)


def test_a_spec_that_is_edited_while_its_job_runs(make: Maker) -> None:
    """The job is of the spec that was sent; the edit is the next apply's."""
    stage = make({"route": "/jobs/*/result", "delay": 1, "times": 1})
    stage.spec("hero", "A jar.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    stage.spec("hero", "Another jar.")
    stage.sume.gate.open()
    stage.end(process, code=0)
    assert "1 paid job." in stage.here("plan", code=0).out
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == ["A jar.", "Another jar."]
    stage.all_there("hero")


# --- Orphans ------------------------------------------------------------------------------------------


def test_a_spec_that_is_gone_leaves_an_orphan_until_prune(hero: Stage) -> None:
    text = hero.read("hero.sume.toml")
    hero.path("hero.sume.toml").unlink()
    assert "--prune" in hero.here("plan", code=0).out
    hero.here("apply", "--yes", code=0)
    assert hero.has("hero.png")
    hero.here("check", code=2)
    hero.run("apply", "--prune", code=64)
    assert hero.has("hero.png")
    hero.here("apply", "--yes", "--prune", code=0)
    assert not hero.has("hero.png")
    assert not hero.has("hero.sume.json")
    assert hero.lock() == {}
    hero.nothing_lost()
    hero.here("check", code=0)
    # The ledger keeps the job: the spec's return is free.
    hero.write("hero.sume.toml", text)
    hero.here("apply", "--yes", code=0)
    hero.all_there("hero")
    assert len(hero.charges()) == 1


def test_prune_leaves_what_a_person_edited(hero: Stage) -> None:
    hero.path("hero.sume.toml").unlink()
    hero.write("hero.png", png("my own touch"))
    hero.here("apply", "--yes", "--prune", code=0)
    assert hero.path("hero.png").read_bytes() == png("my own touch")
    assert hero.lock() == {}


# --- Media that are not stored -----------------------------------------------------------------------------


def test_media_that_are_not_stored_are_fetched_when_asked_for(stage: Stage) -> None:
    stage.write("sumesync.toml", '[media]\nstore = "none"\n')
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    data = stage.path("hero.png").read_bytes()
    stage.path("hero.png").unlink()
    stage.here("check", code=0)
    stage.here("plan", "--exit-code", code=0)
    stage.here("apply", "--yes", code=0)
    assert not stage.has("hero.png")
    stage.here("fetch", code=0)
    assert stage.path("hero.png").read_bytes() == data
    assert len(stage.charges()) == 1


# --- Waiting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [("--no-wait",), ("--deadline", "0.3")], ids=["no-wait", "deadline"])
def test_leaving_while_jobs_run_and_collecting_them_later(stage: Stage, how: tuple[str, ...]) -> None:
    stage.spec("hero", "A jar.")
    stage.spec("demo", "A hand.")
    stage.slow()
    result = stage.here("apply", "--yes", *how, code=5)
    assert "2 jobs still run" in result.out
    assert len(stage.charges()) == 2
    assert "running" in stage.here("status", code=0).out
    stage.here("check", code=2)
    stage.later()
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 2


def test_no_wait_submits_no_more_than_the_capacity(make: Maker) -> None:
    stage = make(capacity=3)
    for number in range(7):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.slow()
    result = stage.here("apply", "--yes", "--no-wait", code=5)
    assert "4 specs not submitted" in result.out
    assert len(stage.charges()) == 3
    stage.later()
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 7


def test_never_more_jobs_at_once_than_the_account_has_room_for(make: Maker) -> None:
    stage = make(capacity=2)
    for number in range(6):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.slow()
    stage.here("apply", "--yes", "--deadline", "0.4", code=5)
    assert len(stage.charges()) == 2


# --- The API is busy, or ill --------------------------------------------------------------------------------


def test_429_waits_as_long_as_it_was_told_and_charges_once(make: Maker) -> None:
    stage = make({**POST, "answer": {"status": 429, "headers": {"Retry-After": "1"}}, "times": 1})
    stage.spec("hero", "A jar.")
    result = stage.here("apply", "--yes", code=0)
    assert "wait 1 s" in result.err
    stage.all_there()
    assert len(stage.charges()) == 1
    assert stage.posts() == 2


def test_429_that_asks_for_a_day_ends_at_the_deadline(make: Maker) -> None:
    stage = make({**POST, "answer": {"status": 429, "headers": {"Retry-After": "86400"}}})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--deadline", "0.3", code=5)
    assert not stage.charges()
    assert not [step for step in stage.journal() if step["step"] != "intent"]
    stage.faults()
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 1
    assert not stage.journal()


def test_a_poll_that_fails_is_not_a_failed_job(make: Maker) -> None:
    stage = make({"method": "GET", "route": "/jobs/*", "answer": {"status": 503}, "times": 2})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 1


def test_a_list_that_fails_falls_back_to_single_reads(make: Maker) -> None:
    stage = make({"method": "GET", "route": "/jobs", "answer": {"status": 404}})
    for number in range(5):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert stage.seen("GET", "/jobs/[^/]+")


def test_a_list_that_lags_and_loops_proves_nothing(make: Maker) -> None:
    stage = make({"route": "/jobs", "listing": {"lag": 100_000, "loop": True}})
    for number in range(5):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 5


def test_a_status_that_nobody_knows_is_waited_on(make: Maker) -> None:
    stage = make({**POST, "job": {"running_as": "warming\x1b[31m", "seconds": 100}})
    stage.spec("hero", "A jar.")
    result = stage.here("apply", "--yes", "--deadline", "0.4", code=5)
    assert "warming" in result.text
    assert "\x1b" not in result.text
    stage.later()
    stage.here("apply", "--yes", code=0)
    stage.all_there()


def test_a_job_that_sume_forgot_stays_recorded(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.slow()
    stage.here("apply", "--yes", "--no-wait", code=5)
    [charge] = stage.charges()
    stage.world.forget(charge.job_id)
    result = stage.here("apply", "--yes", "--deadline", "20", code=1)
    assert charge.job_id in result.text
    assert "1 to resume" in stage.here("plan", code=0).out
    assert len(stage.charges()) == 1
    stage.nothing_lost()


def forgotten(stage: Stage) -> str:
    """A job in flight that Sume answers with 404 from now on."""
    stage.spec("hero", "A jar.")
    stage.slow()
    stage.here("apply", "--yes", "--no-wait", code=5)
    [charge] = stage.charges()
    stage.world.forget(charge.job_id)
    return charge.job_id


def test_a_job_that_sume_forgot_is_given_up_and_paid_again_only_when_asked(stage: Stage) -> None:
    job_id = forgotten(stage)
    command = f"resolve --lost {job_id}"
    assert f"sumesync {command}" in stage.here("apply", "--yes", "--deadline", "20", code=1).text
    stage.here(*command.split(), code=0)
    [job] = stage.lock()["hero.sume.toml"]["jobs"]
    assert (job["id"], job["state"], job["error"]["code"]) == (job_id, "expired", "lost")
    stage.later()
    assert "--retry-failed" in stage.here("apply", "--yes", code=1).text
    assert len(stage.charges()) == 1
    stage.here("resolve", "--lost", job_id, code=64)
    stage.here("apply", "--yes", "--retry-failed", code=0)
    assert len(stage.charges()) == 2
    stage.all_there()
    stage.nothing_lost()


def test_a_forgotten_job_of_an_orphan_is_given_up_and_pruned(stage: Stage) -> None:
    job_id = forgotten(stage)
    stage.path("hero.sume.toml").unlink()
    assert f"--lost {job_id}" in stage.here("apply", "--yes", "--prune", "--deadline", "20", code=1).text
    assert "hero.sume.toml" in stage.lock()
    stage.here("resolve", "--lost", job_id, code=0)
    stage.here("apply", "--yes", "--prune", code=0)
    assert "hero.sume.toml" not in stage.lock()
    stage.here("check", code=0)
    stage.nothing_lost()


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        pytest.param({"route": "/jobs/*", "answer": {"status": 500}}, 1, id="no-answer"),
        pytest.param({"route": "/jobs/*", "answer": {"status": 401}}, 1, id="another-answer"),
        pytest.param({"route": "/me", "answer": {"status": 500}}, 1, id="nobody-says-whose-key-it-is"),
        pytest.param({"route": "/jobs/never", "delay": 1}, 64, id="it-is-there"),
    ],
)
def test_a_job_is_given_up_only_where_sume_says_that_there_is_none(make: Maker, rule: Any, code: int) -> None:
    stage = make()
    stage.spec("hero", "A jar.")
    stage.slow()
    stage.here("apply", "--yes", "--no-wait", code=5)
    stage.faults(rule)
    [charge] = stage.charges()
    stage.here("resolve", "--lost", charge.job_id, code=code)
    assert [job["state"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == ["accepted"]
    stage.faults()
    stage.later()
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 1


def test_in_another_workspace_no_job_is_given_up(make: Maker) -> None:
    stage, other = make(), make(workspace_id="ws_another")
    job_id = forgotten(stage)
    elsewhere = {"SUME_API_BASE_URL": other.sume.running.base_url}
    assert "another workspace" in stage.here("resolve", "--lost", job_id, code=3, env=elsewhere).err
    stage.spec("lid", "A lid.")
    stage.here("resolve", "lid", "--lost", job_id, code=64)
    for wrong in ("job_nobody", "../x"):
        stage.here("resolve", "--lost", wrong, code=64)
    stage.here("resolve", "--lost", job_id, "--not-created", code=64)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_definite_no_costs_nothing_and_is_not_sent_again(make: Maker, status: int) -> None:
    stage = make({**POST, "prompt": "jar", "answer": {"status": status}})
    stage.spec("hero", "A jar.")
    stage.spec("lid", "A lid.")
    result = stage.here("apply", "--yes", code=1)
    assert "hero.sume.toml" in result.text
    assert stage.paid() == ["A lid."]
    assert stage.posts() == 2
    assert not stage.journal()
    assert "hero.sume.toml" not in stage.lock()
    stage.faults()
    stage.here("apply", "--yes", code=0)
    stage.all_there()


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_mid_batch_stops_it(make: Maker, status: int) -> None:
    stage = make({**POST, "nth": 2, "answer": {"status": status}}, capacity=1)
    for number in range(5):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.here("apply", "--yes", code=1)
    assert len(stage.charges()) == 1
    assert stage.posts() == 2
    stage.faults()
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 5


def test_the_metadata_tell_what_was_asked_for(hero: Stage) -> None:
    told = json.loads(hero.read("hero.sume.json"))
    assert told["request"] == {"prompt": "A jar."}
    assert told["jobs"][0]["id"] == hero.charges()[0].job_id
    assert told["jobs"][0]["credits"] == hero.charges()[0].credits
