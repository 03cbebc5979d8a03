"""What is remembered of files: never more than their signs vouch for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sumesync.core import media
from sumesync.disk import hashes, signs
from sumesync.disk.hashes import Hashes
from tests.builders import sha

LATER = 1 << 62
"""A look that began long after all files were written."""
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
PICTURE = b"\x89PNG\r\n\x1a\n picture"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def reads(root: Path, cache: Path, name: str, began: int | None = LATER) -> bool:
    """Whether a look reads the bytes of ``name``; what it says is checked."""
    known, real = Hashes(cache, began), hashes.read
    asked: list[str] = []

    def noted(full: str, likely: int) -> hashes.Hashed:
        asked.append(full)
        return real(full, likely)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "read", noted)
        fact, media_type, looks = known.of(str(root / name), name, os.lstat(root / name))
    assert (fact, media_type, looks) == hashes.read(str(root / name))
    known.keep()
    return bool(asked)


@pytest.mark.parametrize("content", [PICTURE, POINTER, b"", b"<html>", b"plain", b"\0\0\0 ftypisom"])
def test_what_it_is_stays_known(tmp_path: Path, cache: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert reads(tmp_path, cache, "a.png")
    assert not reads(tmp_path, cache, "a.png")
    (tmp_path / "a.png").write_bytes(content + b"\n")
    assert reads(tmp_path, cache, "a.png")


def test_of_every_type_the_ending_tells_the_type_again() -> None:
    for known in {
        found
        for suffix in (".png", ".jpg", ".webp", ".gif", ".mp4", ".mov", ".webm")
        if (found := media.of_suffix(suffix))
    }:
        assert media.of_suffix(known.suffix) == known


def test_the_old_time_with_other_bytes_is_noticed(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    before = os.lstat(tmp_path / "a.png")
    assert reads(tmp_path, cache, "a.png")
    (tmp_path / "a.png").write_bytes(b"two")
    os.utime(tmp_path / "a.png", ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert reads(tmp_path, cache, "a.png")


def test_what_was_written_in_the_tick_of_the_look_is_not_believed(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    began = signs.newest(signs.of(os.lstat(tmp_path / "a.png")))
    assert reads(tmp_path, cache, "a.png", began)
    assert reads(tmp_path, cache, "a.png", began + 1)
    assert not reads(tmp_path, cache, "a.png", began + 1)


def test_without_the_disks_time_nothing_new_is_remembered(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    assert reads(tmp_path, cache, "a.png", None)
    assert not (cache / hashes.NAME).exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format_version": 2, "files": {}}',
        '{"format_version": 1}',
        '{"format_version": 1, "files": []}',
        '{"format_version": 1, "files": {"a.png": 5}}',
        '{"format_version": 1, "files": {"a.png": []}}',
        "[" * 100_000,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_a_foreign_file_in_its_place_is_as_good_as_none(tmp_path: Path, cache: Path, text: str) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    (cache / hashes.NAME).write_text(text)
    assert reads(tmp_path, cache, "a.png")
    assert not reads(tmp_path, cache, "a.png")


@pytest.mark.parametrize(
    "facts",
    [
        ["file"],
        ["file", "x", 1, "", ""],
        ["gone", sha("one"), 3, "", ""],
        ["file", sha("one"), -3, "", ""],
        ["file", sha("one"), 3, 7, ""],
    ],
)
def test_a_line_that_we_did_not_write_is_as_good_as_none(tmp_path: Path, cache: Path, facts: list[object]) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    sign = list(signs.of(os.lstat(tmp_path / "a.png")))
    (cache / hashes.NAME).write_text(json.dumps({"format_version": 1, "files": {"a.png": [sign, *facts]}}))
    assert reads(tmp_path, cache, "a.png")


def test_every_prefix_of_it_is_as_good_as_none_or_all(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    assert reads(tmp_path, cache, "a.png")
    whole = (cache / hashes.NAME).read_bytes()
    for length in range(len(whole)):
        (cache / hashes.NAME).write_bytes(whole[:length])
        assert reads(tmp_path, cache, "a.png")


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    assert reads(tmp_path, tmp_path / "none", "a.png")


def test_what_nobody_asks_for_any_more_is_forgotten(tmp_path: Path, cache: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"one")
        assert reads(tmp_path, cache, name)
    assert list(json.loads((cache / hashes.NAME).read_text())["files"]) == ["b.png"]
