"""Durable writes: whole or not at all, and a failure says which path and why."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sumesync.disk import atomic
from sumesync.errors import Exit, LocalStateError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, "mend it and run again; nothing was lost"),
    ],
)
def test_each_fault_of_the_disk_has_a_hint(number: int, hint: str) -> None:
    with pytest.raises(LocalStateError) as fault, atomic.explained("write", Path("/x/y")):
        raise OSError(number, os.strerror(number))
    assert fault.value.what == f"cannot write /x/y: {os.strerror(number)}"
    assert fault.value.hint == hint


def test_what_is_no_fault_of_the_disk_passes_through() -> None:
    with pytest.raises(KeyError), atomic.explained("write", Path("/x")):
        raise KeyError("x")


def test_lines_are_added(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    atomic.append(path, b"one\n")
    atomic.append(path, b"two\nthree\n")
    assert path.read_bytes() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("torn", [b"x", b"half a li", b"y" * 4095, b"z" * 4096, b"z" * 10_000])
@pytest.mark.parametrize("whole", [b"", b"one\n", b"one\ntwo\n", b"w" * 5000 + b"\n"])
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
