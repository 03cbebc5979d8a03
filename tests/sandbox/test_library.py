"""The sandbox's library over HTTP: every filter filters, pages join up, and media are real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from sumesync.core.media import sniff
from sumesync.sandbox import library, openapi
from sumesync.sandbox.routes import Api

from .client import Site, site
from .test_uploads import FILM, uploaded


def ids(s: Site, **query: Any) -> list[str]:
    got = s.get(f"/assets?{urlencode({'limit': 100, **query})}")
    assert got.status == 200, got.json
    return [scene["id"] for scene in got.json["data"]]


def wanted(fits: Callable[[library.Scene], bool]) -> set[str]:
    return {scene.id for scene in library.BUILT_IN if fits(scene)}


FILTERS: list[tuple[dict[str, Any], Callable[[library.Scene], bool]]] = [
    ({"q": "serum"}, lambda scene: "serum" in scene.text),
    ({"q": "serum", "search_mode": "text"}, lambda scene: "serum" in scene.text),
    ({"source_type": "social"}, lambda scene: scene.source_type == "social"),
    ({"segment_type": "cta"}, lambda scene: scene.segment_type == "cta"),
    ({"brand": "lumen"}, lambda scene: scene.brand == "Lumen"),
    ({"product": "cream"}, lambda scene: scene.product == "cream"),
    ({"tag": "macro"}, lambda scene: "macro" in scene.tags),
    ({"keyword": "drop"}, lambda scene: "drop" in scene.keywords),
    ({"cta_present": "true"}, lambda scene: scene.cta_present),
    ({"cta_present": "false"}, lambda scene: not scene.cta_present),
    ({"min_duration_seconds": 8}, lambda scene: scene.seconds >= 8),
    ({"max_duration_seconds": 2.5}, lambda scene: scene.seconds <= 2.5),
    ({"created_after": "2026-03-01"}, lambda scene: scene.id > "asset_0008"),
    ({"created_before": "2026-03-01T00:00:00Z"}, lambda scene: scene.id < "asset_0009"),
    ({"brand": "Lumen", "tag": "studio", "q": "jar"}, lambda scene: scene.id == "asset_0004"),
]


@pytest.mark.parametrize(("query", "fits"), FILTERS, ids=[urlencode(query) for query, _ in FILTERS])
def test_every_filter_filters(query: dict[str, Any], fits: Callable[[library.Scene], bool]) -> None:
    expected = wanted(fits)
    assert 0 < len(expected) < len(library.BUILT_IN)
    with site() as s:
        assert set(ids(s, **query)) == expected


def test_every_filter_is_tried() -> None:
    tried = {name for query, _ in FILTERS for name in query}
    assert tried | {"sort", "limit", "cursor"} == set(library.FILTERS)


def test_orders() -> None:
    with site() as s:
        newest = ids(s)
        assert newest == sorted(newest, reverse=True) == ids(s, sort="created_at_desc")
        assert ids(s, sort="created_at_asc") == newest[::-1]
        lengths = {scene.id: scene.seconds for scene in library.BUILT_IN}
        longest = [lengths[ident] for ident in ids(s, sort="duration_desc")]
        assert longest == sorted(longest, reverse=True)
        got = s.get("/assets?q=serum+drop+skin").json["data"]
        scores = [scene["search"]["score"] for scene in got]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] == 1 > scores[-1]
        assert got[0]["search"]["query"] == "serum drop skin"


def test_pages_join_up() -> None:
    with site() as s:
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page = s.get(f"/assets?limit=5&cursor={quote(cursor)}").json
            assert page["has_more"] is (page["next_cursor"] is not None)
            seen += [scene["id"] for scene in page["data"]]
            cursor = page["next_cursor"]
        assert seen == ids(s)


WRONG = """limit=0 limit=101 limit=x sort=best search_mode=x cta_present=yes min_duration_seconds=-1 colour=red
    max_duration_seconds=nan created_after=soon cursor=x cursor=YWZ0ZXI6eA"""


@pytest.mark.parametrize("query", WRONG.split())
def test_what_a_filter_does_not_take(query: str) -> None:
    with site() as s:
        got = s.get(f"/assets?{query}")
        assert (got.status, got.json["error"]["code"]) == (400, "bad_request")
        assert got.json["error"]["details"]["errors"][0]["path"] == query.partition("=")[0]


def test_media_of_the_library_are_real_and_signed() -> None:
    with site() as s:
        scene = s.get("/assets/asset_0011").json
        avatar = s.get("/avatars/avatar_mara").json
        image = s.get("/brand/current").json["images"][0]
        urls = {
            scene["media_url"]: "video/mp4",
            scene["source_media_url"]: "video/mp4",
            scene["thumbnail_url"]: "image/jpeg",
            avatar["preview_image_url"]: "image/jpeg",
            image["reference_url"]: "image/jpeg",
        }
        for url, kind in urls.items():
            got = s.send("GET", url)
            assert got.status == 200
            found = sniff(got.data[:4096])
            assert found is not None
            assert found.name == kind == got.headers["content-type"]
            assert s.send("GET", url.partition("?")[0]).status == 403


def test_what_was_taken_in_is_found_with_its_bytes() -> None:
    with site() as s:
        told = uploaded(s)
        made = s.api("POST", "/assets", {"upload_id": told["upload_id"], "title": "Take of a jar"}).json
        assert made["id"] not in ids(s)
        assert s.get(f"/assets/{made['id']}").status == 404
        s.clock.move(100)
        assert ids(s, q="take jar")[0] == made["id"]
        assert made["id"] not in ids(s, source_type="social") + ids(s, min_duration_seconds=1)
        one = s.get(f"/assets/{made['id']}").json
        assert (one["title"], one["segment_type"], one["thumbnail_url"]) == ("Take of a jar", None, None)
        for name in ("media_url", "clip_url", "source_media_url"):
            got = s.send("GET", one[name])
            assert (got.status, got.data) == (200, FILM)
            assert s.send("GET", one[name].partition("?")[0]).status == 403
        s.world.expire_result(made["job_id"])
        assert made["id"] not in ids(s)


def test_avatars_and_brand() -> None:
    with site() as s:
        told = s.get("/avatars").json
        assert told["object"] == "list"
        flags = {avatar["id"]: avatar["capabilities"] for avatar in told["data"]}
        assert flags["avatar_mara"] == {"talking_head": True, "ugc_ad": True, "face_swap": True}
        assert any(not flag["face_swap"] for flag in flags.values())
        assert s.get("/brand").json["name"] == s.get("/brand/current").json["name"] == "Lumen"
        for path in ("/avatars/x", "/assets/x"):
            assert s.get(path).status == 404


def test_jobs_by_type_and_status() -> None:
    with site() as s:
        image = s.image().json["job"]["id"]
        video = s.api("POST", "/videos/generations", {"prompt": "A cat."}).json["job_id"]
        assert [job["id"] for job in s.get("/jobs?type=video_generation").json["data"]] == [video]
        assert [job["id"] for job in s.get("/jobs?status=running").json["data"]] == [image]
        assert s.get("/jobs?type=video_generation&status=running").json["data"] == []


def test_the_openapi_document_names_every_route() -> None:
    with site() as s:
        document = s.send("GET", f"{s.running.base_url}/openapi.json").json
        routes = Api(s.world, s.running.base_url, s.running.media_url)._routes
        for method, pattern, _ in routes:
            fits = [path for path in document["paths"] if pattern.fullmatch(path.replace("{id}", "x"))]
            assert pattern.pattern.endswith("openapi\\.json") or any(
                method.lower() in document["paths"][path] for path in fits
            ), f"{method} {pattern.pattern}"
        named = [p["name"] for p in document["paths"]["/assets"]["get"]["parameters"]]
        assert named == list(library.FILTERS)
        assert set(openapi.READS) <= set(document["paths"])
