"""Analyses, whose result is a document in the metadata; and face swaps, where one request is several jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from .conftest import Maker
from .stage import LONG, RESULT, Stage

AT_ONCE = {"reference-analysis": 0, "face-swap": 0}
REEL = "https://www.tiktok.com/@someone/video/7300000000000000001"
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(64)


@pytest.fixture
def stage(make: Maker) -> Stage:
    return make(seconds=AT_ONCE)


def analysis(stage: Stage, path: str = "reel", url: str = REEL) -> None:
    stage.write(f"{path}.sume.toml", f'kind = "reference-analysis"\nurl = "{url}"\n')


def result(stage: Stage, path: str = "reel") -> Any:
    return json.loads(stage.read(f"{path}.sume.json"))["result"]


def test_an_analysis_from_a_new_spec_to_a_check(stage: Stage) -> None:
    stage.here("new", "reference-analysis", "reel", code=0)
    text = stage.read("reel.sume.toml")
    stage.write("reel.sume.toml", text.replace('url = ""', 'url = "https://www.tiktok.com/@someone/video/1"'))
    assert "1 paid job" in stage.here("plan", code=0).out
    done = stage.here("apply", "--yes", code=0)
    assert f"reel.sume.toml: accepted for 5 credits, {stage.charges()[0].job_id}" in done.err
    assert "reel.sume.toml: done analysis" in done.err
    assert "1 job paid for (5 credits), 1 file written" in done.out
    assert [job["credits"] for job in stage.lock()["reel.sume.toml"]["jobs"]] == [5]
    assert [job["credits"] for job in json.loads(stage.read("reel.sume.json"))["jobs"]] == [5]
    assert result(stage)["analysis"]["source"]["platform"] == "tiktok"
    assert [path for path in stage.tree() if path.startswith("reel")] == ["reel.sume.json", "reel.sume.toml"]
    assert "analysis in reel.sume.json" in stage.here("status", code=0).out
    stage.here("check", code=0)
    stage.nothing_lost()
    assert stage.posts() == 1


@pytest.mark.parametrize("command", [("apply", "--yes"), ("fetch",)])
@pytest.mark.parametrize("harm", ["deleted", "edited", "emptied"])
def test_an_analysis_that_was_lost_comes_back_for_free(stage: Stage, command: tuple[str, ...], harm: str) -> None:
    analysis(stage)
    stage.here("apply", "--yes", code=0)
    had = result(stage)
    text = stage.read("reel.sume.json")
    if harm == "deleted":
        stage.path("reel.sume.json").unlink()
    else:
        stage.write("reel.sume.json", text.replace("curiosity", "my own words") if harm == "edited" else "{}")
    stage.here("check", code=2)
    stage.here(*command, code=0)
    assert result(stage) == had
    assert stage.read("reel.sume.json") == text
    assert len(stage.charges()) == 1
    stage.here("check", code=0)


def test_renamed_copied_and_without_a_lock_nothing_is_asked_of_sume(stage: Stage) -> None:
    analysis(stage)
    stage.here("apply", "--yes", code=0)
    had, asked = result(stage), len(stage.seen("GET", ".*/result"))
    stage.path("reel.sume.toml").rename(stage.path("hook.sume.toml"))
    assert "renamed from reel.sume.toml" in stage.here("apply", "--yes", code=0).out
    assert (result(stage, "hook"), stage.has("reel.sume.json")) == (had, False)
    analysis(stage, "twin")
    assert "the same request as the one of hook.sume.json" in stage.here("apply", "--yes", code=0).out
    assert result(stage, "twin") == result(stage, "hook") == had
    stage.path("sume.lock").unlink()
    stage.here("lock", "rebuild", code=0)
    stage.here("check", code=0)
    assert len(stage.seen("GET", ".*/result")) == asked
    assert len(stage.charges()) == 1


def test_media_that_are_not_stored_leave_documents_where_they_are(stage: Stage) -> None:
    with stage.path("sumesync.toml").open("a") as config:
        config.write('\n[media]\nstore = "none"\n')
    analysis(stage)
    stage.here("apply", "--yes", code=0)
    stage.path("reel.sume.json").unlink()
    assert "↓ fetch     reel.sume.toml" in stage.here("plan", code=0).out


def test_another_reel_is_paid_for_unless_the_analysis_is_accepted_for_it(stage: Stage) -> None:
    analysis(stage)
    assert "there is no result in reel.sume.json" in stage.here("accept", "reel.sume.toml", code=64).text
    stage.here("apply", "--yes", code=0)
    had = result(stage)
    analysis(stage, url="https://www.tiktok.com/@someone/video/2")
    assert "1 paid job" in stage.here("plan", code=0).out
    stage.here("accept", str(stage.path("reel.sume.toml")), code=0)
    stage.here("check", code=0)
    assert result(stage) == had
    assert len(stage.charges()) == 1


def test_a_result_that_sume_has_no_more_needs_a_person(make: Maker) -> None:
    stage = make(seconds=AT_ONCE)
    analysis(stage)
    stage.here("apply", "--yes", code=0)
    stage.path("reel.sume.json").unlink()
    stage.faults({**RESULT, "answer": {"status": 404}})
    assert "Sume no longer has the result" in stage.here("apply", "--yes", code=1).out
    assert "--regenerate" in stage.here("plan", code=0).out
    stage.faults()
    stage.here("apply", "--regenerate", str(stage.path("reel.sume.toml")), "--yes", code=0)
    assert len(stage.charges()) == 2
    stage.here("check", code=0)


def test_prune_drops_the_metadata_with_the_entry(stage: Stage) -> None:
    analysis(stage)
    stage.here("apply", "--yes", code=0)
    stage.path("reel.sume.toml").unlink()
    assert "reel.sume.json" not in stage.here("plan", "--prune", code=0).out
    stage.here("apply", "--prune", "--yes", code=0)
    assert (stage.lock(), stage.has("reel.sume.json")) == ({}, False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('url = "https://youtube.com/shorts/1"', "reel.sume.toml:2:1: url is https://youtube.com/shorts/1"),
        ('url = "http://tiktok.com/1"', "it must be an https:// URL"),
        ("", "the reference-analysis has no url"),
    ],
)
def test_what_is_no_reel_is_a_located_error_and_spends_nothing(stage: Stage, text: str, told: str) -> None:
    stage.write("reel.sume.toml", f'kind = "reference-analysis"\n{text}\n')
    assert told in stage.here("plan", code=64).out
    stage.here("apply", "--yes", code=64)
    assert not stage.world.requests


# --- Face swaps: one request, several jobs --------------------------------------------------------------------------


def swap(stage: Stage, *avatars: str) -> None:
    stage.write("take1.mp4", FILM)
    lines = ['kind = "face-swap"', 'source_video_url = { file = "take1.mp4" }', f"avatar_ids = {json.dumps(avatars)}"]
    stage.write("swap.sume.toml", "\n".join(lines) + "\n")


def ends(stage: Stage, number: int, status: str) -> None:
    """How the job of that number will have ended."""
    job = sorted(stage.world._jobs.values(), key=lambda job: job.number)[number - 1]
    stage.world._jobs[job.id] = replace(job, ends_as=status, error_code="no_face")


def test_one_spec_of_two_faces_is_two_jobs_and_two_films(stage: Stage) -> None:
    swap(stage, "avatar_mara", "avatar_jonas")
    planned = stage.here("plan", code=0).out
    assert "face-swap avatar_mara +1 · new" in planned
    assert "2 paid jobs" in planned
    assert "more than the 1 allowed" in stage.here("apply", "--yes", "--max-jobs", "1", code=3).text
    assert stage.charges() == ()
    assert stage.here("apply", "--yes", code=0).err.count("swap.sume.toml: accepted for 30 credits, job_") == 2
    assert [output["path"] for output in stage.outputs("swap.sume.toml")] == ["swap.mp4", "swap-2.mp4"]
    assert stage.sha256("swap.mp4") != stage.sha256("swap-2.mp4")
    assert len(stage.charges()) == 2
    assert [job["credits"] for job in stage.lock()["swap.sume.toml"]["jobs"]] == [30, 30]
    assert [job["credits"] for job in json.loads(stage.read("swap.sume.json"))["jobs"]] == [30, 30]
    stage.here("check", code=0)
    status = stage.here("status", code=0)
    assert f"{stage.charges()[0].job_id} +1  60" in status.out
    assert "What is here cost 60 credits." in status.err
    stage.path("swap-2.mp4").unlink()
    stage.here("fetch", code=0)
    stage.here("check", code=0)
    assert len(stage.charges()) == 2


def test_a_face_that_is_not_there_costs_nothing_and_where_they_are_listed_is_told(stage: Stage) -> None:
    swap(stage, "avatar_mara", "avatar_123")
    ended = stage.here("apply", "--yes", code=1).out
    assert "avatar_ids.1: no such avatar" in ended
    assert "change the spec (its avatar_ids from: sumesync avatars list)" in ended
    assert stage.charges() == ()


def test_an_estimate_knows_what_an_analysis_cost(stage: Stage) -> None:
    analysis(stage)
    stage.here("apply", "--yes", code=0)
    analysis(stage, "two", REEL + "2")
    assert "about 5 credits" in stage.here("plan", code=0).out
    assert "more than" in stage.here("apply", "--yes", "--max-credits", "4", code=3).text
    stage.here("apply", "--yes", "--max-credits", "5", code=0)


def test_what_sume_says_that_an_analysis_costs_counts_at_once_under_a_budget(stage: Stage) -> None:
    """The first one's required_credits use the budget up: the second is not begun."""
    analysis(stage)
    analysis(stage, "two", REEL + "2")
    ended = stage.here("apply", "--yes", "--max-credits", "5", code=3).out
    assert "5 of 5 credits used" in ended
    assert len(stage.charges()) == 1


