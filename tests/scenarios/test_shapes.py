"""What comes out: documents for programs, colours for nobody, and pipes that close early."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .conftest import Maker
from .stage import PATIENCE, POST, Stage


@pytest.fixture
def hero(stage: Stage) -> Stage:
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.spec("new", "A lid.")
    return stage


@pytest.mark.parametrize(
    ("args", "code", "field"),
    [
        (("plan",), 0, "actions"),
        (("plan", "--exit-code"), 2, "actions"),
        (("plan", "hero"), 0, "actions"),
        (("validate",), 0, "valid"),
        (("status",), 0, "specs"),
        (("check",), 2, "findings"),
        (("fetch",), 0, "event"),
        (("accept", "hero"), 0, "accepted"),
        (("accept", "new"), 64, "error"),
        (("retake", "hero"), 0, "take"),
        (("resolve",), 0, "open"),
        (("lock", "rebuild"), 0, "entries"),
        (("me",), 0, "workspace"),
        (("credits",), 0, "remaining"),
        (("new", "image", "extra"), 0, "path"),
        (("new", "image", "hero"), 3, "error"),
        (("init", "nested"), 0, "root"),
        (("apply", "--yes", "--max-jobs", "0"), 3, None),
        (("apply", "--yes", "nobody"), 64, "error"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_json_is_one_document_with_a_format_version(
    hero: Stage, args: tuple[str, ...], code: int, field: str | None
) -> None:
    result = hero.here(*args, "--json", code=code)
    if field is None:
        assert [event["format_version"] for event in result.events] == [1] * len(result.events)
        assert "error" in result.events[-1]
        return
    document = result.json
    assert document["format_version"] == 1
    assert field in document


def test_an_error_as_json_says_where_and_what_to_do(hero: Stage) -> None:
    hero.write("bad.sume.toml", 'prompt = "a"\naspct_ratio = 1\n')
    document = hero.here("apply", "--yes", "--json", code=64).events[-1]
    assert document["error"]["exit_code"] == 64
    problems = hero.here("validate", "--json", code=64).json["problems"]
    assert [(p["path"], p["line"], p["column"]) for p in problems] == [("bad.sume.toml", 2, 1)]


def test_usage_errors_are_json_too(hero: Stage) -> None:
    document = hero.here("apply", "--nonsense", "--json", code=64).json
    assert document["format_version"] == 1
    assert "--nonsense" in document["error"]["what"]


def test_apply_as_json_is_one_event_a_line(make: Maker) -> None:
    stage = make({**POST, "prompt": "bad", "job": {"ends_as": "failed", "error_code": "content_policy"}})
    stage.spec("good", "A jar.")
    stage.spec("bad", "A bad jar.")
    result = stage.run("apply", "--yes", "--json", code=1)
    events = result.events
    assert {event["format_version"] for event in events} == {1}
    assert result.err.count("\n") <= 1
    end = events[-1]
    assert (end["event"], end["exit_code"]) == ("end", 1)
    assert end["done"] == ["good.sume.toml"]
    assert end["written"] == ["good.png"]
    assert sorted(end["jobs_paid_for"]) == sorted(charge.job_id for charge in stage.charges())
    assert [failed["path"] for failed in end["failed"]] == ["bad.sume.toml"]
    accepted = [event for event in events if event["event"] == "accepted"]
    assert {event["job"] for event in accepted} == set(end["jobs_paid_for"])
    again = stage.here("apply", "--yes", "--json", code=1).events
    assert again[-1]["exit_code"] == 1
    assert again[-1]["jobs_paid_for"] == []


@pytest.mark.parametrize("nothing", [False, True], ids=["work", "nothing-to-do"])
def test_the_last_event_always_is_the_end(hero: Stage, nothing: bool) -> None:
    if nothing:
        hero.path("new.sume.toml").unlink()
    events = hero.here("apply", "--yes", "--json", code=0).events
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("end", 0)


def test_data_goes_to_stdout_and_talk_to_stderr(hero: Stage) -> None:
    result = hero.run("plan", code=0)
    assert "1 paid job." in result.out
    assert "To do it: sumesync apply" in result.err
    assert "To do it" not in result.out


def test_quiet_says_nothing_of_what_went_well(hero: Stage) -> None:
    result = hero.here("apply", "--yes", "--quiet", code=0)
    assert result.err == ""


def test_nothing_is_coloured_off_a_terminal_or_with_no_color(hero: Stage) -> None:
    for env in ({"NO_COLOR": None}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        assert "\x1b" not in hero.here("plan", env=env).text
    assert "\x1b[" in hero.here("plan", env={"NO_COLOR": None, "FORCE_COLOR": "1"}).out


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's pipe")
@pytest.mark.parametrize("args", [("plan", "--verbose"), ("plan", "--json"), ("status",)], ids=" ".join)
def test_a_reader_that_leaves_early_is_no_fault(make: Maker, args: tuple[str, ...]) -> None:
    stage = make()
    for number in range(300):  # more than a pipe holds
        stage.spec(
            f"a-folder-with-a-rather-long-name/spec-number-{number:04}", f"Picture {number} " + "and so on " * 10
        )
    process = stage.begin(*args)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) == 0
    assert "Traceback" not in err
    assert "Broken pipe" not in err
    stage.ended.remove(process)


def test_control_characters_of_a_prompt_do_not_reach_the_terminal(stage: Stage) -> None:
    stage.write("hero.sume.toml", 'prompt = "A jar\\u001b[31m \\u202e\\u0007 and more"\naspect_ratio = "1:1"\n')
    stage.here("apply", "--yes", code=0)
    stage.spec("hero", "A jar.\x1b]0;title\x07")
    for args in (("plan",), ("apply", "--yes"), ("status",)):
        text = stage.here(*args, code=0).text
        assert not set("\x1b\x07\u202e") & set(text), args


def test_help_teaches_without_a_project(make: Maker) -> None:
    stage = make(project=False, git=False)
    assert "sumesync init" in stage.run("--help", code=0).out
    for command, says in (("plan", "create"), ("apply", "Exit codes"), ("resolve", "Exits 4"), ("check", "Exit codes")):
        assert says in stage.here(command, "--help", code=0).out
    assert stage.run("--version", code=0).out.startswith("sumesync")


def test_the_sandbox_serves_what_it_says(make: Maker) -> None:
    """``sumesync sandbox`` alone: its two variables are all that another process needs."""
    stage = make()
    stage.spec("hero", "A jar.")
    server = subprocess.Popen(
        [sys.executable, "-m", "sumesync", "sandbox", "--seconds", "0", "--json"],
        env=stage.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        env = {"SUME_API_BASE_URL": told["base_url"], "SUME_API_KEY": told["key"]}
        result = stage.here("apply", "--yes", code=0, env=env)
        assert "1 job paid for" in result.out
        assert told["key"] not in result.text
        assert stage.sha256("hero.png") == stage.outputs("hero.sume.toml")[0]["sha256"]
    finally:
        server.terminate()
        server.communicate(timeout=PATIENCE)
    assert server.returncode == 0


EXITS = {0: "done", 1: "failed", 2: "pending", 3: "refused", 4: "unknown", 5: "running", 64: "usage"}


@pytest.mark.parametrize("code", EXITS, ids=EXITS.get)
def test_exit_codes_of_a_real_process(make: Maker, code: int) -> None:
    stage = make()
    stage.spec("hero", "A jar.")
    args: tuple[str, ...] = ("apply", "--yes")
    if code == 1:
        stage.faults({**POST, "job": {"ends_as": "failed"}})
    elif code == 2:
        args = ("check",)
    elif code == 3:
        stage.write("sume.lock", "")
    elif code == 4:
        stage.faults({**POST, "answer": {"status": 500}})
    elif code == 5:
        stage.slow()
        args = (*args, "--no-wait")
    elif code == 64:
        stage.write("hero.sume.toml", "")
    stage.run(*args, code=code)


def test_where_several_hold_the_gravest_is_the_exit_code(make: Maker) -> None:
    """An unknown payment beats a failed job, and that beats one that still runs."""
    stage = make(
        {**POST, "prompt": "failed", "job": {"ends_as": "failed"}},
        {"method": "POST", "route": "/videos/generations", "drop": "after-creating"},
    )
    stage.spec("failed", "A failed one.")
    stage.here("apply", "--yes", code=1)
    stage.slow()
    stage.spec("slow", "A slow one.")
    stage.here("apply", "--yes", "--no-wait", code=1)
    stage.spec("clip", "A clip.", kind="video")
    stage.here("apply", "--yes", "--no-wait", code=4)
    stage.write("bad.sume.toml", "")
    stage.here("apply", "--yes", "--no-wait", "--keep-going", code=64)
