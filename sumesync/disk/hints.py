"""What changes in a project's folder, as hints: names of files that may not be as they were. Nothing relies on them
being complete, or true."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sumesync.disk import atomic, git
from sumesync.disk.git import common_folder
from sumesync.errors import LocalStateError

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver, ObservedWatch

EVERYTHING = ""
"""A hint that names no file: anything may have changed."""
_MANY = 2000
_FEW_FOLDERS = 16
"""Each folder at the top that is watched by itself costs a thread, and on Linux one of 128 inotify instances."""
_SKIPPED = frozenset({"node_modules", "__pycache__"})
Stamp = tuple[int, int, int]


class Bell:
    """Hints from several threads, waited for in one. Many of one file are one."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._woken = False
        self._changed = threading.Condition()

    def ring(self, path: str) -> None:
        with self._changed:
            if len(self._paths) < _MANY:
                self._paths.add(path)
            else:
                self._paths.add(EVERYTHING)
            self._changed.notify()

    def wake(self) -> None:
        """Whoever waits need not: there is other news than that of files."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def wait(self, timeout: float) -> frozenset[str]:
        """What was rung since the last time; waits for something, no longer than ``timeout`` seconds."""
        with self._changed:
            if not self._paths and not self._woken and timeout > 0:
                self._changed.wait(timeout)
            found, self._paths, self._woken = frozenset(self._paths), set(), False
        return found


class FolderHints:
    """Hints of what lies below ``root``, by watchdog. ``tell`` hears what a person must know of it.

    Hidden folders, ``node_modules`` and folders that git ignores are not watched where they stand at the top; where
    many others stand there, all of it is watched at once, and nothing is heard of those.
    """

    def __init__(self, root: Path, poll: bool, tell: Callable[[str, str], None]) -> None:
        """Raises LocalStateError where the folder cannot be watched at all."""
        self._root = root
        self._tell = tell
        self._bell = Bell()
        self._known: dict[str, Stamp | None] = {}
        self._watches: dict[str, tuple[int, ObservedWatch]] = {}
        self._whole: frozenset[str] | None = None
        """The folders at the top that count, where all of them have one watch."""
        self._polls = poll
        self.wake = self._bell.wake
        self._log = _Overflow(self._bell)
        self._observer = self._begin(poll)
        self._log.listen()

    def wait(self, timeout: float) -> frozenset[str]:
        """Paths that have changed, relative to the root; without those that stand as we left them."""
        found = self._bell.wait(timeout)
        if any("/" not in path for path in found):
            self._follow()
        return frozenset(path for path in found if self._counts(path) and not self._ours(path))

    def wrote(self, written: Iterable[str]) -> None:
        """These files were written by us: what is heard of them is no news while they stand as they do now."""
        self._known.update({path: _stamp(self._root / path) for path in written})

    def close(self) -> None:
        self._log.leave()
        self._observer.stop()
        with suppress(RuntimeError):
            self._observer.join(timeout=2)

    def _counts(self, path: str) -> bool:
        top, below, _ = path.partition("/")
        return self._whole is None or not below or top in self._whole

    def _ours(self, path: str) -> bool:
        if path not in self._known:
            return False
        if self._known[path] == _stamp(self._root / path):
            return True
        del self._known[path]
        return False

    def _begin(self, poll: bool) -> BaseObserver:
        try:
            return self._observed(poll)
        except OSError as error:
            limit = _LIMITS.get(error.errno or 0)
            if poll or limit is None:
                raise LocalStateError(
                    f"the folder cannot be watched: {error.strerror or error}", "try it with --poll"
                ) from None
            self._tell(
                f"the system's limit of {limit} is reached: looking for changes every second instead",
                f"to raise it: sudo sysctl {limit}=524288; to look from the start: sumesync watch --poll",
            )
            self._watches.clear()
            self._polls = True
            return self._observed(True)

    def _observed(self, poll: bool) -> BaseObserver:
        made = _observer(poll)
        self._observer = made
        made.start()
        tops = _tops(self._root)
        self._whole = frozenset(tops) if len(tops) > _FEW_FOLDERS and not poll else None
        try:
            self._schedule("", self._whole is not None)
            self._follow()
        except OSError:
            made.stop()
            made.join(timeout=2)
            raise
        return made

    def _follow(self) -> None:
        """Watch the folders at the top that are there now; a folder that was made anew is another one."""
        wanted = _tops(self._root)
        if self._whole is not None:
            self._whole = frozenset(wanted)
            return
        for name, (number, watch) in list(self._watches.items()):
            if name and wanted.get(name) != number:
                with suppress(KeyError, OSError):
                    self._observer.unschedule(watch)
                del self._watches[name]
        for name in wanted.keys() - self._watches.keys():
            with suppress(FileNotFoundError, NotADirectoryError):
                self._schedule(name, True, wanted[name])
                self._bell.ring(EVERYTHING)  # what it had before it was watched

    def _schedule(self, name: str, recursive: bool, number: int = 0) -> None:
        handler = handler_of(self._root, self._bell)
        watch = self._observer.schedule(handler, str(self._root / name), recursive=recursive)
        self._watches[name] = (number, watch)


_LIMITS: Mapping[int, str] = {
    errno.ENOSPC: "fs.inotify.max_user_watches",
    errno.EMFILE: "fs.inotify.max_user_instances",
}


def _observer(poll: bool) -> BaseObserver:
    from watchdog.observers import Observer
    from watchdog.observers.polling import PollingObserver

    return PollingObserver() if poll else Observer()


def handler_of(root: Path, bell: Bell) -> FileSystemEventHandler:
    """Takes watchdog's events for hints."""
    from watchdog.events import FileSystemEventHandler

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in ("opened", "closed_no_write") or (
                event.is_directory and event.event_type == "modified"
            ):
                return
            for name in (event.src_path, event.dest_path):
                path = _relative(root, os.fsdecode(name)) if name else None
                if path is not None and matters(path):
                    bell.ring(path)

    return Handler()


def _relative(root: Path, full: str) -> str | None:
    base = str(root)
    if full == base:
        return EVERYTHING
    return full[len(base) + 1 :].replace(os.sep, "/") if full.startswith(base + os.sep) else None


def matters(path: str) -> bool:
    """Whether a change of this path can change a plan. Caches, git's own files and our own unfinished ones cannot."""
    parts = path.split("/")
    return parts[0] not in (".git", ".sume") and not _SKIPPED.intersection(parts) and not atomic.is_part(parts[-1])


def _tops(root: Path) -> dict[str, int]:
    """Folders at the top that are worth watching, each with its number on the disk."""
    found: dict[str, int] = {}
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and matters(entry.name):
                    found[entry.name] = entry.inode()
    if not found or common_folder(root) is None:
        return found
    with suppress(LocalStateError):
        hidden = git.ignored(root, [f"{name}/" for name in found])
        found = {name: number for name, number in found.items() if f"{name}/" not in hidden}
    return found


def _stamp(full: Path) -> Stamp | None:
    try:
        status = os.lstat(full)
    except (OSError, ValueError):
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)


class _Overflow(logging.Handler):
    """watchdog only logs that the kernel dropped events: then anything may have changed."""

    def __init__(self, bell: Bell) -> None:
        super().__init__(logging.WARNING)
        self._bell = bell
        self._logger = logging.getLogger("watchdog")
        self._before = self._logger.propagate

    def listen(self) -> None:
        self._logger.addHandler(self)
        self._logger.propagate = False

    def leave(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._before

    def emit(self, _record: logging.LogRecord) -> None:
        self._bell.ring(EVERYTHING)
