"""Durable writes. A file of ours is never truncated in place: new file, fsync, rename, fsync of the folder.

Every failure is a LocalStateError that says which path and why, so that a full disk or a read-only
folder ends in one line and exit 3.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sumesync.errors import LocalStateError

# Windows opens files as text unless told otherwise, and would change every newline in a picture.
BINARY = getattr(os, "O_BINARY", 0)
PART_PREFIX = ".sumesync-"
PART_SUFFIX = ".part"

_HINTS = {
    errno.ENOSPC: "free some space and run again; nothing was lost",
    errno.EDQUOT: "free some space and run again; nothing was lost",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "check the permissions of the folder",
    errno.EPERM: "check the permissions of the folder",
}


@contextmanager
def explained(doing: str, path: Path) -> Iterator[None]:
    """Turn an OSError into the LocalStateError that people can act on."""
    try:
        yield
    except OSError as error:
        raise failure(doing, path, error) from error


def failure(doing: str, path: Path, error: OSError) -> LocalStateError:
    """``error`` as ``explained`` tells it, for where thousands of files are read and nearly none fails."""
    hint = _HINTS.get(error.errno or 0, "mend it and run again; nothing was lost")
    return LocalStateError(f"cannot {doing} {path}: {error.strerror or error}", hint)


def part_name() -> str:
    """A name for a temporary file, in the folder of the file that it becomes."""
    return f"{PART_PREFIX}{secrets.token_hex(6)}{PART_SUFFIX}"


def is_part(name: str) -> bool:
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


def read(path: Path) -> bytes:
    """The bytes of a file that is ours. Raises OSError for a link or a device: in the sandbox's folder a pull request
    may have put one."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | BINARY
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        return file.read()


def write(path: Path, data: bytes) -> None:
    """Replace ``path`` with ``data``, durably, or leave it as it was."""
    with explained("write", path):
        folder = path.parent
        part = f"{folder}/{part_name()}"
        try:
            descriptor = _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
        sync_folder(folder)


def _opened(path: str | Path, flags: int, folder: Path) -> int:
    """A descriptor. ``folder``, in which it is, is made where it is not there yet."""
    try:
        return os.open(path, flags | BINARY, 0o666)
    except FileNotFoundError:
        make_folder(folder)
        return os.open(path, flags | BINARY, 0o666)


def keep(path: Path, data: bytes) -> None:
    """Replace a cache with ``data``. Nobody waits for the disk: what does not reach it is as good as none, and so is a
    cache that cannot be written."""
    part = path.parent / part_name()
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes) -> None:
    """All of ``data``: a single write may take a part of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def append(path: Path, data: bytes) -> None:
    """Add whole lines to ``path``, durably. Half a line that a killed run left behind is dropped first: it was
    never durable, so nothing was built upon it. The caller holds the project's mutex."""
    with explained("write", path):
        existed = True
        try:
            descriptor = os.open(path, os.O_RDWR | BINARY)
        except FileNotFoundError:
            existed = False
            descriptor = _opened(path, os.O_RDWR | os.O_CREAT, path.parent)
        try:
            if not _at_end_of_lines(descriptor):
                end = _end_of_last_line(descriptor)
                os.ftruncate(descriptor, end)
                os.lseek(descriptor, end, os.SEEK_SET)
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not existed:
            sync_folder(path.parent)


def _at_end_of_lines(descriptor: int) -> bool:
    """Go to the end of a file, and say whether it ends a line, or is empty."""
    if os.lseek(descriptor, 0, os.SEEK_END) == 0:
        return True
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) == b"\n"


def _end_of_last_line(descriptor: int) -> int:
    end = os.lseek(descriptor, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 4096)
        os.lseek(descriptor, start, os.SEEK_SET)
        newline = os.read(descriptor, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def remove(path: Path, *others: Path) -> None:
    """Remove files of one folder, durably. A missing one is fine."""
    removed = False
    for each in (path, *others):
        with explained("remove", each), suppress(FileNotFoundError):
            each.unlink()
            removed = True
    if removed:
        with explained("remove", path):
            sync_folder(path.parent)


def rename(source: Path, target: Path) -> None:
    """Move ``source`` onto ``target``, durably."""
    with explained("write", target):
        os.replace(source, target)
        sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents; each new one is durable in its parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable. Windows and some network drives cannot open a folder: there
    the rename's own durability has to do."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        if os.name == "posix":
            raise
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
