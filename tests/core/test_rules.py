"""What a kind asks of a request as a whole: told where it stands, before anything is spent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.cli.start import template
from sumesync.core import rules, toml
from tests.builders import KINDS, examples


def told(kind: str, table: dict[str, Any], defaults: dict[str, Any] | None = None) -> list[tuple[Any, str]]:
    request = {**(defaults or {}), **table, **table.get("extra", {})}
    return [(finding.pointer, finding.what) for finding in rules.whole(table, request, KINDS[kind])]


@pytest.mark.parametrize(
    ("kind", "table", "where", "what"),
    [
        ("ad-video", {}, (), "the ad-video has no script"),
        ("face-swap", {"avatar_ids": ["a"]}, (), "the face-swap has no source_video_url"),
        ("face-swap", {"source_video_url": "https://x/y"}, (), "the face-swap has no avatar_ids"),
        ("reference-analysis", {}, (), "the reference-analysis has no url"),
        ("asset-upload", {"title": "x"}, (), "the asset-upload has no media"),
        (
            "asset-upload",
            {"media": "https://x.so/a.mp4"},
            ("media",),
            "media is text; only a file can be uploaded",
        ),
        (
            "asset-search",
            {"min_duration_seconds": 5, "max_duration_seconds": 4.5},
            ("max_duration_seconds",),
            "min_duration_seconds is 5, beyond max_duration_seconds, 4.5",
        ),
        (
            "asset-search",
            {"created_after": "2026-02-01", "created_before": "2026-01-31T23:59:59Z"},
            ("created_before",),
            "created_after is 2026-02-01, beyond created_before, 2026-01-31T23:59:59Z",
        ),
        (
            "asset-search",
            {"extra": {"created_after": "2026-02-31"}},
            ("extra", "created_after"),
            "created_after is 2026-02-31, and there is no such day or hour",
        ),
    ],
)
def test_what_a_request_must_be_as_a_whole(kind: str, table: dict[str, Any], where: Any, what: str) -> None:
    assert told(kind, table) == [(where, what)]


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"min_duration_seconds": 4, "max_duration_seconds": 4},
        {"min_duration_seconds": 4},
        {"min_duration_seconds": 4, "max_duration_seconds": "5"},
        {"min_duration_seconds": True, "max_duration_seconds": 0},
        {"created_after": "2026-01-31", "created_before": "2026-01-31"},
        {"created_after": "2026-01-31T23:00:00-05:00", "created_before": "2026-02-01T05:00:00Z"},
        {"created_after": "yesterday"},  # the schema has told
        {"created_after": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_what_is_in_order(table: dict[str, Any]) -> None:
    assert told("asset-search", table) == []


def test_a_default_counts_and_the_spec_is_where_it_is_told() -> None:
    assert told("ad-video", {}, {"script": "x"}) == []
    ((where, _),) = told("asset-search", {"min_duration_seconds": 9}, {"max_duration_seconds": 5})
    assert where == ("min_duration_seconds",)


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://www.tiktok.com/@a/video/1", True),
        ("https://tiktok.com/@a/video/1", True),
        ("https://vm.TikTok.com/x", True),
        ("https://www.instagram.com/reel/x/", True),
        ("https://tiktok.com.evil.com/x", False),
        ("https://nottiktok.com/x", False),
        ("https://tiktok.com@evil.com/x", False),
        ("https://evil.com/?https://tiktok.com", False),
        ("https://evil.com#tiktok.com", False),
        ("https://[tiktok.com/x", False),
        ("https://youtube.com/shorts/x", False),
    ],
)
def test_only_reels_are_analysed(url: str, fits: bool) -> None:
    assert (told("reference-analysis", {"url": url}) == []) is fits


def test_a_url_is_told_without_its_query() -> None:
    ((_, what),) = told("reference-analysis", {"url": "https://evil.com/x?sig=abc"})
    assert what == "url is https://evil.com/x"


@given(st.floats(0, 100), st.floats(0, 100))
@settings(max_examples=examples(30))
def test_two_durations_are_told_exactly_where_the_first_is_longer(low: float, high: float) -> None:
    found = told("asset-search", {"min_duration_seconds": low, "max_duration_seconds": high})
    assert bool(found) == (low > high)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_spec_of_each_kind_says_what_it_must_and_every_other_field_as_a_comment(kind: str) -> None:
    text = template(KINDS[kind], None)
    table = toml.parse("x.sume.toml", text)
    assert table.get("kind", "image") == kind
    for name in KINDS[kind].fields:
        assert f"\n{name} = " in text or f"\n# {name} = " in text or name == "prompt_file"
    assert all(len(line) < 160 for line in text.splitlines())
