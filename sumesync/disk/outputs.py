"""Putting media in their places: part file, verify, fsync, look again, rename. Only our own bytes are ever
replaced or removed, and every path is proved to lead nowhere else right before it is used."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sumesync.core import metadata, paths
from sumesync.core.action import Observed
from sumesync.disk import atomic
from sumesync.disk.observe import look
from sumesync.disk.project import inside, open_file, read_bytes
from sumesync.errors import LocalStateError, MediaError
from sumesync.model import FileFact, FileKind

if TYPE_CHECKING:
    from sumesync import ports

_HEAD: Final = 4096


class Part:
    """A file being written beside its target. Closed and removed unless it is placed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.head = b""
        self._digest = hashlib.sha256()
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | atomic.BINARY, 0o666)

    def write(self, data: bytes) -> None:
        """Raises LocalStateError when the disk refuses."""
        if self._descriptor is None:
            raise ValueError("this part is closed")
        with atomic.explained("write", self.path):
            atomic.write_all(self._descriptor, data)
        if len(self.head) < _HEAD:
            self.head += data[: _HEAD - len(self.head)]
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> tuple[str, int]:
        """Make the bytes durable: (sha256, size)."""
        if self._descriptor is not None:
            with atomic.explained("write", self.path):
                os.fsync(self._descriptor)
            self._close()
        return self._digest.hexdigest(), self.size

    def discard(self) -> None:
        self._close()
        with suppress(OSError):
            self.path.unlink()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Reading:
    """The Source port on this machine."""

    def __init__(self, root: Path, path: str) -> None:
        self._path = path
        self._file = open_file(root, path)

    def read(self, size: int, /) -> bytes:
        with atomic.explained("read", Path(self._path)):
            return self._file.read(size)

    def close(self) -> None:
        self._file.close()


class OutputFiles:
    """The Media port on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def part(self, folder: str) -> Part:
        full = inside(self._root, folder) if folder else self._root
        with atomic.explained("write in", full):
            atomic.make_folder(full)
            return Part(full / atomic.part_name())

    def look(self, path: str) -> FileFact | None:
        return look(self._root, path)

    def open(self, path: str) -> Reading:
        return Reading(self._root, path)

    def place(self, part: ports.Part, target: str, expected: FileFact | None) -> bool:
        """Rename ``part`` onto ``target`` if what stands there is still ``expected``. False: it is not."""
        full = inside(self._root, target)
        if self.look(target) != expected:
            return False
        if expected is None:
            return self._place_new(part, full)
        atomic.rename(part.path, full)
        return True

    def _place_new(self, part: ports.Part, full: Path) -> bool:
        """Where nothing stands a hard link decides: unlike a rename it cannot overwrite a file that came meanwhile."""
        try:
            os.link(part.path, full)
        except FileExistsError:
            return False
        except FileNotFoundError:
            raise MediaError(f"the download of {full.name} was removed before it was in its place") from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
                with atomic.explained("write", full):
                    raise
            atomic.rename(part.path, full)  # no hard links here (FAT, some network drives)
            return True
        with atomic.explained("write", full):
            part.path.unlink()
            atomic.sync_folder(full.parent)
        return True

    def copy(self, source: str, folder: str, sha256: str) -> Part | None:
        """A part in ``folder`` with the bytes of ``source``; None when they are no longer those of ``sha256``."""
        full = inside(self._root, source)
        part = self.part(folder)
        try:
            with atomic.explained("read", full), open(full, "rb") as file:
                while chunk := file.read(1 << 20):
                    part.write(chunk)
        except LocalStateError as error:
            part.discard()
            if isinstance(error.__cause__, FileNotFoundError):
                return None  # gone since the plan
            raise
        except BaseException:
            part.discard()
            raise
        if part.finish()[0] != sha256 and not self._is_pointer(source, sha256):
            part.discard()
            return None
        return part

    def _is_pointer(self, path: str, sha256: str) -> bool:
        fact = self.look(path)
        return fact is not None and fact.kind is FileKind.POINTER and fact.sha256 == sha256

    def remove(self, path: str, sha256: str) -> bool:
        """Remove ``path`` if its bytes are still those of ``sha256``."""
        fact = self.look(path)
        if fact is None or fact.kind is FileKind.OTHER or fact.sha256 != sha256:
            return False
        atomic.remove(inside(self._root, path))
        return True

    def read_text(self, path: str) -> str | None:
        full = inside(self._root, path)
        if not os.path.lexists(full):
            return None
        data = read_bytes(self._root, path, metadata.MAX_BYTES)
        if isinstance(data, str):
            raise LocalStateError(data)
        return data.decode("utf-8", "replace")

    def write_text(self, path: str, text: str) -> None:
        atomic.write(inside(self._root, path), text.encode())

    def remove_text(self, path: str) -> None:
        atomic.remove(inside(self._root, path))

    def sweep(self, observed: Observed, specs: Iterable[str]) -> None:
        """Remove parts that a killed run left in folders of outputs and beside specs. The caller holds the mutex:
        nobody is writing them."""
        beside = (paths.parent(path) for path in (*observed.files, *specs))
        for folder in {"", *observed.names, *beside}:
            with suppress(OSError, LocalStateError):
                full = inside(self._root, folder) if folder else self._root
                for name in os.listdir(full):
                    part = full / name
                    if atomic.is_part(name):
                        part.unlink()
