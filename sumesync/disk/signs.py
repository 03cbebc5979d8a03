"""Signs that files are what they were: what ``lstat`` tells, never their bytes. Imports next to nothing.

A sign is trusted only where all its times lie before the look that read the bytes began, by the clock of the disk
itself (git's rule for what is "racily clean"): whoever writes while we look, or in the same tick of that clock, leaves
a time that is not earlier.
"""

from __future__ import annotations

import os
import struct
from stat import S_IFDIR, S_IFMT

try:
    from _blake2 import blake2b  # type: ignore[import-not-found, unused-ignore] # hashlib costs half a start of Python
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False  # typing itself costs more than all that is imported here
if TYPE_CHECKING:
    from collections.abc import Iterable

ABSENT = ""
_BY_FOLDER = os.stat in os.supports_dir_fd and os.listdir in os.supports_fd
"""Whether names can be asked for within an open folder: that spares the way to it each time."""

Sign = tuple[int, int, int, int, int]
"""Mode, size, mtime and ctime in ns, inode."""


def of(status: os.stat_result) -> Sign:
    return status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def at(path: str) -> Sign | None:
    """Of what stands there; None where nothing does."""
    try:
        return of(os.lstat(path))
    except OSError:
        return None


def newest(sign: Sign) -> int:
    """The latest time in it, in ns. A ctime cannot be set back by whoever sets an mtime."""
    return max(sign[2], sign[3])


def now(path: str) -> int:
    """The time by the disk's own clock, in ns: of a file that is touched for it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        os.utime(descriptor)
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)


def folder(path: str, apart: Iterable[str] = ()) -> tuple[str, int]:
    """A digest of the names and signs in a folder, and the latest time among them and its own; ABSENT where it cannot
    be read. Of what is a folder in it only that it is this one; names ``apart`` do not count."""
    try:
        latest = newest(of(os.lstat(path)))
        if not _BY_FOLDER:
            return _told(sorted(set(os.listdir(path)).difference(apart)), f"{path}/", None, latest)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return _told(sorted(set(os.listdir(descriptor)).difference(apart)), "", descriptor, latest)
        finally:
            os.close(descriptor)
    except OSError:
        return ABSENT, 0


def _told(names: list[str], before: str, descriptor: int | None, latest: int) -> tuple[str, int]:
    numbers: list[int] = []
    lstat = os.lstat
    for name in names:
        status = lstat(before + name, dir_fd=descriptor)
        mode = status.st_mode
        if S_IFMT(mode) == S_IFDIR:
            numbers += (mode, status.st_ino)
            continue
        modified, changed = status.st_mtime_ns, status.st_ctime_ns
        if modified > latest or changed > latest:
            latest = max(modified, changed)
        numbers += (mode, status.st_size, modified, changed, status.st_ino)
    return digest(_packed(numbers) + "\0".join(names).encode("utf-8", "surrogateescape")), latest


def digest(data: bytes) -> str:
    """32 hex digits."""
    return str(blake2b(data, digest_size=16).hexdigest())


def _packed(numbers: list[int]) -> bytes:
    try:
        return struct.pack(f"{len(numbers)}q", *numbers)
    except struct.error:  # inodes of some systems are larger
        return repr(numbers).encode()
