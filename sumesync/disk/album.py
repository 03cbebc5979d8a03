"""The folder of a report: written beside its place and then put there whole, in the place of nothing or of an earlier
report. Names in it are hashes: nothing from outside is a file name."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from sumesync.core import media, paths
from sumesync.core.text import printable
from sumesync.disk import atomic, thumbnails
from sumesync.disk.project import inside
from sumesync.errors import LocalStateError, UsageError

MARKER: Final = ".sumesync-report"
_MARK: Final = b"A report of sumesync. sumesync report replaces this folder.\n"
_FOLDERS: Final = ("media", "thumbs")
_FILES: Final = frozenset({MARKER, "index.html", "icon.svg"})
_STRAY: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_OURS: Final = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{2,5}")
_PRIVATE: Final = frozenset({".git", ".github", ".sume"})
_CHUNK: Final = 1 << 20
_ICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d1c1a"/>'
    b'<rect x="7" y="8" width="18" height="16" rx="2" fill="none" stroke="#f6f5f2" stroke-width="2"/>'
    b'<path d="m8 21 5-6 4 4 3-3 4 5" fill="none" stroke="#f6f5f2" stroke-width="2"/></svg>\n'
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A media file in a report; ``thumb`` is "" where it cannot be shown small."""

    file: str
    family: str
    thumb: str = ""
    width: int = 0
    height: int = 0
    size: int = 0


class Album:
    """A report's folder while it is being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Kept | None] = {}

    @property
    def kept(self) -> tuple[Kept, ...]:
        """Every media file, each once."""
        return tuple(kept for kept in self._known.values() if kept is not None)

    def keep(self, pour: Callable[[IO[bytes]], bool], known: str = "") -> Kept | None:
        """Take in the file that ``pour`` writes, and make its thumbnail; None where it could not, or where that is no
        media file that we know. ``known``: its sha256, where a plan has told it."""
        if known in self._known:
            return self._known[known]
        part = self._folder / atomic.part_name()
        try:
            with open(part, "xb") as file:
                whole = pour(file)
            sha256, head, size = _digest(part)
            if sha256 not in self._known:
                found = media.sniff(head) if whole else None
                self._known[sha256] = self._placed(part, sha256, found, size) if found else None
            return self._known[sha256]
        finally:
            part.unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> None:
        (self._folder / name).write_bytes(data)

    def _placed(self, part: Path, sha256: str, found: media.MediaType, size: int) -> Kept:
        name = sha256[:32]
        file = f"media/{name}{found.suffix}"
        os.replace(part, self._folder / file)
        thumb = f"thumbs/{name}.jpg"
        made = thumbnails.make(self._folder / file, found.name, self._folder / thumb)
        return Kept(file, found.family, thumb if made else "", *(made or (0, 0)), size)


def copy_of(root: Path, path: str) -> Callable[[IO[bytes]], bool]:
    """What pours a file of the project. A copy, not a link: who changes the report must not change the original."""

    def pour(into: IO[bytes]) -> bool:
        try:
            with open(inside(root, path), "rb") as file:
                shutil.copyfileobj(file, into, _CHUNK)
        except (OSError, LocalStateError):
            return False
        return True

    return pour


def _digest(path: Path) -> tuple[str, bytes, int]:
    digest, head, size = hashlib.sha256(), b"", 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            head = head or chunk[: media.HEAD_BYTES]
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), head, size


def target_of(root: Path, folder: Path) -> Path:
    """Where the report of the project at ``root`` goes, proved to be no place of anybody else's."""
    full = Path(os.path.normpath(folder.absolute()))
    shown = printable(str(folder))
    if full.is_symlink():
        raise UsageError(f"{shown} is a symbolic link", "name a folder of its own")
    real = full.parent.resolve() / full.name
    if _PRIVATE & {paths.folded(part) for part in (*full.parts, *real.parts)}:
        raise UsageError(f"{shown} lies in a folder of git, GitHub or sumesync itself", "name another folder")
    if real == root or real in root.parents:
        raise UsageError(f"{shown} is the project itself", "name a folder of its own, such as report")
    if root in full.parents:
        inside(root, full.relative_to(root).as_posix())  # a pull request can commit links
    if os.path.lexists(real) and (other := _not_ours(real)):
        what = f"{shown} is not empty, and {printable(other)} is not of an earlier report"
        raise UsageError(what, "name a new folder, or clear it")
    return real


def _not_ours(folder: Path) -> str:
    """The first thing in ``folder`` that no report of ours has; "" where the folder may be replaced."""
    if not folder.is_dir():
        return folder.name
    names = sorted(set(os.listdir(folder)) - _STRAY)
    if not names:
        return ""
    if MARKER not in names:
        return names[0]
    for name in names:
        full = folder / name
        expected = full.is_dir() if name in _FOLDERS else name in _FILES and full.is_file()
        if full.is_symlink() or not expected:
            return name
        for inner in sorted(set(os.listdir(full)) - _STRAY) if full.is_dir() else ():
            if not _OURS.fullmatch(inner) or not (full / inner).is_file():
                return f"{name}/{inner}"
    return ""


@contextmanager
def writing(target: Path) -> Iterator[Album]:
    """An album that takes its place when the block ends well, and leaves nothing when it does not."""
    beside = target.parent / f".{target.name[:100]}-{secrets.token_hex(6)}"
    old = beside.with_name(beside.name + "-old")
    with atomic.explained("write", target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        try:
            for name in _FOLDERS:
                (beside / name).mkdir()
            (beside / MARKER).write_bytes(_MARK)
            (beside / "icon.svg").write_bytes(_ICON)
            yield Album(beside)
            _put(beside, target, old)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _put(beside: Path, target: Path, old: Path) -> None:
    if not os.path.lexists(target):
        os.rename(beside, target)
        return
    os.rename(target, old)
    try:
        os.rename(beside, target)
    except OSError:
        with suppress(OSError):
            os.rename(old, target)
        raise
