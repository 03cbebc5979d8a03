"""The folder of a report: names that are hashes, bounded thumbnails, and never half a report."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from PIL import Image

from sumesync.disk import album, thumbnails
from sumesync.errors import LocalStateError, UsageError


def pouring(data: bytes, whole: bool = True) -> Callable[[IO[bytes]], bool]:
    return lambda into: into.write(data) >= 0 and whole


def picture(
    path: Path, form: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (900, 300), **more: object
) -> bytes:
    Image.new(mode, size, 90 if mode in ("L", "P") else None).save(path, form, **more)
    return path.read_bytes()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be very large."""
    return png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), bytes(4096))


def sheet(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that is very large: black and white."""
    return png(struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), bytes(height * (1 + (width + 7) // 8)))


def png(head: bytes, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("form", "mode"),
    [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "I;16"), ("PNG", "1"),
     ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"), ("WEBP", "RGBA")],
)  # fmt: skip
def test_a_picture_is_shown_small(tmp_path: Path, form: str, mode: str) -> None:
    image = Image.new(mode, (900, 300))
    image.save(tmp_path / "x", form)
    made = tmp_path / "thumb.jpg"
    assert thumbnails.make(tmp_path / "x", f"image/{form.lower()}", made) == (900, 300)
    with Image.open(made) as thumb:
        assert (thumb.format, thumb.mode, thumb.size) == ("JPEG", "RGB", (640, 213))


def test_a_large_picture_is_shown_small(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(sheet(8_000, 6_000))
    assert thumbnails.make(tmp_path / "x", "image/png", tmp_path / "thumb.jpg") == (8_000, 6_000)


def test_a_picture_that_lies_on_its_side(tmp_path: Path) -> None:
    image = Image.new("RGB", (900, 300))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "x", "JPEG", exif=exif)
    assert thumbnails.make(tmp_path / "x", "image/jpeg", tmp_path / "thumb.jpg") == (300, 900)
    with Image.open(tmp_path / "thumb.jpg") as thumb:
        assert thumb.size == (213, 640)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (bomb(40_000, 40_000), "image/png"),
        (bomb(2**31 - 1, 1), "image/png"),
        (bomb(300, 300), "image/png"),
        (sheet(10_000, 6_000), "image/png"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0" + b"x" * 99, "image/jpeg"),
        (b"GIF89a" + b"\xff" * 99, "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + b"x" * 99, "image/webp"),
        (b"\0\0\0\x18ftypisom" + b"x" * 99, "video/mp4"),
        (b"\x1a\x45\xdf\xa3webm" + b"x" * 99, "video/webm"),
        (b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n", "video/mp4"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"", "image/png"),
    ],
)
def test_what_cannot_be_shown_small_leaves_nothing(tmp_path: Path, data: bytes, media_type: str) -> None:
    (tmp_path / "x").write_bytes(data)
    assert thumbnails.make(tmp_path / "x", media_type, tmp_path / "thumb.jpg") is None
    assert os.listdir(tmp_path) == ["x"]


def test_names_are_hashes_and_bytes_are_kept_once(tmp_path: Path) -> None:
    data = picture(tmp_path / "x")
    sha256 = hashlib.sha256(data).hexdigest()
    with album.writing(tmp_path / "report") as made:
        kept = made.keep(pouring(data))
        assert kept == album.Kept(f"media/{sha256[:32]}.png", "image", f"thumbs/{sha256[:32]}.jpg", 900, 300, len(data))
        assert made.keep(pouring(data)) is made.keep(pouring(b"not asked"), sha256) is kept
        assert made.keep(pouring(b"<svg onload='alert(1)'/>")) is None
        assert made.keep(pouring(data[:-1], whole=False)) is None
        assert made.kept == (kept,)
        made.write("index.html", b"page")
    assert (tmp_path / "report" / kept.file).read_bytes() == data
    assert sorted(os.listdir(tmp_path / "report")) == [".sumesync-report", "icon.svg", "index.html", "media", "thumbs"]
    assert sorted(os.listdir(tmp_path)) == ["report", "x"]


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path: Path) -> None:
    target = tmp_path / "report"
    with album.writing(target) as made:
        made.write("index.html", b"first")
    with pytest.raises(LocalStateError), album.writing(target) as made:
        made.write("no-such-folder/index.html", b"second")
    assert (target / "index.html").read_bytes() == b"first"
    with album.writing(album.target_of(tmp_path / "project", target)) as made:
        made.write("index.html", b"third")
    assert (target / "index.html").read_bytes() == b"third"
    assert os.listdir(tmp_path) == ["report"]


@pytest.mark.parametrize(
    "name", ["notes.txt", "media/mine.png", "media/x/y.png", "thumbs/../index2.html", ".git/config"]
)
def test_a_report_with_anything_else_in_it_is_not_replaced(tmp_path: Path, name: str) -> None:
    target = tmp_path / "report"
    with album.writing(target):
        pass
    (target / name).parent.mkdir(exist_ok=True)
    (target / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match="not of an earlier report"):
        album.target_of(tmp_path / "project", target)


def test_where_a_report_may_not_go(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "full").mkdir(parents=True)
    (root / "full/hero.png").write_bytes(b"mine")
    (root / "file").write_bytes(b"mine")
    (root / "empty").mkdir()
    for name in ("full", "file", ".git/x", ".GIT/x", "a/.github", ".sume/report", "", ".", "..", "/"):
        with pytest.raises(UsageError):
            album.target_of(root, root / name)
    for name in ("empty", "new/deep", "../beside"):
        assert album.target_of(root, root / name) == Path(os.path.normpath(root / name))


def test_a_report_does_not_follow_links(tmp_path: Path) -> None:
    root, away = tmp_path / "project", tmp_path / "away"
    root.mkdir()
    away.mkdir()
    (root / "link").symlink_to(away)
    for name in ("link", "link/report"):
        with pytest.raises((UsageError, LocalStateError)):
            album.target_of(root, root / name)
    with album.writing(tmp_path / "report"):
        pass
    (tmp_path / "report/index.html").symlink_to(away)
    with pytest.raises(UsageError):
        album.target_of(root, tmp_path / "report")


def test_a_file_of_the_project_is_copied_and_never_linked(tmp_path: Path) -> None:
    picture(tmp_path / "x.png")
    with album.writing(tmp_path / "report") as made:
        kept = made.keep(album.copy_of(tmp_path, "x.png"))
        assert made.keep(album.copy_of(tmp_path, "gone.png")) is None
    assert kept
    assert (tmp_path / "x.png").stat().st_nlink == 1
    assert not (tmp_path / "report" / kept.file).samefile(tmp_path / "x.png")
