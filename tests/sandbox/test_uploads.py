"""Files sent to the sandbox, and what later requests may say of them."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sumesync.sandbox.settings import Idempotency, Settings
from sumesync.sandbox.world import World

from .client import CAT, Clock, Got, Site, site, tokens
from .test_server import error

FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(200_000)
MARA, JONAS, FEMI = "avatar_mara", "avatar_jonas", "avatar_femi"
ASKED = {"file_name": "take 1.mp4", "content_type": "video/mp4", "size_bytes": len(FILM), "purpose": "asset"}


def asked(s: Site, **changes: Any) -> Any:
    got = s.api("POST", "/uploads/presign", {**ASKED, **changes})
    assert got.status == 200
    return got.json


def put(s: Site, told: Any, data: bytes = FILM, /, **changes: str | None) -> Got:
    headers = {**told["required_headers"], **{name.replace("_", "-"): value for name, value in changes.items()}}
    return s.send("PUT", told["upload_url"], data, **{name: value for name, value in headers.items() if value})


def uploaded(s: Site, purpose: str = "asset", data: bytes = FILM, content_type: str = "video/mp4") -> Any:
    told = asked(s, purpose=purpose, size_bytes=len(data), content_type=content_type)
    assert put(s, told, data).status == 200
    return told


def where(got: Got) -> list[str]:
    return [item["path"] for item in got.json["error"]["details"]["errors"]]


def test_from_presign_to_an_asset_and_its_bytes() -> None:
    with site() as s:
        told = asked(s)
        assert set(told["required_headers"]) == {"Content-Type", "x-sume-upload"}
        assert "?" not in told["media_url"]
        assert urlsplit(told["upload_url"]).path != urlsplit(told["media_url"]).path
        assert put(s, told).status == 200
        assert s.world.uploads()[0].sha256 == hashlib.sha256(FILM).hexdigest()
        made = s.api("POST", "/assets", {"upload_id": told["upload_id"], "title": "Take one"})
        assert made.status == 202
        assert (made.json["object"], made.json["id"] == made.json["job_id"]) == ("asset", False)
        assert s.world.assets() == ()
        s.clock.move(100)
        result = s.result(made.json["job_id"])
        assert result["asset_id"] == made.json["id"] == s.world.assets()[0].id
        assert result["asset"]["title"] == s.world.assets()[0].title == "Take one"
        got = s.send("GET", result["asset"]["media_url"])
        assert (got.status, got.data, got.headers["Content-Type"]) == (200, FILM, "video/mp4")
        assert [charge.credits for charge in s.world.charges()] == [1]


def test_an_upload_costs_nothing_and_is_no_job() -> None:
    with site(credits=0) as s:
        uploaded(s)
        assert s.world.charges() == ()
        assert s.get("/jobs").json["data"] == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"file_name": ""}, "file_name"),
        ({"file_name": "a/b.mp4"}, "file_name"),
        ({"file_name": "x" * 256}, "file_name"),
        ({"content_type": "text/html"}, "content_type"),
        ({"content_type": "image/png", "purpose": "face_swap_source_video"}, "content_type"),
        ({"content_type": "video/mp4", "purpose": "reference_image"}, "content_type"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"size_bytes": 3 << 30}, "size_bytes"),
        ({"size_bytes": True}, "size_bytes"),
        ({"purpose": "anything"}, "purpose"),
        ({"workspace_id": "ws_1"}, "workspace_id"),
    ],
)
def test_presign_refuses(changes: dict[str, Any], path: str) -> None:
    with site() as s:
        got = s.api("POST", "/uploads/presign", {**ASKED, **changes})
        assert error(got) == (400, "bad_request")
        assert where(got) == [path]
        assert s.world.uploads() == ()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Content_Type": "image/png"}, 403),
        ({"Content_Type": None}, 403),
        ({"x_sume_upload": "other"}, 403),
        ({"x_sume_upload": None}, 403),
        ({"x_amz_acl": "public-read"}, 403),
        ({"Idempotency_Key": "k"}, 403),
        ({"Cookie": "a=1"}, 400),
        ({"Authorization": "Bearer x"}, 400),
    ],
)
def test_a_put_with_other_headers_than_the_required_ones(changes: dict[str, str | None], status: int) -> None:
    with site() as s:
        told = asked(s)
        assert put(s, told, FILM, **changes).status == status
        assert not s.world.uploads()[0].completed
        assert len(s.world.leaks) == ("Authorization" in changes)


@pytest.mark.parametrize("data", [FILM[:-1], FILM + b"x", b""])
def test_a_put_of_another_size(data: bytes) -> None:
    with site() as s:
        assert put(s, asked(s), data).status == 400
        assert not s.world.uploads()[0].completed


def test_a_put_without_a_length() -> None:
    with site() as s:
        told = asked(s)
        got = s.send("PUT", told["upload_url"], iter([FILM]), **told["required_headers"])  # type: ignore[arg-type]
        assert got.status == 411


def test_a_put_needs_its_own_signed_url_in_time() -> None:
    with site(url_lifetime=10) as s:
        told, other = asked(s), asked(s)
        bare = told["upload_url"].partition("?")[0]
        swapped = f"{bare}?{other['upload_url'].partition('?')[2]}"
        for url in (bare, swapped, told["media_url"], f"{told['upload_url']}0"):
            assert put(s, {**told, "upload_url": url}).status == 403
        s.clock.move(11)
        assert put(s, told).status == 403
        assert not any(upload.completed for upload in s.world.uploads())


def test_what_broke_off_is_not_there_and_may_come_again(tmp_path: Path) -> None:
    with site(world=World.open(tmp_path)) as s:
        told = asked(s)
        url = urlsplit(told["upload_url"])
        lines = [f"PUT {url.path}?{url.query} HTTP/1.1", f"Host: {url.netloc}", f"Content-Length: {len(FILM)}"]
        lines += [f"{name}: {value}" for name, value in told["required_headers"].items()]
        with socket.create_connection((url.hostname or "", url.port or 0)) as line:
            line.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + FILM[:1000])
        assert put(s, told).status == 200
        s.running.close()
        assert [path.name for path in (tmp_path / "uploads").iterdir()] == [told["upload_id"]]


def test_neither_name_opens_the_file_without_a_signature() -> None:
    with site() as s:
        told = uploaded(s)
        for url in (told["media_url"], told["upload_url"], told["upload_url"].partition("?")[0]):
            assert s.send("GET", url).status in (403, 404)


def test_uploads_live_as_long_as_their_world(tmp_path: Path) -> None:
    with site(world=World.open(tmp_path)) as s:
        told = uploaded(s, "face_swap_source_video")
    with site(world=World.open(tmp_path)) as s:
        assert s.world.uploads()[0].completed
        # The port of a sandbox inside a command is another one in each run.
        body = {"source_video_url": told["media_url"], "avatar_ids": [MARA]}
        assert s.api("POST", "/face-swap", body).status == 202


# --- What may be made of them -------------------------------------------------------------------------


def test_an_asset_needs_an_upload_that_has_come_and_was_meant_for_it() -> None:
    with site() as s:
        rows = [
            ("upload_none", (404, "not_found")),
            (asked(s)["upload_id"], (409, "upload_incomplete")),
            (uploaded(s, "reference_video")["upload_id"], (422, "unprocessable")),
        ]
        for upload_id, expected in rows:
            assert error(s.api("POST", "/assets", {"upload_id": upload_id})) == expected
        assert error(s.api("POST", "/assets", {"title": "x"})) == (400, "bad_request")
        assert s.world.charges() == ()


def test_a_face_swap_is_of_a_film_that_was_uploaded_for_it() -> None:
    with site() as s:
        film = s.result(s.finished("/videos/generations"))["video_url"]
        wrong = [
            "https://example.com/film.mp4",
            "https://media.sume.so/film.mp4",
            film,
            asked(s, purpose="face_swap_source_video")["media_url"],
            uploaded(s)["media_url"],
            uploaded(s, "reference_video")["media_url"],
        ]
        for url in wrong:
            got = s.api("POST", "/face-swap", {"source_video_url": url, "avatar_ids": [MARA]})
            assert error(got) == (422, "unprocessable")
            assert where(got) == ["source_video_url"]
        assert len(s.world.charges()) == 1


def test_media_of_ours_as_references() -> None:
    with site(url_lifetime=10) as s:
        picture = s.result(s.finished())["images"][0]["url"]
        fit = [
            "https://example.com/a.png",
            picture,
            uploaded(s, "reference_image", content_type="image/png")["media_url"],
        ]
        assert s.image({**CAT, "reference_image_urls": fit}).status == 202
        s.clock.move(11)
        unfit = [picture, picture.partition("?")[0], uploaded(s)["media_url"]]
        got = s.image({**CAT, "reference_image_urls": [fit[0], *unfit]})
        assert error(got) == (422, "unprocessable")
        assert where(got) == [f"reference_image_urls.{number}" for number in (1, 2, 3)]


def test_one_job_for_each_face() -> None:
    with site() as s:
        film = uploaded(s, "face_swap_source_video")["media_url"]
        got = s.api("POST", "/face-swap", {"source_video_url": film, "avatar_ids": [JONAS, MARA, FEMI]})
        assert got.status == 202
        assert got.json["required_credits"] == 90
        assert [job["avatar_id"] for job in got.json["jobs"]] == [JONAS, MARA, FEMI]
        ids = [job["id"] for job in got.json["jobs"]]
        assert [charge.job_id for charge in s.world.charges()] == ids
        assert [charge.credits for charge in s.world.charges()] == [30, 30, 30]
        assert [job.number for job in s.world.jobs()] == [1, 2, 3]
        s.clock.move(1000)
        for job_id, avatar in zip(ids, [JONAS, MARA, FEMI], strict=True):
            result = s.result(job_id)
            assert result["avatar_id"] == avatar
            assert result["request"]["avatar_ids"] == [avatar]
        clips = [s.send("GET", s.result(job_id)["outputs"][0]["url"]).data for job_id in ids[:2]]
        assert all(clip[4:8] == b"ftyp" for clip in clips)
        assert clips[0] != clips[1]


def test_all_faces_or_none_are_charged() -> None:
    with site(credits=89) as s:
        film = uploaded(s, "face_swap_source_video")["media_url"]
        body = {"source_video_url": film, "avatar_ids": [MARA, JONAS, FEMI]}
        got = s.api("POST", "/face-swap", body)
        assert error(got) == (402, "insufficient_credits")
        assert got.json["error"]["details"] == {"required_credits": 90, "remaining_credits": 89}
        assert s.world.charges() == ()
        assert s.api("POST", "/face-swap", {**body, "avatar_ids": [MARA, JONAS]}).status == 202


def test_several_jobs_run_within_the_capacity() -> None:
    with site(capacity=2) as s:
        film = uploaded(s, "face_swap_source_video")["media_url"]
        s.api("POST", "/face-swap", {"source_video_url": film, "avatar_ids": [MARA, JONAS, FEMI]})
        assert [s.world.status(job) for job in s.world.jobs()] == ["running", "running", "queued"]


def test_several_jobs_of_one_key_are_made_once(tmp_path: Path) -> None:
    clock, settings = Clock(), Settings(idempotency=Idempotency.DOCUMENTED)

    def world() -> World:
        return World.open(tmp_path, settings, now=clock)

    with site(world=world(), clock=clock) as s:
        film = uploaded(s, "face_swap_source_video")["media_url"]
        body = {"source_video_url": film, "avatar_ids": [MARA, JONAS]}
        first = s.api("POST", "/face-swap", body, key="k")
        again = s.api("POST", "/face-swap", body, key="k")
        assert first.json == again.json
        assert error(s.api("POST", "/face-swap", {**body, "avatar_ids": [MARA]}, key="k")) == (409, "conflict")
    with site(world=world(), clock=clock) as s:
        assert s.api("POST", "/face-swap", body, key="k").json == first.json
        assert len(s.world.charges()) == 2
    lines = [json.loads(line) for line in (tmp_path / "world.jsonl").read_text().splitlines()]
    assert [sorted(line)[0] for line in lines] == ["key", "upload", "upload", "jobs"]


@pytest.mark.parametrize("faces", [[], ["a", "a"], [""], [1], "a", None, [str(n) for n in range(101)]])
def test_faces_that_are_none(faces: Any) -> None:
    with site() as s:
        film = uploaded(s, "face_swap_source_video")["media_url"]
        got = s.api("POST", "/face-swap", {"source_video_url": film, "avatar_ids": faces})
        assert error(got) == (400, "bad_request")
        assert where(got) == ["avatar_ids"]


def test_faces_must_be_those_of_avatars_that_can() -> None:
    with site() as s:
        film = uploaded(s, "face_swap_source_video")["media_url"]
        body = {"source_video_url": film, "avatar_ids": [MARA, "avatar_aiko", "avatar_nobody"]}
        got = s.api("POST", "/face-swap", body)
        assert (*error(got), where(got)) == (404, "not_found", ["avatar_ids.2"])
        got = s.api("POST", "/face-swap", {**body, "avatar_ids": [MARA, "avatar_aiko"]})
        assert (*error(got), where(got)) == (422, "unprocessable", ["avatar_ids.1"])
        for avatar, status in (("avatar_nobody", 404), (JONAS, 422), ("avatar_aiko", 202)):
            got = s.api("POST", "/ads/videos", {"avatar_id": avatar, "script": "Two drops."})
            assert got.status == status
            assert status == 202 or where(got) == ["avatar_id"]
        assert len(s.world.charges()) == 1


def test_an_ad_video() -> None:
    with site() as s:
        made = s.api("POST", "/ads/videos", {"avatar_id": MARA, "script": "Two drops. " * 6, "duration": 2})
        assert (made.status, set(made.json)) == (202, {"data"})
        s.clock.move(100)
        result = s.result(made.json["data"]["id"])
        assert s.send("GET", result["data"]["video"]["media_url"]).data[4:8] == b"ftyp"
        assert s.world.charges()[0].credits == 20
        assert where(s.api("POST", "/ads/videos", {"avatar_id": MARA})) == ["script"]


REEL = "https://www.tiktok.com/@serum/video/7300000000000000000"


def test_an_analysis_is_the_same_for_the_same_address_and_its_urls_are_signed() -> None:
    with site() as s:
        made = s.api("POST", "/reference-analysis", {"url": REEL})
        assert (made.json["required_credits"], made.json["object"]) == (5, "reference_analysis")
        s.clock.move(100)
        told = s.result(made.json["job_id"])["analysis"]
        assert told["transcript"]
        assert all("X-Sume-Signature=" in beat["frame_url"] for beat in told["beats"])
        assert "X-Sume-Signature=" in told["summary"]
        assert s.send("GET", told["beats"][0]["frame_url"]).data[:3] == b"\xff\xd8\xff"
        again = s.result(s.finished("/reference-analysis", {"url": REEL}))["analysis"]
        assert [beat["label"] for beat in again["beats"]] == [beat["label"] for beat in told["beats"]]
        assert again["hook"]["text"] == told["hook"]["text"]


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tiktok.com/@a/video/1",
        "https://tiktok.com.evil.test/@a",
        "https://example.com/tiktok.com/a",
        "https://notinstagram.com/reel/1",
        "https://www.tiktok.com/",
        "",
        7,
    ],
)
def test_what_cannot_be_analysed(url: Any) -> None:
    with site() as s:
        assert where(s.api("POST", "/reference-analysis", {"url": url})) == ["url"]
    with site() as s:
        for fit in ("https://tiktok.com/@a/video/1", "https://www.instagram.com/reel/abc/", "https://vm.tiktok.com/x"):
            assert s.api("POST", "/reference-analysis", {"url": fit}).status == 202


def test_the_document_declares_what_is_served() -> None:
    with site() as s:
        paths = s.get("/openapi.json").json["paths"]
        posts = {path for path, operations in paths.items() if "post" in operations}
        assert posts >= {"/uploads/presign", "/assets", "/face-swap", "/ads/videos", "/reference-analysis"}
        schema = paths["/face-swap"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["avatar_ids"]["type"] == "array"
        assert set(schema["required"]) == {"source_video_url", "avatar_ids"}


def test_asset_tokens_are_not_those_of_uploads() -> None:
    """The object key is the storage's own: nothing but the upload URL tells it."""
    with site(world=World(now=Clock(), token=tokens())) as s:
        told = uploaded(s)
        key = s.world.uploads()[0].object
        assert key in told["upload_url"]
        assert key not in json.dumps({name: value for name, value in told.items() if name != "upload_url"})


