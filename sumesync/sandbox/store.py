"""The world's log: one JSON record a line, appended under a file lock and synced before anyone is told.

A process killed while appending leaves a line without its end. Readers stop before it, and the next
writer, who holds the lock and so knows that nobody is still writing it, cuts it off.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from sumesync.errors import LocalStateError
from sumesync.model import Json

Record = dict[str, Json]

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(1 << 40)  # past every record: on Windows a locked range cannot be read by others
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def _unlock(file: BinaryIO) -> None:
        file.seek(1 << 40)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


class Log(Protocol):
    """Where a world's facts stand."""

    def news(self) -> list[Record]:
        """The records that this reader has not been given yet, of whichever process."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """No other process appends meanwhile."""

    def append(self, record: Record) -> None:
        """Only within ``exclusive``, and after ``news``. Durable when it returns."""


class Memory:
    """A log that is lost with its process."""

    def news(self) -> list[Record]:
        return []

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def append(self, record: Record) -> None:
        pass


class FileLog:
    """A log in a file, which several processes may share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch()
                _sync_folder(path.parent)
        except OSError as error:
            raise self._broken(error) from error

    def news(self) -> list[Record]:
        try:
            size = self._path.stat().st_size
            if size == self._read:
                return []
            if size < self._read:
                raise ValueError("it was cut short meanwhile")
            with self._path.open("rb") as file:
                file.seek(self._read)
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            records = [_record(line) for line in whole.splitlines()]
        except (OSError, ValueError, RecursionError) as error:
            raise self._broken(error) from error
        self._read += len(whole)
        return records

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        try:
            file = self._path.open("r+b")
        except OSError as error:
            raise self._broken(error) from error
        with file:
            _lock(file)
            self._file = file
            try:
                yield
            finally:
                self._file = None
                _unlock(file)

    def append(self, record: Record) -> None:
        assert self._file is not None, "append needs the lock"
        line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            self._file.truncate(self._read)
            self._file.seek(self._read)
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._broken(error) from error
        self._read += len(line)

    def _broken(self, error: Exception) -> LocalStateError:
        return LocalStateError(
            f"the sandbox's world cannot be used: {self._path}: {error}", "delete .sume/sandbox to begin a new one"
        )


def _record(line: bytes) -> Record:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("a line is not a record")
    return value


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
