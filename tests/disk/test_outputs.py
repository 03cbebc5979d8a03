"""Putting media in their places: looked at again right before, and never anybody else's bytes lost."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sumesync.core.action import Observed
from sumesync.disk.outputs import OutputFiles, Part
from sumesync.errors import LocalStateError, MediaError
from sumesync.model import FileFact
from tests.builders import OTHER, file, pointer, sha

from .calls import Calls, failing


@pytest.fixture
def media(tmp_path: Path) -> OutputFiles:
    return OutputFiles(tmp_path)


def part_of(media: OutputFiles, content: str, folder: str = "") -> Part:
    part = media.part(folder)
    part.write(content.encode())
    assert part.finish() == (sha(content), len(content))
    return part


def everything(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_part_stands_beside_its_target_and_keeps_its_head(media: OutputFiles, tmp_path: Path) -> None:
    part = media.part("launch/deep")
    assert part.path.parent == tmp_path / "launch" / "deep"
    for chunk in (b"abc", b"d" * 5000, b"e"):
        part.write(chunk)
    assert part.head == b"abc" + b"d" * 4093
    assert part.finish() == part.finish() == (sha("abc" + "d" * 5000 + "e"), 5004)
    with pytest.raises(ValueError, match=r"^this part is closed$"):
        part.write(b"more")
    part.discard()
    part.discard()
    assert everything(tmp_path) == {}


def test_a_new_file_is_placed(media: OutputFiles, tmp_path: Path) -> None:
    assert media.place(part_of(media, "the hero"), "hero.png", None)
    assert everything(tmp_path) == {"hero.png": "the hero"}


def test_ours_is_replaced(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "hero.png").write_text("old")
    assert media.place(part_of(media, "new"), "hero.png", file("old"))
    assert everything(tmp_path) == {"hero.png": "new"}


@pytest.mark.parametrize(
    ("stands", "expected"),
    [("retouched", file("old")), ("came meanwhile", None), (None, file("old")), ("old", pointer("old"))],
)
def test_what_changed_meanwhile_is_left_alone(
    media: OutputFiles, tmp_path: Path, stands: str | None, expected: FileFact | None
) -> None:
    if stands is not None:
        (tmp_path / "hero.png").write_text(stands)
    part = part_of(media, "new")
    assert not media.place(part, "hero.png", expected)
    part.discard()
    assert everything(tmp_path) == ({"hero.png": stands} if stands is not None else {})


def test_a_file_that_comes_between_the_look_and_the_rename_is_not_lost(media: OutputFiles, tmp_path: Path) -> None:
    class Late(OutputFiles):
        def look(self, path: str) -> None:
            (tmp_path / path).write_text("came at the last moment")

    part = part_of(media, "new")
    assert not Late(tmp_path).place(part, "hero.png", None)
    part.discard()
    assert everything(tmp_path) == {"hero.png": "came at the last moment"}


def test_the_bytes_are_durable_before_their_place_is(media: OutputFiles, calls: Calls) -> None:
    media.place(part_of(media, "new"), "hero.png", None)
    root = calls.log[-1].removeprefix("fsync ")
    assert calls.log == ["write part", "fsync part", "link part hero.png", "unlink part", f"fsync {root}"]
    assert calls.open == {}, "left open"
    calls.log.clear()
    media.place(part_of(media, "newer"), "hero.png", file("new"))
    assert calls.log == ["write part", "fsync part", "replace part hero.png", f"fsync {root}"]
    calls.log.clear()
    media.part("").discard()
    assert calls.log == ["unlink part"]
    assert calls.open == {}, "left open"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_where_there_are_no_hard_links_it_is_renamed(
    media: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    assert media.place(part_of(media, "new"), "hero.png", None)
    assert everything(tmp_path) == {"hero.png": "new"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_is_told_with_the_place(
    media: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    part = part_of(media, "new")
    monkeypatch.setattr(os, "link", failing(number))
    with pytest.raises(LocalStateError, match=re.escape(f"cannot write {tmp_path / 'hero.png'}: nope")):
        media.place(part, "hero.png", None)
    part.discard()
    assert everything(tmp_path) == {}


def test_a_disk_that_fails_after_the_link_is_told_too(
    media: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = part_of(media, "new")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(LocalStateError, match=re.escape(f"cannot write {tmp_path / 'hero.png'}: nope")):
        media.place(part, "hero.png", None)


def test_a_part_that_somebody_removed_is_a_download_to_be_made_again(media: OutputFiles, tmp_path: Path) -> None:
    part = part_of(media, "new")
    part.path.unlink()
    with pytest.raises(MediaError, match=r"hero\.png was removed before it was in its place"):
        media.place(part, "hero.png", None)
    assert everything(tmp_path) == {}


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_disk_that_fails_while_a_part_is_written_is_told(
    media: OutputFiles, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    part = media.part("")
    monkeypatch.setattr(os, step, failing(errno.ENOSPC))
    if step == "fsync":
        part.write(b"x")
    with pytest.raises(LocalStateError, match=re.escape(f"cannot write {part.path}: nope")):
        part.finish() if step == "fsync" else part.write(b"x")
    part.discard()


def test_a_part_is_for_whoever_the_umask_lets_and_never_through_a_link(
    media: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o026)
    try:
        part = media.part("")
    finally:
        os.umask(before)
    assert part.path.stat().st_mode & 0o777 == 0o640
    (tmp_path / "guessed").symlink_to(tmp_path / "theirs")
    monkeypatch.setattr("sumesync.disk.atomic.part_name", lambda: "guessed")
    with pytest.raises(LocalStateError, match=re.escape(f"cannot write in {tmp_path}: ")):
        media.part("")
    assert not (tmp_path / "theirs").exists()


def test_a_link_in_the_place_is_not_followed(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "hero.png").symlink_to(tmp_path / "theirs")
    part = part_of(media, "new")
    for expected in (None, file("theirs"), OTHER):
        with pytest.raises(LocalStateError, match="symbolic link"):
            media.place(part, "hero.png", expected)
    assert (tmp_path / "theirs").read_text() == "theirs"


@pytest.mark.parametrize("act", ["part", "place", "copy", "remove", "write_text", "remove_text", "read_text"])
def test_nothing_is_done_through_a_linked_folder(media: OutputFiles, tmp_path: Path, act: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("theirs")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "linked").symlink_to(outside)
    inner = OutputFiles(tmp_path / "p")
    acts: dict[str, Callable[[], object]] = {
        "part": lambda: inner.part("linked"),
        "place": lambda: inner.place(part_of(inner, "new"), "linked/new", None),
        "copy": lambda: inner.copy("linked/x", "", sha("theirs")),
        "write_text": lambda: inner.write_text("linked/new", "new"),
        "remove_text": lambda: inner.remove_text("linked/x"),
        "read_text": lambda: inner.read_text("linked/x"),
    }
    if act == "remove":
        assert not inner.remove("linked/x", sha("theirs"))
    else:
        with pytest.raises(LocalStateError, match="linked is a symbolic link"):
            acts[act]()
    assert everything(outside) == {"x": "theirs"}


def test_a_copy_is_made_beside_its_new_place_and_checked(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("the hero")
    part = media.copy("a.png", "clips", sha("the hero"))
    assert part is not None
    assert media.place(part, "clips/a.png", None)
    assert everything(tmp_path) == {"a.png": "the hero", "clips/a.png": "the hero"}


def test_a_copy_of_other_bytes_is_none_and_leaves_nothing(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("retouched")
    assert media.copy("a.png", "", sha("the hero")) is None
    assert everything(tmp_path) == {"a.png": "retouched"}


def test_a_pointer_is_copied_as_it_is(media: OutputFiles, tmp_path: Path) -> None:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha('the hero')}\nsize 8\n"
    (tmp_path / "a.png").write_text(text)
    part = media.copy("a.png", "", sha("the hero"))
    assert part is not None
    assert part.path.read_text() == text
    part.discard()


def test_a_copy_of_what_is_gone_leaves_nothing(media: OutputFiles, tmp_path: Path) -> None:
    assert media.copy("gone.png", "", sha("x")) is None
    assert everything(tmp_path) == {}


def test_a_pointer_to_another_file_is_not_copied(media: OutputFiles, tmp_path: Path) -> None:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha('another')}\nsize 8\n"
    (tmp_path / "a.png").write_text(text)
    assert media.copy("a.png", "", sha("the hero")) is None
    assert everything(tmp_path) == {"a.png": text}


def test_a_copy_of_what_cannot_be_read_is_told_and_leaves_nothing(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(LocalStateError, match=re.escape(f"cannot read {tmp_path / 'a.png'}: Is a directory")):
        media.copy("a.png", "", sha("x"))
    assert everything(tmp_path) == {}


def test_a_copy_that_is_interrupted_leaves_nothing(
    media: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.png").write_text("the hero")
    monkeypatch.setattr(Part, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        media.copy("a.png", "", sha("the hero"))
    assert everything(tmp_path) == {"a.png": "the hero"}


def test_a_copy_is_read_piece_by_piece(media: OutputFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = Part.write

    def counted(part: Part, data: bytes) -> None:
        sizes.append(len(data))
        real(part, data)

    (tmp_path / "a.mp4").write_bytes(b"x" * (5 << 20))
    monkeypatch.setattr(Part, "write", counted)
    part = media.copy("a.mp4", "", sha("x" * (5 << 20)))
    assert part is not None
    assert max(sizes) <= 1 << 20
    part.discard()


@pytest.mark.parametrize(("stands", "gone"), [("the hero", True), ("retouched", False)])
def test_only_our_bytes_are_removed(media: OutputFiles, tmp_path: Path, stands: str, gone: bool) -> None:
    (tmp_path / "a.png").write_text(stands)
    assert media.remove("a.png", sha("the hero")) is gone
    assert (tmp_path / "a.png").exists() is not gone


def test_what_is_not_there_is_not_removed(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for path in ("none", "folder", "link"):
        assert not media.remove(path, sha(""))


def test_text_is_written_read_and_removed(media: OutputFiles, tmp_path: Path) -> None:
    assert media.read_text("a.sume.json") is None
    media.write_text("deep/a.sume.json", "é")
    assert media.read_text("deep/a.sume.json") == "é"
    media.remove_text("deep/a.sume.json")
    media.remove_text("deep/a.sume.json")
    assert everything(tmp_path) == {}


def test_text_that_is_none_is_told_or_shown_as_far_as_it_goes(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "a.sume.json").write_bytes(b"x\xffy")
    assert media.read_text("a.sume.json") == "x\ufffdy"
    (tmp_path / "b.sume.json").mkdir()
    with pytest.raises(LocalStateError, match=r"b\.sume\.json"):
        media.read_text("b.sume.json")


def test_without_rights_it_is_explained(forbidden: Path) -> None:
    with pytest.raises(LocalStateError, match="Permission denied"):
        OutputFiles(forbidden).part("")


def test_parts_of_a_killed_run_are_swept_and_nothing_else(media: OutputFiles, tmp_path: Path) -> None:
    for folder in ("", "launch", "specs"):
        media.part(folder)._close()
        (tmp_path / folder / "hero.png").write_text("hero")
    (tmp_path / "other").mkdir()
    left = tmp_path / "other" / media.part("").path.name
    left.write_text("not a folder of outputs")
    observed = Observed({"launch/hero.png": file("hero")}, {"": frozenset(), "none": frozenset()})
    media.sweep(observed, ["specs/hero.sume.toml"])
    kept = left.relative_to(tmp_path).as_posix()
    assert set(everything(tmp_path)) == {"hero.png", "launch/hero.png", "specs/hero.png", kept}


def test_the_root_is_swept_too_and_what_cannot_be_is_passed_over(media: OutputFiles, tmp_path: Path) -> None:
    media.part("")._close()
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    theirs = outside / media.part("").path.name
    theirs.write_text("theirs")
    (tmp_path / "linked").symlink_to(outside)
    (tmp_path / "file").write_text("x")
    media.sweep(Observed({}, {"linked": frozenset(), "file": frozenset(), "none": frozenset()}), [])
    assert everything(tmp_path) == {"file": "x", f"elsewhere/{theirs.name}": "theirs"}


def test_what_is_open_is_read_piece_by_piece(media: OutputFiles, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("bytes")
    with closing(media.open("a.png")) as source:
        assert (source.read(3), source.read(9), source.read(9)) == (b"byt", b"es", b"")
    with pytest.raises(ValueError, match="closed"):
        source.read(1)


def test_what_cannot_be_opened_or_read_is_told_with_its_place(media: OutputFiles, tmp_path: Path) -> None:
    with pytest.raises(LocalStateError, match=r"gone\.png"):
        media.open("gone.png")
    (tmp_path / "a.png").write_text("bytes")
    with closing(media.open("a.png")) as source:
        source._file.close()
        source._file = BadFile()  # type: ignore[assignment]  # a fake
        with pytest.raises(LocalStateError, match=r"cannot read a\.png: Input/output error"):
            source.read(1)


class BadFile:
    def read(self, _size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    def close(self) -> None: ...
