"""Durable writes: whole or not at all, and a failure says which path and why."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from sumesync.disk import atomic
from sumesync.errors import Exit, LocalStateError

from .calls import Calls, failing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


DURABLE: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a write": (
        lambda folder: atomic.write(folder / "new", b"x"),
        ["write part", "fsync part", "replace part new", "fsync here"],
    ),
    "a write in new folders": (
        lambda folder: atomic.write(folder / "a" / "b" / "new", b"x"),
        ["mkdir a", "fsync here", "mkdir b", "fsync a", "write part", "fsync part", "replace part new", "fsync b"],
    ),
    "a first line": (
        lambda folder: atomic.append(folder / "new", b"x\n"),
        ["write new", "fsync new", "fsync here"],
    ),
    "a further line": (
        lambda folder: atomic.append(folder / "old", b"x\n"),
        ["write old", "fsync old"],
    ),
    "a line after half a line": (
        lambda folder: atomic.append(folder / "torn", b"x\n"),
        ["ftruncate torn", "write torn", "fsync torn"],
    ),
    "a removal": (lambda folder: atomic.remove(folder / "old"), ["unlink old", "fsync here"]),
    "a removal of nothing": (lambda folder: atomic.remove(folder / "none"), ["unlink none"]),
    "a rename": (
        lambda folder: atomic.rename(folder / "old", folder / "new"),
        ["replace old new", "fsync here"],
    ),
}


@pytest.mark.parametrize("name", DURABLE)
def test_each_step_is_durable_before_the_next(tmp_path: Path, calls: Calls, name: str) -> None:
    act, steps = DURABLE[name]
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "old").write_bytes(b"old\n")
    (folder / "torn").write_bytes(b"old\nha")
    calls.log.clear()
    act(folder)
    assert calls.log == steps
    assert calls.open == {}, "left open"


def test_a_rename_to_another_folder_is_durable_there(tmp_path: Path, calls: Calls) -> None:
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir()
    (tmp_path / "from" / "x").write_bytes(b"x")
    calls.log.clear()
    atomic.rename(tmp_path / "from" / "x", tmp_path / "to" / "x")
    assert calls.log == ["replace x x", "fsync to"]


@pytest.mark.parametrize("act", [atomic.write, atomic.append])
def test_a_new_file_is_for_whoever_the_umask_lets(tmp_path: Path, act: Callable[[Path, bytes], None]) -> None:
    before = os.umask(0o026)
    try:
        act(tmp_path / "new", b"x\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("act", [atomic.write, atomic.append])
@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_step_that_fails_is_told_and_leaves_what_was_there(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[Path, bytes], None]
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.EDQUOT, "quota exceeded")

    path = tmp_path / "file"
    path.write_bytes(b"old\n")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(LocalStateError, match=re.escape(f"cannot write {path}: quota exceeded")) as fault:
        act(path, b"new\n")
    assert fault.value.hint == "free some space and run again; nothing was lost"
    assert path.read_bytes().startswith(b"old\n")
    assert names(tmp_path) == ["file"]
    assert calls.open == {}, "left open"


def test_a_file_cannot_be_made_where_another_is_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside").write_bytes(b"theirs")
    monkeypatch.setattr(atomic, "part_name", lambda: "guessed")
    (tmp_path / "guessed").symlink_to(tmp_path / "outside")
    with pytest.raises(LocalStateError, match="File exists"):
        atomic.write(tmp_path / "new", b"x")
    assert (tmp_path / "outside").read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (atomic.remove, "cannot remove {path}: "),
        (lambda path: atomic.rename(path.parent / "none", path), "cannot write {path}: "),
        (lambda path: atomic.append(path, b"x\n"), "cannot write {path}: "),
    ],
)
def test_a_failure_says_what_was_tried(tmp_path: Path, act: Callable[[Path], None], told: str) -> None:
    path = tmp_path / "folder"
    (path / "inner").mkdir(parents=True)
    with pytest.raises(LocalStateError, match=re.escape(told.format(path=path))):
        act(path)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_a_drive_that_cannot_sync_a_folder_is_good_enough(
    tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing(number))
    atomic.sync_folder(tmp_path)
    assert calls.open == {}, "left open"


def test_a_folder_that_fails_to_sync_is_told(tmp_path: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="nope"):
        atomic.sync_folder(tmp_path)
    assert calls.open == {}, "left open"


@pytest.mark.parametrize(("system", "raises"), [("posix", True), ("nt", False)])
def test_a_folder_that_cannot_be_opened_is_no_fault_on_windows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, raises: bool
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(errno.EACCES))
        patch.setattr(os, "name", system)
        try:
            atomic.sync_folder(tmp_path)
            failed = False
        except PermissionError:
            failed = True
    assert failed is raises


def test_only_a_folder_is_synced_as_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(NotADirectoryError):
        atomic.sync_folder(tmp_path / "file")


def test_a_write_makes_its_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    atomic.write(path, b"one")
    atomic.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["file"]


def test_a_write_replaces_the_file_and_never_truncates_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    with path.open("rb") as reader:
        atomic.write(path, b"twotwo")
        assert reader.read() == b"one"


def test_a_write_goes_to_the_name_and_not_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    atomic.write(tmp_path / "link", b"ours")
    assert (tmp_path / "outside").read_bytes() == b"theirs"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("what", ["a folder stands there", "a file is in the way"])
def test_a_write_that_fails_changes_nothing_and_leaves_no_part(tmp_path: Path, what: str) -> None:
    if what == "a folder stands there":
        path = tmp_path / "x"
        (path / "inner").mkdir(parents=True)
    else:
        (tmp_path / "x").write_bytes(b"x")
        path = tmp_path / "x" / "file"
    with pytest.raises(LocalStateError) as fault:
        atomic.write(path, b"data")
    assert str(path) in fault.value.what
    assert fault.value.what.startswith("cannot write ")
    assert fault.value.code is Exit.REFUSED
    assert names(tmp_path) == ["x"]


ACTS: dict[str, Callable[[Path], None]] = {
    "write": lambda folder: atomic.write(folder / "new", b"x"),
    "write in a new folder": lambda folder: atomic.write(folder / "deep" / "new", b"x"),
    "append": lambda folder: atomic.append(folder / "new", b"x"),
    "remove": lambda folder: atomic.remove(folder / "there"),
    "rename": lambda folder: atomic.rename(folder / "there", folder / "here"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_without_rights_the_hint_says_so(forbidden: Path, act: Callable[[Path], None]) -> None:
    with pytest.raises(LocalStateError) as fault:
        act(forbidden)
    assert "Permission denied" in fault.value.what
    assert fault.value.hint == "check the permissions of the folder"
    assert names(forbidden) == ["there"]


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space and run again; nothing was lost"),
        (errno.EDQUOT, "free some space and run again; nothing was lost"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EPERM, "check the permissions of the folder"),
        (errno.EIO, "mend it and run again; nothing was lost"),
    ],
)
def test_each_fault_of_the_disk_has_a_hint(number: int, hint: str) -> None:
    with pytest.raises(LocalStateError) as fault, atomic.explained("write", Path("/x/y")):
        raise OSError(number, os.strerror(number))
    assert fault.value.what == f"cannot write /x/y: {os.strerror(number)}"
    assert fault.value.hint == hint


def test_a_fault_without_a_number_is_told_too() -> None:
    with pytest.raises(LocalStateError) as fault, atomic.explained("read", Path("/x/y")):
        raise OSError("odd")
    assert fault.value.what == "cannot read /x/y: odd"
    assert fault.value.hint == "mend it and run again; nothing was lost"
    assert isinstance(fault.value.__cause__, OSError)


def test_what_is_no_fault_of_the_disk_passes_through() -> None:
    with pytest.raises(KeyError), atomic.explained("write", Path("/x")):
        raise KeyError("x")


def test_lines_are_added(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    atomic.append(path, b"one\n")
    atomic.append(path, b"two\nthree\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("torn", [b"x", b"half a li", b"y" * 4095, b"z" * 4096, b"z" * 10_000])
@pytest.mark.parametrize("whole", [b"", b"\n", b"one\n", b"one\ntwo\n", b"w" * 5000 + b"\n"])
def test_half_a_line_of_a_killed_run_is_dropped_first(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(whole + torn)
    atomic.append(path, b"new\n")
    assert path.read_bytes() == whole + b"new\n"


def test_every_truncation_of_a_log_is_repaired_by_the_next_line(tmp_path: Path) -> None:
    text, path = b"alpha\nbe\n\ngamma\n", tmp_path / "log"
    for length in range(len(text) + 1):
        path.write_bytes(text[:length])
        atomic.append(path, b"new\n")
        assert path.read_bytes() == text[: text[:length].rfind(b"\n") + 1] + b"new\n"


def test_removing_and_renaming(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.remove(path)
    path.write_bytes(b"x")
    (tmp_path / "other").write_bytes(b"y")
    atomic.rename(path, tmp_path / "other")
    assert names(tmp_path) == ["other"]
    atomic.remove(tmp_path / "other")
    assert names(tmp_path) == []


def test_the_name_of_a_part_is_known_again_and_never_the_same() -> None:
    made = {atomic.part_name() for _ in range(50)}
    assert len(made) == 50
    assert all(atomic.is_part(name) for name in made)
    assert all(re.fullmatch(r"\.sumesync-[0-9a-f]{12}\.part", name) for name in made)
    assert not any(atomic.is_part(name) for name in ("hero.png", ".sumesync-x", "x.part"))


def test_a_whole_large_write_arrives(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    atomic.write(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == data


def test_only_a_file_of_this_very_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"ours")
    assert atomic.read(tmp_path / "file") == b"ours"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("link", "symbolic link"), ("pipe", "it is not a file"), ("none", "No such file")):
        with pytest.raises(OSError, match=why):
            atomic.read(tmp_path / name)


def test_a_cache_that_cannot_be_written_is_none_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    atomic.keep(tmp_path / "there", b"data")
    atomic.keep(tmp_path / "none/file", b"data")
    atomic.keep(tmp_path / "file", b"one")
    atomic.keep(tmp_path / "file", b"two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]
    assert (tmp_path / "file").read_bytes() == b"two"
