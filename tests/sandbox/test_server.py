"""The routes over HTTP, in the shapes of the Sume documentation."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import warnings
from typing import Any
from urllib.parse import urlsplit

import pytest

from sumesync.errors import UsageError
from sumesync.sandbox.server import start
from sumesync.sandbox.settings import Idempotency

from .client import CAT, Clock, Got, make_world, site


def error(got: Got) -> tuple[int, str]:
    """Status and code, of an envelope that is whole."""
    assert set(got.json) == {"error", "request_id"}
    assert set(got.json["error"]) == {"code", "message", "details"}
    assert got.json["request_id"].startswith("req_")
    assert got.headers["x-sume-request-id"] == got.json["request_id"]
    return got.status, got.json["error"]["code"]


def test_an_image_from_post_to_result() -> None:
    with site() as s:
        made = s.image({**CAT, "reference_image_urls": ["https://example.com/a.png"]}, key="key")
        assert made.status == 202
        job_id = made.json["job"]["id"]
        assert made.json == {"object": "image_generation", "job": {"id": job_id, "status": "running"}}
        assert re.fullmatch(r"job_\w+", job_id)
        assert error(s.get(f"/jobs/{job_id}/result")) == (409, "job_not_completed")
        s.clock.move(100)
        job = s.get(f"/jobs/{job_id}").json
        assert (job["status"], job["type"], job["credits_used"]) == ("completed", "image_generation", 4)
        assert "idempotency_key" not in job
        result = s.result(job_id)
        assert [(image["width"], image["height"]) for image in result["images"]] == [(768, 768)]
        assert result["credits_used"] == 4
        assert result["request"]["reference_image_urls"] == ["https://example.com/a.png"]
        assert result["thumbnail_url"].startswith(s.running.media_url)


def test_a_video_answers_with_job_id() -> None:
    with site() as s:
        made = s.api("POST", "/videos/generations", CAT).json
        assert "job" not in made
        s.clock.move(100)
        result = s.result(made["job_id"])
        assert result["video_url"].startswith(f"{s.running.media_url}/media/ws_sandbox/{made['job_id']}/1.mp4?")
        assert result["status_url"].startswith(s.running.base_url)


def test_several_images_of_one_job() -> None:
    with site() as s:
        result = s.result(s.finished(body={**CAT, "image_count": 3}))
        assert len(result["images"]) == 3
        assert s.world.charges()[0].credits == 12


def test_account_and_credits() -> None:
    with site(credits=10, capacity=3) as s:
        me = s.get("/me").json
        assert set(me) == {"user", "workspace", "api_key"}
        assert me["workspace"]["id"] == "ws_sandbox"
        assert s.running.key not in json.dumps(me)
        s.image()
        told = s.get("/credits").json
        assert (told["remaining_credits"], told["generation_capacity"], told["active_generations"]) == (6, 3, 1)
        assert error(s.api("POST", "/videos/generations", CAT)) == (402, "insufficient_credits")


def test_the_list_envelope() -> None:
    with site() as s:
        ids = [s.image().json["job"]["id"] for _ in range(3)]
        first = s.get("/jobs?limit=2").json
        assert set(first) == {"object", "data", "has_more", "next_cursor"}
        assert (first["object"], first["has_more"]) == ("list", True)
        assert [job["id"] for job in first["data"]] == [ids[2], ids[1]]
        second = s.get(f"/jobs?limit=2&cursor={first['next_cursor']}").json
        assert (second["has_more"], second["next_cursor"]) == (False, None)
        assert [job["id"] for job in second["data"]] == [ids[0]]
        assert s.get("/jobs?status=completed").json["data"] == []
        assert s.get("/jobs?type=video_generation").json["data"] == []


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
def test_a_strange_limit_is_refused(limit: str) -> None:
    with site() as s:
        assert error(s.get(f"/jobs?limit={limit}")) == (400, "bad_request")


def test_listings_echo_keys_only_when_told_to() -> None:
    with site(echo_keys=True) as s:
        s.image(key="key-1")
        assert s.get("/jobs").json["data"][0]["idempotency_key"] == "key-1"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
def test_without_the_key_there_is_nothing(headers: dict[str, Any]) -> None:
    with site() as s:
        for method, path in (("GET", "/me"), ("GET", "/jobs"), ("GET", "/nothing")):
            assert error(s.send(method, s.running.base_url + path, **headers)) == (401, "unauthorized")
        got = s.send("POST", f"{s.running.base_url}/images/generations", json.dumps(CAT).encode(), **headers)
        assert error(got) == (401, "unauthorized")
        assert s.world.charges() == ()


BAD: list[tuple[str, Any, str]] = [
    ("image", {}, "prompt"),
    ("image", {"prompt": ""}, "prompt"),
    ("image", {"prompt": 7}, "prompt"),
    ("image", {**CAT, "workspace_id": "ws"}, "workspace_id"),
    ("image", {**CAT, "user_id": "u"}, "user_id"),
    ("image", {**CAT, "email": "a@b.c"}, "email"),
    ("image", {**CAT, "aspect_ratio": "wide"}, "aspect_ratio"),
    ("image", {**CAT, "aspect_ratio": "0:1"}, "aspect_ratio"),
    ("image", {**CAT, "image_count": 0}, "image_count"),
    ("image", {**CAT, "image_count": True}, "image_count"),
    ("image", {**CAT, "reference_image_urls": "https://x.y/z"}, "reference_image_urls"),
    ("image", {**CAT, "reference_image_urls": ["http://x.y/z"]}, "reference_image_urls"),
    ("image", {**CAT, "reference_image_urls": [1]}, "reference_image_urls"),
    ("video", {**CAT, "duration": 3}, "duration"),
    ("video", {**CAT, "duration": 16}, "duration"),
    ("video", {**CAT, "duration": "5"}, "duration"),
    ("video", {**CAT, "resolution": "4k"}, "resolution"),
    ("video", {**CAT, "generate_audio": "yes"}, "generate_audio"),
    ("image", b"{", ""),
    ("image", b"[]", ""),
    ("image", b"", ""),
    ("image", b'{"prompt": NaN}', ""),
    ("image", b"[" * 100_000, ""),
    ("image", b"\xff\xfe", ""),
]


def test_bad_bodies_are_refused_and_not_charged() -> None:
    with site() as s:
        for kind, body, path in BAD:
            got = s.api("POST", f"/{kind}s/generations", body)
            assert error(got) == (400, "bad_request"), body
            assert [each["path"] for each in got.json["error"]["details"]["errors"]] == [path], body
        assert s.world.charges() == ()


def test_unknown_fields_and_the_sandbox_own_media_are_taken() -> None:
    with site() as s:
        url = s.result(s.finished())["images"][0]["url"]
        assert s.image({**CAT, "negative_prompt": "text", "reference_image_urls": [url]}).status == 202


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not_found")),
        ("GET", "/jobs/job_none", (404, "not_found")),
        ("GET", "/jobs/job_none/result", (404, "not_found")),
        ("GET", "/jobs/..%2fx", (404, "not_found")),
        ("GET", "/images/generations", (405, "method_not_allowed")),
        ("DELETE", "/jobs/job_none", (405, "method_not_allowed")),
        ("POST", "/jobs", (405, "method_not_allowed")),
        ("POST", "/ads/films", (404, "not_found")),
        ("GET", "/../me", (404, "not_found")),
    ],
)
def test_routes_that_are_not_there(method: str, path: str, expected: tuple[int, str]) -> None:
    with site() as s:
        got = s.api(method, path)
        assert error(got) == expected
        assert ("Allow" in got.headers) == (expected[0] == 405)


def test_paths_outside_the_prefix_are_404() -> None:
    with site() as s:
        for path in ("/me", "/", "/api/v2/me", "/api/v1me"):
            url = s.running.base_url.removesuffix("/api/v1") + path
            assert s.send("GET", url, Authorization=f"Bearer {s.running.key}").status == 404


def test_a_large_body_is_413_and_heard() -> None:
    with site() as s:
        assert s.image({"prompt": "x" * (1 << 20)}).status == 413
        assert s.image({"prompt": "x" * ((1 << 20) - 100)}).status == 202
        assert s.image(b" " * (8 << 20)).json["error"]["code"] == "payload_too_large"


def test_failed_jobs_show_their_error_and_have_no_result() -> None:
    with site({"job": {"ends_as": "failed", "error_code": "content_policy", "message": "No."}}) as s:
        job_id = s.finished()
        assert s.get(f"/jobs/{job_id}").json["error"] == {"code": "content_policy", "message": "No."}
        assert error(s.get(f"/jobs/{job_id}/result")) == (409, "job_failed")


def test_a_result_that_is_gone_is_404() -> None:
    with site() as s:
        job_id = s.finished()
        url = s.result(job_id)["images"][0]["url"]
        s.world.expire_result(job_id)
        assert s.get(f"/jobs/{job_id}").json["status"] == "completed"
        assert error(s.get(f"/jobs/{job_id}/result")) == (404, "not_found")
        assert s.send("GET", url).status == 404


def test_openapi_declares_the_header_only_where_it_is_honoured() -> None:
    def declared(**settings: Any) -> list[str]:
        with site(**settings) as s:
            document = s.send("GET", f"{s.running.base_url}/openapi.json").json
            assert document["openapi"].startswith("3.")
            operations = [document["paths"][f"/{kind}s/generations"]["post"] for kind in ("image", "video")]
            return [each["name"] for operation in operations for each in operation["parameters"]]

    assert declared() == []
    assert declared(idempotency=Idempotency.DOCUMENTED) == ["Idempotency-Key"] * 2


def test_openapi_may_be_absent() -> None:
    with site(openapi=False) as s:
        assert error(s.get("/openapi.json")) == (404, "not_found")


def test_idempotency_over_http() -> None:
    with site(idempotency=Idempotency.DOCUMENTED) as s:
        first = s.image(key="k").json
        assert s.image(key="k").json == first
        assert error(s.image({"prompt": "other"}, key="k")) == (409, "conflict")
        assert len(s.world.charges()) == 1


def test_rate_limits_count_reads_and_creates_apart() -> None:
    with site(reads_per_minute=3, creates_per_minute=2) as s:
        first = s.get("/me")
        assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("3", "2")
        assert [s.get("/me").status for _ in range(3)] == [200, 200, 429]
        assert [s.image().status for _ in range(3)] == [202, 202, 429]
        s.clock.move(15)
        refused = s.image()
        assert error(refused) == (429, "rate_limit_exceeded")
        assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"] == "45"
        assert len(s.world.charges()) == 2
        s.clock.move(45)
        assert s.image().status == 202


def test_limits_are_off_unless_asked_for() -> None:
    with site() as s:
        assert {s.get("/me").status for _ in range(200)} == {200}


# --- The media host ---------------------------------------------------------------------------------


def test_media_urls_are_signed_and_expire() -> None:
    with site(url_lifetime=60) as s:
        job_id = s.finished()
        url = s.result(job_id)["images"][0]["url"]
        assert urlsplit(url).port != urlsplit(s.running.base_url).port
        assert re.search(r"\?X-Sume-Expires=\d+&X-Sume-Signature=[0-9a-f]{64}$", url)
        assert s.send("GET", url).status == 200
        for wrong in (url.partition("?")[0], url[:-1] + "x", url.replace("1.png", "2.png"), f"{url}é"):
            assert s.send("GET", wrong).status == 403, wrong
        assert s.send("POST", url, b"x").status == 405
        s.clock.move(60)
        assert s.send("GET", url).status == 403
        assert s.send("GET", s.result(job_id)["images"][0]["url"]).status == 200


def test_a_key_on_the_media_host_is_refused_and_remembered() -> None:
    with site() as s:
        url = s.result(s.finished())["images"][0]["url"]
        s.send("GET", url)
        assert s.world.leaks == []
        assert s.send("GET", url, Authorization=f"Bearer {s.running.key}").status == 400
        assert [leak.origin for leak in s.world.leaks] == ["media"]


def test_requests_are_logged_without_queries() -> None:
    with site() as s:
        s.get("/jobs?limit=1")
        s.send("GET", s.result(s.finished())["images"][0]["url"])
        seen = [(each.origin, each.method, each.path, each.status) for each in s.world.requests]
        assert seen[0] == ("api", "GET", "/jobs", 200)
        assert seen[1] == ("api", "POST", "/images/generations", 202)
        assert seen[-1][0] == "media"
        assert "?" not in seen[-1][2]


# --- The sockets ------------------------------------------------------------------------------------


def test_closing_is_fast_and_leaves_nothing_open() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        took = []
        for _ in range(3):  # on a busy machine one may have to wait for its turn
            running = start(make_world())
            with socket.create_connection(("127.0.0.1", urlsplit(running.base_url).port or 0)) as idle:
                idle.sendall(b"GET /api/v1/me HTTP/1.1\r\n\r\n")
                assert idle.recv(65536).startswith(b"HTTP/1.1 401 ")
                began = time.perf_counter()
                running.close()
                running.close()
                took.append(time.perf_counter() - began)
                assert idle.recv(1) == b""
            assert running.wait(0)
        assert min(took) < 0.4


def test_answers_do_not_stall() -> None:
    with site() as s:
        s.get("/me")
        took = []
        for _ in range(50):
            began = time.perf_counter()
            s.get("/me")
            took.append(time.perf_counter() - began)
        assert min(took) < 0.03, "a delayed ACK costs 40 ms an answer, every one"


def test_many_at_once_are_each_charged_once() -> None:
    with site(capacity=4) as s:
        threads = [threading.Thread(target=s.image, kwargs={"key": f"k{n}"}) for n in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(c.idempotency_key for c in s.world.charges()) == sorted(f"k{n}" for n in range(24))
        assert s.world.active() == 4


def test_only_this_machine_is_served() -> None:
    with pytest.raises(UsageError):
        start(make_world(), host="0.0.0.0")


def test_a_taken_port_is_told() -> None:
    with site() as s, pytest.raises(UsageError) as caught:
        start(make_world(), port=urlsplit(s.running.base_url).port or 0)
    assert "port" in caught.value.what


def test_a_world_that_breaks_meanwhile_is_a_500(tmp_path: Any) -> None:
    from sumesync.sandbox.world import World

    world = World.open(tmp_path, now=Clock())
    with site(world=world) as s:
        (tmp_path / "world.jsonl").write_bytes(b"")
        assert error(s.image()) == (500, "internal_error")
