"""Stories of the account and the library, through the real command: what is shown, what is not, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sumesync.core.media import sniff
from sumesync.sandbox.avatars import AVATARS
from sumesync.sandbox.library import BUILT_IN
from tests import canaries

from .conftest import Maker
from .stage import Result, Stage

READS = {
    "avatars": ("avatars", "list"),
    "avatar": ("avatars", "get", "avatar_mara"),
    "brand": ("brand", "show"),
    "search": ("assets", "search", "--q", "serum"),
    "pages": ("assets", "search", "--all", "--limit", "3"),
    "asset": ("assets", "get", "asset_0002"),
    "jobs": ("jobs", "list"),
    "job": ("jobs", "get", "JOB"),
    "result": ("jobs", "result", "JOB"),
}


def paid(make: Maker, *rules: Any, **settings: Any) -> tuple[Stage, str]:
    """A stage with one paid image, and the id of its job."""
    stage = make(*rules, **settings)
    stage.spec("hero", "A cat on marble")
    stage.here("apply", "--yes", code=0)
    return stage, stage.charges()[0].job_id


def ask(stage: Stage, job: str, *args: str, **options: Any) -> Result:
    return stage.here(*(job if arg == "JOB" else arg for arg in args), **options)


def private(stage: Stage, *args: str) -> Result:
    """A command that prints private URLs because a person asked; they are not searched for afterwards."""
    result = stage.here(*args, code=0)
    del stage.said[-2:]
    return result


@pytest.mark.parametrize("name", READS)
def test_every_read_shows_a_table_and_a_document(make: Maker, name: str) -> None:
    stage, job = paid(make)
    posts = stage.posts()
    told = ask(stage, job, *READS[name], code=0)
    assert told.out.strip()
    assert "://" not in told.out
    document = ask(stage, job, *READS[name], "--json", code=0)
    assert document.json["format_version"] == 1
    assert "://" not in document.out
    assert stage.posts() == posts, "reading pays for nothing"


@pytest.mark.parametrize("name", READS)
def test_what_a_server_should_not_say_is_not_shown(make: Maker, name: str) -> None:
    stage, job = paid(make)
    canaries.plant(stage.sume.running)
    ask(stage, job, *READS[name], code=0)
    ask(stage, job, *READS[name], "--json", code=0)
    ask(stage, job, *READS[name], "--debug", code=0)


NASTY = "\x1b]0;x\x07\x9b31m\u202egpj\u2066\n\tend https://m.example/p/q.png?sig=1"
HOSTILE: dict[str, Any] = {
    "id": "asset_1",
    "title": NASTY,
    "created_at": NASTY,
    "media_url": "https://m.example/a/b\x1b[2J.mp4?sig=1",
    NASTY: NASTY,
    "metadata": {"tags": [NASTY] * 500, "deep": [[[[NASTY]]]], "many": {f"k{n}": n for n in range(2_000)}},
    "start_time_seconds": 10**19,
    "end_time_seconds": -1e300,
}


@pytest.mark.parametrize(
    "args", [("assets", "search"), ("assets", "get", "asset_1"), ("avatars", "list"), ("brand", "show")]
)
def test_what_a_terminal_would_obey_is_escaped(make: Maker, args: tuple[str, ...]) -> None:
    one = {"status": 200, "body": HOSTILE}
    page = {"status": 200, "body": {"data": [HOSTILE, {**HOSTILE, "id": "../x"}], "next_cursor": "$(reboot)"}}
    stage = make(
        {"route": "/assets/*", "answer": one},
        {"route": "/brand/*", "answer": one},
        {"route": "/assets", "answer": page},
        {"route": "/avatars", "answer": page, "times": 1},
    )
    for more in ((), ("--json",)):
        found = stage.here(*args, *more)
        assert all(char.isprintable() or char == "\n" for char in found.text), str(found)
        assert "../x" not in found.text
        assert "sig=1" not in found.text
        assert "://" not in found.out
        assert more or len(found.out) < 30_000
        if args == ("assets", "search") and not more:
            assert "--cursor '$(reboot)'" in found.err


def test_private_urls_are_whole_only_where_asked_for(make: Maker) -> None:
    stage, job = paid(make)
    for args in (
        ("assets", "search", "--limit", "1"),
        ("assets", "get", "asset_0002"),
        ("avatars", "get", "avatar_mara"),
        ("brand", "show"),
        ("jobs", "result", job),
    ):
        for more in ((), ("--json",)):
            found = private(stage, *args, "--show-urls", *more)
            assert re.search(r"http://127\.0\.0\.1:\d+/media/\S+X-Sume-Signature=\w+", found.out), str(found)
            assert canaries.KEY not in found.text


def test_outside_a_project_and_in_one_whose_specs_are_wrong(make: Maker) -> None:
    stage = make(git=False, project=False)
    assert "Mara" in stage.here("avatars", "list", code=0).out
    broken = make()
    broken.write("bad.sume.toml", "prompt = 3\n")
    broken.write("sume.lock", "<<<<<<< ours\n")
    assert "Serum" in broken.here("assets", "search", code=0).out


def test_in_the_embedded_sandbox(make: Maker) -> None:
    stage = make()
    found = stage.here("assets", "search", "--sandbox", "--q", "coffee", code=0, env={"SUME_API_KEY": None})
    assert "Coffee pours" in found.out
    assert not stage.world.requests


def test_the_real_command_says_data_on_stdout_and_talk_on_stderr(make: Maker) -> None:
    stage = make()
    found = stage.run("assets", "search", "--limit", "2", code=0)
    assert [line.split()[0] for line in found.out.splitlines()] == ["ID", "asset_0014", "asset_0013"]
    assert "--cursor" in found.err
    cursor = re.search(r"--cursor (\S+)", found.err)
    assert cursor
    following = stage.run("assets", "search", "--limit", "2", "--cursor", cursor[1], code=0)
    assert "asset_0012" in following.out
    assert stage.run("assets", "search", "--all", "--quiet", code=0).err == ""


# --- Searching --------------------------------------------------------------------------------------------

EVERY_FILTER = {
    "--q": "serum",
    "--search-mode": "text",
    "--source-type": "upload",
    "--segment-type": "demo",
    "--brand": "Lumen",
    "--product": "serum",
    "--tag": "macro",
    "--keyword": "drop",
    "--cta-present": "false",
    "--min-duration-seconds": "3.5",
    "--max-duration-seconds": "4",
    "--created-after": "2026-01-10",
    "--created-before": "2026-01-20T00:00:00Z",
    "--sort": "duration_desc",
}


def test_every_filter_is_an_option_and_is_sent(make: Maker) -> None:
    stage = make()
    args = [word for pair in EVERY_FILTER.items() for word in pair]
    found = stage.here("assets", "search", *args, "--limit", "1", "--json", code=0).json
    assert [asset["id"] for asset in found["assets"]] == ["asset_0002"]
    assert found["assets"][0]["search"] == {"mode": "text", "score": 1.0, "query": "serum"}


@pytest.mark.parametrize(("option", "other"), [
    ("--q", "coffee"), ("--source-type", "social"), ("--segment-type", "hook"), ("--brand", "Stride"),
    ("--product", "cream"), ("--tag", "kitchen"), ("--keyword", "sole"), ("--cta-present", "true"),
    ("--min-duration-seconds", "4.5"), ("--max-duration-seconds", "3"), ("--created-after", "2026-01-16"),
    ("--created-before", "2026-01-11"),
])  # fmt: skip
def test_every_filter_counts(make: Maker, option: str, other: str) -> None:
    stage = make()
    changed = {**EVERY_FILTER, option: other}
    if option.startswith("--m"):
        changed.pop({"--min-duration-seconds": "--max-duration-seconds"}.get(option, "--min-duration-seconds"))
    args = [word for pair in changed.items() for word in pair]
    assert stage.here("assets", "search", *args, "--json", code=0).json["assets"] == []


WRONG = {
    "limit of none": ("assets", "search", "--limit", "0"),
    "limit too high": ("assets", "search", "--limit", "101"),
    "jobs limit": ("jobs", "list", "--limit", "-3"),
    "negative": ("assets", "search", "--min-duration-seconds", "-1"),
    "not a number": ("assets", "search", "--max-duration-seconds", "nan"),
    "endless": ("assets", "search", "--max-duration-seconds", "inf"),
    "crossed": ("assets", "search", "--min-duration-seconds", "5", "--max-duration-seconds", "4"),
    "date": ("assets", "search", "--created-after", "yesterday"),
    "dates crossed": ("assets", "search", "--created-after", "2026-02-01", "--created-before", "2026-01-01"),
    "sort": ("assets", "search", "--sort", "best"),
    "mode": ("assets", "search", "--search-mode", "semantic"),
    "cta": ("assets", "search", "--cta-present", "perhaps"),
    "empty": ("assets", "search", "--q", " "),
    "control": ("assets", "search", "--tag", "a\x1b[31m"),
    "cursor": ("assets", "search", "--cursor", "a\nb"),
    "status": ("jobs", "list", "--status", "done"),
    "type": ("jobs", "list", "--type", "a b"),
    "job id": ("jobs", "get", "../me"),
    "result id": ("jobs", "result", "a/b"),
    "asset id": ("assets", "get", "x?y"),
    "avatar id": ("avatars", "get", ".."),
    "no id": ("avatars", "get", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_told_before_anything_is_asked(make: Maker, name: str) -> None:
    stage = make()
    found = stage.here(*WRONG[name], code=64)
    assert found.err.startswith("error: ")
    assert found.out == ""
    assert not stage.world.requests


# --- Pages ------------------------------------------------------------------------------------------------


def test_all_follows_the_pages_and_is_one_document(make: Maker) -> None:
    stage = make()
    found = stage.here("assets", "search", "--all", "--limit", "3", "--json", code=0).json
    assert [asset["id"] for asset in found["assets"]] == sorted((scene.id for scene in BUILT_IN), reverse=True)
    assert found["next_cursor"] is None
    assert len(stage.seen("GET", "/assets")) == 5
    one = stage.here("assets", "search", "--limit", "3", "--json", code=0).json
    assert len(one["assets"]) == 3
    assert one["next_cursor"]
    nothing = stage.here("assets", "search", "--q", "zebra", "--json", code=0).json
    assert nothing == {"format_version": 1, "assets": [], "next_cursor": None}
    names = [avatar["name"] for avatar in stage.here("avatars", "list", "--json", code=0).json["avatars"]]
    assert names == [avatar.name for avatar in AVATARS]


def page(nth: int, ident: str, cursor: str) -> dict[str, Any]:
    body = {"object": "list", "data": [{"id": ident}], "has_more": True, "next_cursor": cursor}
    return {"route": "/assets", "nth": nth, "times": 1, "answer": {"status": 200, "body": body}}


def test_pages_that_lead_in_a_circle_end(make: Maker) -> None:
    circle = [page(1, "asset_a", "b"), page(2, "asset_b", "c"), page(3, "asset_c", "b")]
    stage = make(*circle)
    found = stage.here("assets", "search", "--all", code=1)
    assert "circle" in found.err
    assert "asset_b" in found.out, "what came is shown"
    stage.faults(*circle)
    document = stage.here("assets", "search", "--all", "--json", code=1).json
    assert document["error"]["exit_code"] == 1
    assert [asset["id"] for asset in document["assets"]] == ["asset_a", "asset_b", "asset_c"]
    assert len(stage.world.requests) == 6


def test_a_page_that_leads_to_itself_is_the_last(make: Maker) -> None:
    stage = make({"route": "/assets", "listing": {"loop": True}})
    stage.here("assets", "search", "--all", "--limit", "2", code=0)
    assert len(stage.world.requests) == 2


def test_a_list_that_breaks_off_is_one_document_with_a_way_on(make: Maker) -> None:
    stage = make({"route": "/assets", "nth": 3, "answer": {"status": 403}})
    found = stage.here("assets", "search", "--all", "--limit", "2", "--json", code=1)
    assert len(found.json["assets"]) == 4
    assert found.json["error"]["what"]
    stage.faults()
    rest = stage.here("assets", "search", "--all", "--cursor", found.json["next_cursor"], "--json", code=0).json
    assert len(found.json["assets"]) + len(rest["assets"]) == len(BUILT_IN)


def test_a_list_that_never_came_is_an_error(make: Maker) -> None:
    stage = make({"route": "/assets", "answer": {"status": 403}})
    found = stage.here("assets", "search", "--all", "--json", code=1)
    assert found.json["event"] == "error"


@pytest.mark.parametrize("garble", ["html", "garbage", "empty", "deep", "short", "gzip-bomb"])
def test_answers_that_are_none(make: Maker, garble: str) -> None:
    stage = make({"route": "/assets", "garble": garble}, {"route": "/avatars", "garble": garble})
    assert stage.here("assets", "search", code=1).err.startswith("error: ")
    assert stage.here("avatars", "list", "--json", code=1).json["event"] == "error"


# --- Jobs -------------------------------------------------------------------------------------------------


def test_jobs_by_type_and_status(make: Maker) -> None:
    stage, job = paid(make)
    stage.spec("clip", "A running cat", kind="video", duration=4)
    stage.here("apply", "--yes", code=0)
    every = stage.here("jobs", "list", "--json", code=0).json["jobs"]
    assert [one["type"] for one in every] == ["video_generation", "image_generation"]
    images = stage.here("jobs", "list", "--type", "image_generation", "--status", "completed", "--json", code=0).json
    assert [one["id"] for one in images["jobs"]] == [job]
    assert stage.here("jobs", "list", "--status", "failed", "--json", code=0).json["jobs"] == []
    shown = stage.here("jobs", "get", job, code=0).out
    assert "completed" in shown
    assert "A cat on marble" in shown


def test_a_failed_job_says_why(make: Maker) -> None:
    stage = make({"kind": "image", "job": {"ends_as": "failed", "error_code": "nsfw", "message": "Not this."}})
    stage.spec("hero", "A cat")
    stage.here("apply", "--yes", code=1)
    job = stage.charges()[0].job_id
    error = stage.here("jobs", "get", job, "--json", code=0).json["error"]
    assert (error["code"], error["message"]) == ("nsfw", "Not this.")
    assert "job_failed" in stage.here("jobs", "result", job, code=1).err


def test_results_are_downloaded_and_nothing_is_replaced(make: Maker) -> None:
    stage, job = paid(make)
    found = stage.run("jobs", "result", job, "--download", "out/new", "--json", code=0).json
    name = f"out/new/{job}-1.png"
    assert [file["path"] for file in found["files"]] == [str(Path(name))]
    assert stage.sha256(name) == stage.sha256("hero.png")
    stage.here("jobs", "result", job, "--download", str(stage.path("out/new")), code=0)  # the same bytes are there
    stage.write(name, b"mine")
    refused = stage.here("jobs", "result", job, "--download", str(stage.path("out/new")), code=3)
    assert "nothing was replaced" in refused.err
    assert stage.path(name).read_bytes() == b"mine"
    assert [path.name for path in stage.path("out/new").iterdir()] == [f"{job}-1.png"], "no part is left"
    assert len(stage.charges()) == 1


def test_a_link_in_the_place_of_a_download_is_not_followed(make: Maker) -> None:
    stage, job = paid(make)
    stage.write("precious.png", b"mine")
    stage.path("out").mkdir()
    stage.path(f"out/{job}-1.png").symlink_to(stage.path("precious.png"))
    stage.here("jobs", "result", job, "--download", str(stage.path("out")), code=3)
    assert stage.path("precious.png").read_bytes() == b"mine"


@pytest.mark.parametrize("rule", [
    {"route": "media", "garble": "html"},
    {"route": "media", "garble": "short"},
    {"route": "media", "answer": {"status": 404}},
    {"route": "media", "redirect": "http://10.0.0.1/x.png"},
    {"route": "/jobs/*/result", "links": {"base": "http://10.0.0.1"}},
])  # fmt: skip
def test_downloads_that_give_no_media_leave_nothing(make: Maker, rule: dict[str, Any]) -> None:
    stage, job = paid(make)
    stage.faults(rule)
    stage.here("jobs", "result", job, "--download", str(stage.path("out")), code=1)
    assert list(stage.path("out").iterdir()) == []


def test_a_servers_file_name_leads_nowhere(make: Maker) -> None:
    stage, job = paid(make)
    stage.faults({"route": "/jobs/*/result", "links": {"name": "..%2f..%2f.git%2fhooks%2fpost-commit"}})
    before = set(stage.tree())
    stage.here("jobs", "result", job, "--download", str(stage.path("out")), code=0)
    assert set(stage.tree()) - before == {f"out/{job}-1.png"}
    assert sniff(stage.path(f"out/{job}-1.png").read_bytes()[:64])


def test_a_folder_that_is_none_is_told_and_nothing_is_made(make: Maker) -> None:
    stage, job = paid(make)
    assert "not a folder" in stage.here("jobs", "result", job, "--download", str(stage.path("hero.png")), code=64).err


def test_a_job_that_is_not_there(make: Maker) -> None:
    stage = make()
    assert "does not know this job" in stage.here("jobs", "get", "job_nobody", code=1).err
    assert "does not know this asset" in stage.here("assets", "get", "asset_x", code=1).err


def test_documents_for_programs_hold_what_was_told(make: Maker) -> None:
    stage = make()
    asset = stage.here("assets", "get", "asset_0006", "--json", code=0).json
    assert asset["metadata"]["cta_present"] is True
    assert json.dumps(asset, ensure_ascii=False).count("/…/") == 4, "its four URLs are short"
    avatar = stage.here("avatars", "get", "avatar_aiko", "--json", code=0).json
    assert avatar["abilities"] == ["talking_head", "ugc_ad"]
    assert len(stage.here("brand", "show", "--json", code=0).json["images"]) == 3