# --- Faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [302, 403, 500, 503])
@pytest.mark.parametrize("after", [False, True])
def test_a_put_that_is_answered_otherwise(status: int, after: bool) -> None:
    rule = {"method": "PUT", "route": "media", "answer": {"status": status}, "after": after, "times": 1}
    with site(rule) as s:
        told = asked(s)
        assert put(s, told).status == status
        assert s.world.uploads()[0].completed is after
        assert put(s, told).status == 200


@pytest.mark.parametrize(
    ("drop", "there"),
    [
        ("before-reading", False),
        ("mid-body", False),
        ("after-reading", False),
        ("after-creating", True),
        ("mid-answer", True),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_a_put_that_is_dropped(drop: str, there: bool, reset: bool) -> None:
    if reset and drop == "mid-answer":
        return
    rule = {"method": "PUT", "route": "media", "drop": drop, "times": 1, **({"reset": True} if reset else {})}
    with site(rule) as s:
        told = asked(s)
        if drop == "mid-answer":
            put(s, told)
        else:
            with pytest.raises(Exception, match=r"Connection|Protocol|Broken|reset"):
                put(s, told)
        assert s.world.uploads()[0].completed is there


def test_a_slow_put_and_rules_for_one_file_or_one_kind() -> None:
    rules = [
        {"method": "PUT", "delay": 3},
        {"method": "PUT", "prompt": "take 1", "answer": {"status": 500}, "times": 1},
        {"kind": "face-swap", "answer": {"status": 402}},
        {"route": "/uploads/presign", "nth": 3, "answer": {"status": 429}},
    ]
    with site(*rules) as s:
        assert put(s, asked(s)).status == 500
        assert s.slept == [3]
        assert put(s, asked(s, file_name="other.mp4")).status == 200
        assert s.api("POST", "/uploads/presign", ASKED).status == 429
        body = {"source_video_url": "https://a.test/b.mp4", "avatar_ids": [MARA]}
        assert s.api("POST", "/face-swap", body).status == 402


def test_links_that_have_expired_are_those_of_uploads_too() -> None:
    with site({"route": "/uploads/presign", "links": {"expired": True}}) as s:
        assert put(s, asked(s)).status == 403
