"""The readers of the library and the client's routes for them: against fixtures, and on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sumesync.api import wire
from sumesync.api.client import SumeClient
from sumesync.api.reading import Unreadable
from sumesync.errors import ApiError

from .servers import KEY, answering, client_of, http, serving

FIXTURES = Path(__file__).parent / "fixtures"


def rows(name: str) -> pytest.MarkDecorator:
    table = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in table])


@rows("scenes")
def test_scenes(row: dict[str, Any]) -> None:
    if row["ids"] is None:
        with pytest.raises(Unreadable):
            wire.scene_page(row["answer"], row.get("asked"))
        return
    page = wire.scene_page(row["answer"], row.get("asked"))
    assert [scene.id for scene in page.scenes] == row["ids"]
    assert page.cursor == row["cursor"]
    if "titles" in row:
        assert [scene.title for scene in page.scenes] == row["titles"]
    if "document" in row:
        assert page.scenes[0].document == row["document"]


def test_a_media_url_of_a_scene_still_opens() -> None:
    url = "https://media.sume.so/a/1.mp4?X-Sig=s"
    assert wire.scene({"id": "asset_1", "media_url": url}).document["media_url"] == url


@pytest.mark.parametrize("reader", [wire.scene, wire.avatar])
@pytest.mark.parametrize("answer", [None, [], {}, {"error": {"code": "x"}}, {"data": {"id": "other"}}, {"id": "../x"}])
def test_another_thing_than_was_asked_for(reader: Callable[..., object], answer: Any) -> None:
    with pytest.raises(Unreadable):
        reader(answer, "asset_1")


@rows("avatars")
def test_avatars(row: dict[str, Any]) -> None:
    if row["avatars"] is None:
        with pytest.raises(Unreadable):
            wire.avatar_page(row["answer"])
        return
    page = wire.avatar_page(row["answer"])
    assert [[one.id, one.name, list(one.abilities)] for one in page.avatars] == row["avatars"]
    assert page.cursor == row.get("cursor")


@rows("brands")
def test_brand(row: dict[str, Any]) -> None:
    if row["brand"] is None:
        with pytest.raises(Unreadable):
            wire.brand(row["answer"])
        return
    found = wire.brand(row["answer"])
    assert [found.name, list(found.images)] == row["brand"]


def test_a_deep_document_is_cut_not_refused() -> None:
    deep: Any = "end"
    for _ in range(300):
        deep = {"x": deep}
    assert wire.scene({"id": "asset_1", "metadata": deep}).id == "asset_1"


# --- On the wire ----------------------------------------------------------------------------------------


def asked(received: bytes) -> list[str]:
    lines = received.decode("latin-1").split("\r\n")
    return [line.rsplit(" ", 1)[0] for line in lines if line.endswith(" HTTP/1.1")]


ROUTES: list[tuple[Callable[[SumeClient], object], str, bytes]] = [
    (lambda c: c.scenes({}), "GET /api/v1/assets", b"[]"),
    (lambda c: c.scenes({"q": "a&b=ü"}, "c?"), "GET /api/v1/assets?q=a%26b%3D%C3%BC&cursor=c%3F", b"[]"),
    (lambda c: c.scene("asset_1:2"), "GET /api/v1/assets/asset_1%3A2", b'{"id":"asset_1:2"}'),
    (lambda c: c.avatars(), "GET /api/v1/avatars", b"[]"),
    (lambda c: c.avatars("c&"), "GET /api/v1/avatars?cursor=c%26", b"[]"),
    (lambda c: c.avatar("av_1"), "GET /api/v1/avatars/av_1", b'{"data":{"id":"av_1"}}'),
    (lambda c: c.brand(), "GET /api/v1/brand/current", b'{"name":"x"}'),
    (lambda c: c.openapi(), "GET /api/v1/openapi.json", b"{}"),
    (
        lambda c: c.list_jobs("c", 3, "image_generation", "failed"),
        "GET /api/v1/jobs?limit=3&type=image_generation&status=failed&cursor=c",
        b"[]",
    ),
]


@pytest.mark.parametrize(("call", "line", "body"), ROUTES, ids=[line for _, line, _ in ROUTES])
def test_routes_are_asked_as_documented(call: Callable[[SumeClient], object], line: str, body: bytes) -> None:
    with serving(answering(http(200, body))) as server, client_of(f"{server.url}/api/v1/") as client:
        call(client)
    assert asked(server.received) == [line]
    assert f"Authorization: Bearer {KEY}".encode() in server.received


def test_the_brand_stands_at_one_of_two_routes() -> None:
    with serving(answering(http(404), http(200, b'{"name":"Lumen"}'))) as server, client_of(server.url) as client:
        assert client.brand().name == "Lumen"
    assert asked(server.received) == ["GET /brand/current", "GET /brand"]


def test_a_brand_that_is_denied_is_not_asked_for_twice() -> None:
    with serving(answering(http(403))) as server, client_of(server.url) as client, pytest.raises(ApiError):
        client.brand()
    assert asked(server.received) == ["GET /brand/current"]


@pytest.mark.parametrize("ident", ["../me", "a/b", "", "a..b", "x\r\ny", "a?b"])
def test_what_is_no_id_is_not_asked_for(ident: str) -> None:
    with serving(answering(http(200, b"{}"))) as server, client_of(server.url) as client:
        with pytest.raises(ApiError, match="not an asset id"):
            client.scene(ident)
        with pytest.raises(ApiError, match="not an avatar id"):
            client.avatar(ident)
    assert server.lines == []