def test_an_estimate_of_a_face_swap_counts_its_faces(stage: Stage) -> None:
    swap(stage, "avatar_mara", "avatar_jonas")
    stage.here("apply", "--yes", code=0)
    swap(stage, "avatar_mara", "avatar_jonas", "avatar_femi")
    planned = stage.here("plan", code=0).out
    assert "about 90 credits" in planned
    assert "30 a job, as 2 earlier face swaps" in planned
    assert "more than the 89 allowed" in stage.here("apply", "--yes", "--max-credits", "89", code=3).text
    assert "(90 credits)" in stage.here("apply", "--yes", "--max-credits", "90", code=0).out


def test_one_of_two_faces_that_failed_is_told_and_a_retry_says_that_it_pays_for_both(make: Maker) -> None:
    stage = make(seconds={"face-swap": LONG})
    swap(stage, "avatar_mara", "avatar_jonas")
    stage.here("apply", "--yes", "--no-wait", code=5)
    ends(stage, 2, "failed")
    stage.later()
    assert "no_face" in stage.here("apply", "--yes", code=1).out
    assert [output["path"] for output in stage.outputs("swap.sume.toml")] == ["swap.mp4"]
    first = stage.sha256("swap.mp4")
    shown = stage.here("plan", code=0).out
    assert "! attention swap.sume.toml" in shown
    assert "--retry-failed swap.sume.toml (pays for all 2 jobs again)" in shown
    stage.here("apply", "--yes", code=1)
    assert len(stage.charges()) == 2

    again = ("--retry-failed", "--yes")
    assert "2 paid jobs" in stage.here("plan", "--retry-failed", code=0).out
    stage.here("apply", *again, "--max-jobs", "1", code=3)
    stage.settings(seconds=AT_ONCE)
    stage.here("apply", *again, code=0)
    assert len(stage.charges()) == 4
    assert stage.has("swap-2.mp4")
    assert stage.sha256("swap.mp4") != first
    stage.here("check", code=0)
