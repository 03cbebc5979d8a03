"""What a sign notices, and when it is not to be trusted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sumesync.disk import signs

THEN = 1_700_000_000_000_000_000


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "b.png", "sub/c.png"):
        (tmp_path / name).write_bytes(b"picture")
        os.utime(tmp_path / name, ns=(THEN, THEN))
    return tmp_path


def same_bytes_written_again(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"picture")


def other_bytes_with_the_old_time(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"pixture")
    os.utime(folder / "a.png", ns=(THEN, THEN))


def another_file_with_the_old_time(folder: Path) -> None:
    shutil.copy2(folder / "a.png", folder / "new.png")
    (folder / "new.png").replace(folder / "a.png")


def a_link_to_the_same_bytes(folder: Path) -> None:
    (folder / "a.png").rename(folder.parent / "moved.png")
    (folder / "a.png").symlink_to(folder.parent / "moved.png")


def a_folder_behind_a_link(folder: Path) -> None:
    (folder / "sub").rename(folder.parent / "moved")
    (folder / "sub").symlink_to(folder.parent / "moved")


def other_rights(folder: Path) -> None:
    (folder / "a.png").chmod(0o400)


def one_file_more(folder: Path) -> None:
    (folder / "c.png").write_bytes(b"")


def one_file_less(folder: Path) -> None:
    (folder / "b.png").unlink()


def two_names_changed(folder: Path) -> None:
    (folder / "a.png").rename(folder / "x.png")
    (folder / "b.png").rename(folder / "a.png")
    (folder / "x.png").rename(folder / "b.png")


@pytest.mark.parametrize(
    "deed",
    [
        same_bytes_written_again,
        other_bytes_with_the_old_time,
        another_file_with_the_old_time,
        a_link_to_the_same_bytes,
        a_folder_behind_a_link,
        other_rights,
        one_file_more,
        one_file_less,
        two_names_changed,
    ],
)
def test_a_folder_is_another_after(there: Path, deed: Callable[[Path], None]) -> None:
    before = signs.folder(str(there))
    assert before == signs.folder(str(there))
    deed(there)
    assert signs.folder(str(there))[0] not in (before[0], signs.ABSENT)


def test_what_goes_on_inside_a_folder_in_it_is_for_that_folder_to_tell(there: Path) -> None:
    outer, inner = signs.folder(str(there))[0], signs.folder(str(there / "sub"))[0]
    (there / "sub/d.png").write_bytes(b"")
    assert signs.folder(str(there))[0] == outer
    assert signs.folder(str(there / "sub"))[0] != inner


def test_names_that_do_not_count(there: Path) -> None:
    before = signs.folder(str(there), ("b.png",))[0]
    (there / "b.png").write_bytes(b"other")
    assert signs.folder(str(there), ("b.png",))[0] == before


def test_a_folder_that_is_none(there: Path) -> None:
    assert signs.folder(str(there / "none")) == (signs.ABSENT, 0)
    assert signs.folder(str(there / "a.png")) == (signs.ABSENT, 0)


def test_whoever_writes_after_a_look_began_leaves_no_earlier_time(there: Path) -> None:
    """A file's time can be set back; the time at which that was done cannot."""
    began = signs.now(str(there / "now"))
    for deed in (one_file_more, one_file_less, other_bytes_with_the_old_time, other_rights):
        deed(there)
        assert signs.folder(str(there))[1] >= began


def test_the_disk_tells_the_time_and_follows_no_link(there: Path) -> None:
    (there / "file").write_bytes(b"")
    (there / "now").symlink_to(there / "file")
    with pytest.raises(OSError, match="now"):
        signs.now(str(there / "now"))


def test_systems_that_know_no_open_folders_tell_the_same(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signs.folder(str(there), ("b.png",))
    monkeypatch.setattr(signs, "_BY_FOLDER", False)
    assert signs.folder(str(there), ("b.png",)) == before


def test_large_numbers(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of inodes on some systems."""
    real = os.lstat

    class Large:
        def __init__(self, status: os.stat_result) -> None:
            self._status = status

        def __getattr__(self, name: str) -> int:
            return int(getattr(self._status, name)) + (1 << 80 if name == "st_ino" else 0)

    monkeypatch.setattr(os, "lstat", lambda path, dir_fd=None: Large(real(path, dir_fd=dir_fd)))
    assert len(signs.folder(str(there))[0]) == 32
