"""Scripted faults: each of them over HTTP, and what is said of a script that is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import HTTPError, ProtocolError

from sumesync.errors import UsageError
from sumesync.sandbox.script import Script
from sumesync.sandbox.server import embedded
from sumesync.sandbox.world import World

from .client import CAT, Site, site

CREATE = "/images/generations"


def charged(s: Site) -> int:
    return len(s.world.charges())


# --- Answers that are not the right ones --------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 502, 503])
@pytest.mark.parametrize("after", [False, True])
def test_a_status_before_or_after_the_job_was_made(status: int, after: bool) -> None:
    with site({"method": "POST", "route": CREATE, "answer": {"status": status}, "after": after}) as s:
        got = s.image()
        assert got.status == status
        assert charged(s) == after
        if status >= 400:
            assert got.json["error"]["code"]


def test_an_answer_to_the_letter() -> None:
    answer = {"status": 429, "headers": {"Retry-After": "86400"}, "body": {"a": [1]}, "type": "application/x"}
    with site({"answer": answer}) as s:
        got = s.get("/me")
        assert (got.status, got.json, got.headers["Retry-After"]) == (429, {"a": [1]}, "86400")
        assert got.headers["Content-Type"] == "application/x"


def test_a_text_body_is_sent_as_it_is() -> None:
    with site({"answer": {"status": 200, "body": "<p>"}}) as s:
        assert s.get("/me").data == b"<p>"


def test_a_redirect() -> None:
    with site({"route": "media", "redirect": "http://10.0.0.1/x"}) as s:
        got = s.send("GET", s.result(s.finished())["images"][0]["url"])
        assert (got.status, got.headers["Location"]) == (302, "http://10.0.0.1/x")


# --- Which requests -----------------------------------------------------------------------------------


def test_nth_and_times() -> None:
    with site({"route": "/me", "nth": 2, "times": 2, "answer": {"status": 500}}) as s:
        assert [s.get("/me").status for _ in range(5)] == [200, 500, 500, 200, 200]


def test_matching_by_method_route_kind_and_prompt() -> None:
    rule: dict[str, Any] = {"answer": {"status": 500}, "times": 1}
    rows: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"route": CREATE}, True),
        ({"route": "/*/generations"}, True),
        ({"route": "/*"}, False),
        ({"route": "media"}, False),
        ({"kind": "image"}, True),
        ({"kind": "video"}, False),
        ({"prompt": "CAT on"}, True),
        ({"prompt": "dog"}, False),
    ]
    for match, hit in rows:
        with site({**rule, **match}) as s:
            assert (s.image().status == 500) == hit, match


def test_job_and_media_requests_match_by_their_job() -> None:
    with site({"route": "/jobs/*", "prompt": "dog", "answer": {"status": 500}}) as s:
        cat, dog = s.finished(), s.finished(body={"prompt": "A dog."})
        assert (s.get(f"/jobs/{cat}").status, s.get(f"/jobs/{dog}").status) == (200, 500)
        assert s.get(f"/jobs/{dog}/result").status == 200
    with site({"route": "media", "kind": "video", "answer": {"status": 500}}) as s:
        url = s.result(s.finished())["images"][0]["url"]
        assert s.send("GET", url).status == 200
        url = s.result(s.finished("/videos/generations"))["thumbnail_url"]
        assert s.send("GET", url).status == 500


# --- Connections that end -------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("where", "charges"), [("before-reading", 0), ("after-reading", 0), ("after-creating", 1)])
def test_a_dropped_connection(where: str, charges: int, reset: bool) -> None:
    with site({"method": "POST", "drop": where, "reset": reset, "times": 1}) as s:
        with pytest.raises(ProtocolError) as caught:
            s.image()
        if reset and where != "before-reading":
            assert "reset" in str(caught.value).lower()
        assert charged(s) == charges
        assert [seen.status for seen in s.world.requests] == [None]
        assert s.image().status == 202


def test_an_answer_broken_off() -> None:
    with site({"method": "POST", "drop": "mid-answer"}) as s:
        with pytest.raises(ProtocolError, match="IncompleteRead"):
            s.image()
        assert charged(s) == 1


def test_delays_before_and_after() -> None:
    with site({"delay": 3}, {"delay": 5, "after": True}) as s:
        assert s.image().status == 202
        assert s.slept == [3, 5]


def test_a_real_delay_ends_when_the_sandbox_closes(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"delay": 600}]')
    with (
        embedded(tmp_path) as running,
        urllib3.PoolManager(retries=False, timeout=0.05) as pool,
        pytest.raises(HTTPError),
    ):
        pool.request("GET", f"{running.base_url}/me")


# --- Answers that are spoilt --------------------------------------------------------------------------------


def spoilt(garble: Any, **rule: Any) -> Any:
    with site({"route": CREATE, "garble": garble, **rule}) as s:
        got = s.image()
        assert charged(s) == 1, "the answer is spoilt, not the act"
        return got


def test_html_garbage_and_nothing() -> None:
    assert spoilt("html").headers["Content-Type"].startswith("text/html")
    assert spoilt({"way": "html", "value": "image/png"}).headers["Content-Type"] == "image/png"
    for way in ("html", "garbage", "empty"):
        with pytest.raises(ValueError):
            json.loads(spoilt(way).data)


def test_ids() -> None:
    assert spoilt("no-id").json == {"object": "image_generation", "job": {"status": "running"}}
    assert spoilt("job-id").json["job"]["id"] == "../x"
    assert spoilt({"way": "job-id", "value": "a\x00b"}).json["job"]["id"] == "a\x00b"


def test_deep_json() -> None:
    with pytest.raises(RecursionError):
        json.loads(spoilt("deep").data)
    assert spoilt({"way": "deep", "bytes": 2}).json == {"job": {"job": {}}}


def test_a_short_body() -> None:
    with pytest.raises(ProtocolError, match="IncompleteRead"):
        spoilt("short")


def test_an_oversize_body_is_streamed() -> None:
    with site({"garble": {"way": "oversize", "bytes": 5 << 20}}) as s:
        assert len(s.get("/me").data) > 5 << 20


def test_an_endless_body_ends_with_its_reader() -> None:
    with site({"garble": "oversize"}) as s:
        headers = {"Authorization": f"Bearer {s.running.key}"}
        got = s.pool.request("GET", f"{s.running.base_url}/me", headers=headers, preload_content=False)
        assert int(got.headers["Content-Length"]) > 5 * 10**9
        got.read(1 << 20)
        got.close()


def test_a_gzip_bomb() -> None:
    got = spoilt({"way": "gzip-bomb", "bytes": 1 << 20})
    assert got.headers["Content-Encoding"] == "gzip"
    assert len(got.data) < 20_000
    assert len(gzip.decompress(got.data)) == 1 << 20


def test_a_drip() -> None:
    with site({"garble": {"way": "drip", "bytes": 50, "seconds": 2}}) as s:
        length = len(s.get("/me").data)
        assert s.slept == [2] * -(-length // 50)


def test_a_wrong_type_and_added_headers() -> None:
    disposition = 'attachment; filename="../../x"'
    with site(
        {"route": "media", "garble": {"way": "type", "value": "video/mp4"}},
        {"route": "media", "headers": {"Content-Disposition": disposition}},
    ) as s:
        got = s.send("GET", s.result(s.finished())["images"][0]["url"])
        assert (got.headers["Content-Type"], got.headers["Content-Disposition"]) == ("video/mp4", disposition)
        assert got.data.startswith(b"\x89PNG")


# --- Jobs, listings, links ----------------------------------------------------------------------------------


def test_fates_by_script() -> None:
    with site(
        {"prompt": "stuck", "job": {"never_ends": True, "running_as": "warming_up"}},
        {"prompt": "gone", "job": {"gone": True}},
        {"prompt": "slow", "job": {"seconds": 5000}},
        {"prompt": "odd", "job": {"ends_as": "archived"}},
    ) as s:

        def status(prompt: str) -> str:
            return str(s.get(f"/jobs/{s.finished(body={'prompt': prompt})}").json["status"])

        assert [status(p) for p in ("stuck", "slow", "odd", "none")] == [
            "warming_up",
            "running",
            "archived",
            "completed",
        ]
        assert s.get(f"/jobs/{s.finished(body={'prompt': 'gone'})}/result").status == 404


def test_a_listing_that_lags() -> None:
    with site({"route": "/jobs", "listing": {"lag": 30}}) as s:
        s.image()
        assert s.get("/jobs").json["data"] == []
        s.clock.move(30)
        assert len(s.get("/jobs").json["data"]) == 1


def test_a_cursor_that_loops() -> None:
    with site({"route": "/jobs", "listing": {"loop": True}}) as s:
        s.image()
        pages = [s.get("/jobs").json]
        pages.append(s.get(f"/jobs?cursor={pages[0]['next_cursor']}").json)
        assert pages[0] == pages[1]
        assert pages[0]["has_more"] is True


def test_links_that_are_expired_named_or_elsewhere() -> None:
    with site({"nth": 1, "times": 1, "route": "/jobs/*/result", "links": {"expired": True}}) as s:
        job_id = s.finished()
        assert s.send("GET", s.result(job_id)["images"][0]["url"]).status == 403
        assert s.send("GET", s.result(job_id)["images"][0]["url"]).status == 200
    with site({"links": {"name": "..%2f..%2fCON.png"}}) as s:
        url = s.result(s.finished())["images"][0]["url"]
        assert "/1.png/..%2f..%2fCON.png?" in url
        assert s.send("GET", url).data.startswith(b"\x89PNG")
    with site({"links": {"base": "http://10.0.0.1"}}) as s:
        assert s.result(s.finished())["images"][0]["url"].startswith("http://10.0.0.1/media/")


# --- Scripts --------------------------------------------------------------------------------------------------


def test_the_embedded_sandbox_reads_its_faults(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps([{"answer": {"status": 503}}]))
    with embedded(tmp_path) as running, urllib3.PoolManager(retries=False) as pool:
        assert pool.request("GET", f"{running.base_url}/me").status == 503
    (tmp_path / "faults.json").unlink()
    with embedded(tmp_path) as running, urllib3.PoolManager(retries=False) as pool:
        assert pool.request("GET", f"{running.base_url}/me").status == 401


WRONG: list[tuple[Any, str, str]] = [
    ("x", "not an object", ""),
    ({}, "does nothing", "delay"),
    ({"metod": "GET", "delay": 1}, "unknown key 'metod'", "method"),
    ({"route": "jobs", "delay": 1}, "route 'jobs'", "/jobs/*"),
    ({"kind": "imgae", "delay": 1}, "kind 'imgae'", "image"),
    ({"delay": "1"}, "delay is not a number", ""),
    ({"delay": -1}, "delay is not a number", ""),
    ({"delay": float("nan")}, "delay is not a number", ""),
    ({"delay": True}, "delay is not a number", ""),
    ({"nth": 0, "delay": 1}, "nth is not a whole number", ""),
    ({"after": 1, "delay": 1}, "after is not true or false", ""),
    ({"after": "yes", "delay": 1}, "after is not true or false", ""),
    ({"answer": {}}, "answer: status", ""),
    ({"answer": {"status": 99}}, "answer: status", ""),
    ({"answer": {"status": 600}}, "answer: status", ""),
    ({"answer": {"status": 200, "bdoy": 1}}, "answer: unknown key 'bdoy'", "body"),
    ({"answer": {"status": 200, "headers": {"A": "b\r\nC: d"}}}, "headers is not", ""),
    ({"answer": {"status": 200, "type": "a\nb"}}, "type has more than one line", ""),
    ({"answer": {"status": 200}, "redirect": "http://x"}, "both answer and redirect", ""),
    ({"drop": "later"}, "drop 'later'", "before-reading"),
    ({"drop": "before-reading", "prompt": "x"}, "neither kind nor prompt", "route"),
    ({"drop": "mid-answer", "reset": True}, "reset is for", "after-reading"),
    ({"garble": "htlm"}, "way 'htlm'", "html"),
    ({"garble": {}}, "garble: no way", "html"),
    ({"garble": {"way": "html", "size": 1}}, "garble: unknown key 'size'", ""),
    ({"job": {"ends_as": 1}}, "job: ends_as is not a string", ""),
    ({"listing": {"lag": "x"}}, "listing: lag", ""),
    ({"links": []}, "links: not an object", ""),
]


@pytest.mark.parametrize(("rule", "what", "hint"), WRONG)
def test_a_wrong_rule_is_told_with_its_place(rule: Any, what: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Script.parse([{"delay": 1, "comment": "a good one"}, rule])
    assert caught.value.what.startswith("faults: rule 2: ")
    assert what in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "{}", '"x"', "[" * 100_000])
def test_a_wrong_file_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        Script.load(path)
    assert "faults.json" in caught.value.what
    with pytest.raises(UsageError):
        Script.load(tmp_path / "absent.json")


def test_a_fault_leaves_the_world_alone(tmp_path: Path) -> None:
    world = World.open(tmp_path)
    with site({"method": "POST", "drop": "after-creating"}, world=world) as s, pytest.raises(ProtocolError):
        s.image(CAT)
    assert len(World.open(tmp_path).jobs()) == 1
