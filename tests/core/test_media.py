"""What a file is, by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.media import HEAD_BYTES, describe, sniff
from tests.builders import examples

KNOWN = [
    (b"\x89PNG\r\n\x1a\nrest", "image/png", ".png"),
    (b"\xff\xd8\xff\xe0rest", "image/jpeg", ".jpg"),
    (b"GIF87a", "image/gif", ".gif"),
    (b"GIF89a", "image/gif", ".gif"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", ".webp"),
    (b"\x00\x00\x00\x1cftypavif", "image/avif", ".avif"),
    (b"\x00\x00\x00\x1cftypheic", "image/heic", ".heic"),
    (b"\x00\x00\x00\x1cftypisom", "video/mp4", ".mp4"),
    (b"\x00\x00\x00\x1cftypmp42", "video/mp4", ".mp4"),
    (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime", ".mov"),
    (b"\x1a\x45\xdf\xa3\x01\x00webm", "video/webm", ".webm"),
    (b"\x1a\x45\xdf\xa3\x01\x00matroska", "video/x-matroska", ".mkv"),
]


@pytest.mark.parametrize(("head", "name", "suffix"), KNOWN)
def test_media_are_known_by_their_first_bytes(head: bytes, name: str, suffix: str) -> None:
    found = sniff(head)
    assert found is not None
    assert (found.name, found.suffix, found.family) == (name, suffix, name.split("/")[0])


UNKNOWN = [
    (b"", "an empty file"),
    (b"<!DOCTYPE html><html>", "an HTML page"),
    (b"\n <HTML>", "an HTML page"),
    (b'{"error": 1}', "JSON"),
    (b"[1]", "JSON"),
    (b"<?xml version='1.0'?>", "XML or markup"),
    (b"<svg xmlns='x'>", "XML or markup"),
    (b"RIFF\x00\x00\x00\x00WAVE", "no media file that is known"),
    (b"\x89PNG\n\x1a\n", "no media file that is known"),
    (b"PK\x03\x04", "no media file that is known"),
    (b"\x7fELF", "no media file that is known"),
]


@pytest.mark.parametrize(("head", "like"), UNKNOWN)
def test_what_is_no_media_is_refused_and_described(head: bytes, like: str) -> None:
    assert sniff(head) is None
    assert describe(head) == like


@pytest.mark.parametrize(("head", "name"), [(head, name) for head, name, _ in KNOWN])
def test_a_head_cut_short_is_never_taken_for_another_type(head: bytes, name: str) -> None:
    for length in range(len(head)):
        found = sniff(head[:length])
        assert found is None or found.name == name or found.name in ("video/mp4", "video/x-matroska")


@given(st.binary(max_size=80))
@settings(max_examples=examples(100))
def test_no_bytes_make_it_raise(head: bytes) -> None:
    found = sniff(head)
    assert found is None or found.suffix.startswith(".")
    assert describe(head)
    assert HEAD_BYTES >= 64
