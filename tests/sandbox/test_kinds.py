"""Every kind of the sandbox through our own client, from its create to what its result tells."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from sumesync.answers import Accepted, Order, SubmitResult
from sumesync.api.client import SumeClient
from sumesync.core.media import sniff
from sumesync.disk import schemas
from sumesync.host import SystemClock
from sumesync.model import Json
from sumesync.sandbox.kinds import KINDS

from .client import CAT, Site, site

FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(1_000)
REEL = "https://www.instagram.com/reel/Cabc123/?igsh=private"


@dataclass(frozen=True)
class Row:
    """``jobs`` that are made, and the media type of the one output of each ("" for a document)."""

    body: Mapping[str, Json]
    jobs: int
    media: str
    credits: float | None
    """What the create answer tells."""
    purpose: str = ""
    """Of the film that is uploaded first."""


ROWS = {
    "image": Row(CAT, 1, "image/png", None),
    "video": Row(CAT, 1, "video/mp4", None),
    "ad-video": Row({"avatar_id": "avatar_mara", "script": "Two drops.", "duration": 1}, 1, "video/mp4", None),
    "face-swap": Row({"avatar_ids": ["avatar_mara", "avatar_jonas"]}, 2, "video/mp4", 60, "face_swap_source_video"),
    "reference-analysis": Row({"url": REEL}, 1, "", 5),
    "asset-upload": Row({"title": "Take one"}, 1, "", None, "asset"),
}


@pytest.fixture
def served() -> Iterator[tuple[Site, SumeClient]]:
    with (
        site(capacity=100) as s,
        SumeClient(s.running.base_url, s.running.key, SystemClock(), version="1", environ={}) as client,
    ):
        yield s, client


def create(client: SumeClient, name: str) -> SubmitResult:
    row, body = ROWS[name], dict(ROWS[name].body)
    if row.purpose:
        where = client.presign("take.mp4", "video/mp4", len(FILM), row.purpose)
        client.put(where, len(FILM), io.BytesIO(FILM).read)
        if name == "face-swap":
            body["source_video_url"] = where.media_url
        else:
            body["upload_id"] = where.upload_id
    return client.submit(Order("key", KINDS[name].route, json.dumps(body).encode()), lambda: None)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_from_a_request_to_what_it_made(served: tuple[Site, SumeClient], name: str) -> None:
    s, client = served
    row, made = ROWS[name], create(client, name)
    assert isinstance(made, Accepted)
    assert len(set(made.job_ids)) == row.jobs
    assert made.credits == row.credits
    charges = s.world.charges()
    assert tuple(charge.job_id for charge in charges) == made.job_ids
    assert made.credits in (None, sum(charge.credits for charge in charges))
    s.clock.move(1_000)
    for job_id in made.job_ids:
        view, result = client.job(job_id), client.result(job_id, whole=True)
        assert (view.type, view.status) == (KINDS[name].type, "completed")
        assert result.credits == view.credits == KINDS[name].price(s.world.job(job_id).body)
        kept = json.dumps(result.document)
        assert "?" not in kept
        assert "Signature" not in kept
        assert "request" not in result.document
        if row.media:
            parts: list[bytes] = []
            assert len(result.urls) == 1
            assert client.download(result.urls[0], parts.append) == row.media
            kind = sniff(b"".join(parts))
            assert kind is not None
            assert kind.name == row.media


def test_an_analysis_is_told_whole(served: tuple[Site, SumeClient]) -> None:
    s, client = served
    made = create(client, "reference-analysis")
    assert isinstance(made, Accepted)
    s.clock.move(1_000)
    analysis = client.result(made.job_ids[0], whole=True).document["analysis"]
    assert isinstance(analysis, dict)
    assert set(analysis) >= {"hook", "beats", "transcript", "summary", "tags"}
    assert isinstance(analysis["summary"], str)
    assert analysis["summary"].endswith(".jpg (as seen).")
    assert isinstance(analysis["source"], dict)
    assert analysis["source"]["url"] == "https://www.instagram.com/reel/Cabc123/"


def test_an_ingest_tells_its_asset(served: tuple[Site, SumeClient]) -> None:
    s, client = served
    made = create(client, "asset-upload")
    assert isinstance(made, Accepted)
    s.clock.move(1_000)
    document = client.result(made.job_ids[0], whole=True).document
    assert document["asset_id"] == s.world.assets()[0].id
    assert s.world.assets()[0].upload.size == len(FILM)


def test_every_kind_that_a_spec_can_pay_for_is_made() -> None:
    declared = {name: kind for name, kind in schemas.for_specs().kinds.items() if not kind.free}
    assert {name: kind.route for name, kind in declared.items()} == {name: kind.route for name, kind in KINDS.items()}
    assert set(ROWS) == set(KINDS)
    for name, kind in declared.items():
        taken = {field.name for field in KINDS[name].fields}
        sent = {takes.sent_as or field for field, takes in kind.inputs.items()}
        asked = {field for field in kind.fields if field not in kind.inputs and field != "prompt_file"}
        assert asked | sent <= taken, name
