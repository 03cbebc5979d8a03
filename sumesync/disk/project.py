"""Where a project is, which files are its specs, and what they say."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from sumesync.core import paths, toml
from sumesync.core.config import Config, Schemas, read_config
from sumesync.core.text import printable
from sumesync.core.view import Project
from sumesync.disk import asking, atomic, git, signs
from sumesync.errors import LocalStateError, NoProject, Problem, UsageError
from sumesync.model import SANDBOX, SUME

# Where a system cannot refuse to follow a link in opening, each file is looked at first.
_NO_LINKS = (os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY) if hasattr(os, "O_NOFOLLOW") else 0
_STATE = "sumesync"
_TICK_MS = 20
"""Most disks' clocks go on within it; where one is slower, the first look is not remembered, and the next one is."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one project. ``shared`` outlives branches: git's common folder, or ``.sume`` outside git."""

    root: Path
    shared: Path
    in_git: bool

    @property
    def config(self) -> Path:
        return self.root / paths.CONFIG_NAME

    @property
    def private(self) -> Path:
        """``.sume``: caches and the sandbox's world. It ignores itself."""
        return self.root / asking.PRIVATE

    @property
    def cache(self) -> Path:
        return self.private / "cache"

    @property
    def sandbox(self) -> Path:
        return self.private / SANDBOX

    def state(self, endpoint: str) -> Path:
        """Where the ledger and the journal of an endpoint stand. The sandbox's go with its world."""
        return self.shared if endpoint == SUME else self.sandbox


def find(start: Path) -> Home:
    """The project around ``start``. Raises UsageError, naming ``init``, where there is none."""
    folder = start if start.is_dir() else start.parent
    try:
        folder = folder.resolve(strict=True)
    except OSError:
        raise UsageError(f"there is no folder {printable(str(start))}") from None
    for candidate in (folder, *folder.parents):
        if (candidate / paths.CONFIG_NAME).is_file():
            return home(candidate)
    raise NoProject(
        f"no project here: {printable(str(folder))} and the folders above have no {paths.CONFIG_NAME}",
        "make one with: sumesync init",
    )


def home(root: Path) -> Home:
    common = git.common_folder(root)
    return Home(root, common / _STATE if common else root / asking.PRIVATE, common is not None)


def folder_in_git(root: Path) -> str:
    """The project's folder as its repository names it; "" at the top, and outside git."""
    for top in (root, *root.parents):
        if (top / ".git").exists():
            relative = root.relative_to(top).as_posix()
            return "" if relative == "." else relative
    return ""


def make_private(home_: Home) -> None:
    """Make ``.sume``, which tells git to ignore it."""
    inside(home_.root, f"{asking.PRIVATE}/{SANDBOX}")  # a committed link there would lead our writes elsewhere
    ignore = home_.private / ".gitignore"
    if not ignore.exists():
        atomic.write(ignore, b"# Caches and the sandbox's world; in a git repository nothing is lost with it.\n*\n")


def began(home_: Home) -> int | None:
    """The time by the disk's own clock, in ns, before a look that is to be remembered; None where nothing can be.

    Later than our own making of ``.sume``, else the first look at a project would remember nothing."""
    try:
        make_private(home_)
        home_.cache.mkdir(exist_ok=True)
        clock = str(inside(home_.root, f"{asking.PRIVATE}/{home_.cache.name}") / "now")
        made = signs.newest(signs.of(os.lstat(home_.private)))
        moment = signs.now(clock)
        for _ in range(_TICK_MS):
            if moment > made:
                break
            time.sleep(0.001)  # only where it was just made: the disk's clock goes on in ticks
            moment = signs.now(clock)
        return moment
    except (OSError, LocalStateError):
        return None


def spec_paths(root: Path) -> list[str]:
    """Every spec of the project, sorted: what git does not ignore; outside git all but hidden folders.

    A nested project's specs and those in hidden folders are left out. Raises LocalStateError where git tracks
    anything in ``.sume``.
    """
    listed = git.files(root) if git.common_folder(root) else None
    found = _walk(root) if listed is None else _there(root, listed)
    known: dict[str, bool] = {"": False}
    return sorted(path for path in found if not _hidden(path) and not nested(root, paths.parent(path), known))


def without_absent(home_: Home, project: Project, recorded: set[str]) -> Project:
    """``project`` with those of the ``recorded`` specs that are not here and yet not gone. git is asked only where
    some are missing."""
    missing = recorded - project.spec_paths
    known: dict[str, bool] = {"": False}
    theirs = frozenset(path for path in missing if nested(home_.root, paths.parent(path), known))
    sparse = git.hidden(home_.root) if home_.in_git and missing - theirs else frozenset()
    return replace(project, nested=theirs, sparse=sparse & (missing - theirs))


def _there(root: Path, listed: list[str]) -> list[str]:
    """Those of ``listed`` that stand below ``root`` and are no folders. A folder is asked once for all that it has:
    only what it does not name, such as a name in other letters, is asked for by itself."""
    known: dict[str, frozenset[str]] = {}
    found = []
    for path in listed:
        folder, _, name = path.rpartition("/")
        names = known.get(folder)
        if names is None:
            names = known[folder] = _files_in(f"{root}/{folder}")
        if name in names or _is_there(root, path):
            found.append(path)
    return found


def _files_in(folder: str) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset([entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)])
    except OSError:
        return frozenset()


def _is_there(root: Path, path: str) -> bool:
    try:
        mode = os.lstat(f"{root}/{path}").st_mode
    except OSError:
        return False
    return not stat.S_ISDIR(mode)


def _walk(root: Path) -> list[str]:
    return [
        paths.under(base, name) for base, names in _folders(root) for name in names if name.endswith(paths.SPEC_SUFFIX)
    ]


def folders(root: Path) -> frozenset[str]:
    """Every folder that specs are looked for in, outside git."""
    return frozenset(base for base, _ in _folders(root))


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    for folder, inside_, names in os.walk(root):
        inside_[:] = [name for name in inside_ if not name.startswith(".") and name != "node_modules"]
        relative = Path(folder).relative_to(root).as_posix()
        yield "" if relative == "." else relative, names


def _hidden(path: str) -> bool:
    hidden = path.startswith(".") or "/." in path  # of its folders, or of itself alone
    return hidden and any(part.startswith(".") for part in path.split("/")[:-1])


def nested(root: Path, folder: str, known: dict[str, bool]) -> bool:
    if folder not in known:
        inside = (root / folder / paths.CONFIG_NAME).is_file() or nested(root, paths.parent(folder), known)
        known[folder] = inside
    return known[folder]


def read_settings(home_: Home, schemas: Schemas) -> tuple[Config, tuple[Problem, ...]]:
    """``sumesync.toml``, or its defaults and everything that is wrong with it."""
    data = read_bytes(home_.root, paths.CONFIG_NAME, toml.MAX_BYTES)
    if isinstance(data, str):
        return Config(), (Problem(paths.CONFIG_NAME, data),)
    return read_config(paths.CONFIG_NAME, data, schemas)


def read_bytes(root: Path, path: str, limit: int, proved: set[str] | None = None) -> bytes | str:
    """The bytes of a file of the project, or why not. Links are not followed, at any step of the path. ``proved``: as
    of ``quick_bytes``."""
    try:
        if proved is not None and (quick := quick_bytes(root, path, limit, proved)) is not None:
            return quick
        full = inside(root, path)
        with open(full, "rb", opener=_no_links) as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                return f"{printable(path)} is not a file"
            data = file.read(min(told.st_size, limit) + 1)  # room for the limit would be made at once
            if told.st_size < len(data) <= limit:  # it grows while it is read
                data += file.read(limit + 1 - len(data))
    except LocalStateError as error:
        return error.what
    except FileNotFoundError:
        return f"there is no file {printable(path)}"
    except (OSError, ValueError) as error:
        return f"{printable(path)} cannot be read: {getattr(error, 'strerror', None) or error}"
    return f"{printable(path)} has more than {limit:,} bytes" if len(data) > limit else data


def quick_bytes(root: Path, path: str, limit: int, proved: set[str]) -> bytes | None:
    """What ``read_bytes`` reads, for a look at thousands of files: a third of its time. Raises FileNotFoundError where
    nothing is; None for all that is out of the ordinary, which the slow way tells of. ``proved``: as of ``reached``."""
    if not _NO_LINKS:
        return None
    try:
        descriptor = os.open(reached(root, path, proved), os.O_RDONLY | _NO_LINKS)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, LocalStateError):
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return None
        data = os.read(descriptor, status.st_size + 1)
        return data if len(data) == status.st_size else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def reached(root: Path, path: str, proved: set[str]) -> str:
    """``path`` below ``root``, with no link among its folders; of itself nothing is said. Raises LocalStateError.

    ``proved`` remembers, for one look at thousands of files, the folders that were found to be so.
    """
    folder, _, name = path.rpartition("/")
    if name in ("", ".", ".."):
        raise LocalStateError(f"{printable(path)} is not a path in the project")
    if folder not in proved:
        if folder:
            inside(root, folder)
        proved.add(folder)
    return f"{root}/{path}"


def file_sign(root: Path, path: str, proved: set[str]) -> signs.Sign | None:
    """Of a file of the project, with no link on the way to it; None where no file stands there. ``proved``: as of
    ``reached``."""
    try:
        sign = signs.at(reached(root, path, proved))
    except LocalStateError:
        return None
    return sign if sign and stat.S_ISREG(sign[0]) else None


def open_file(root: Path, path: str) -> BinaryIO:
    """A file of the project, to read. Links are not followed. Raises LocalStateError where no file is."""
    full = inside(root, path)
    with atomic.explained("read", full):
        file = open(full, "rb", opener=_no_links)  # noqa: SIM115 - the caller closes it
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise LocalStateError(f"{printable(path)} is not a file")


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | atomic.BINARY)


def inside(root: Path, path: str) -> Path:
    """``path`` below ``root``, proved to have no link among its folders. Raises LocalStateError."""
    full = str(root)
    for part in path.split("/"):
        if part in ("", ".", "..") or os.path.isabs(part):
            raise LocalStateError(f"{printable(path)} is not a path in the project")
        full = os.path.join(full, part)
        try:
            linked = stat.S_ISLNK(os.lstat(full).st_mode)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise LocalStateError(f"{printable(path)} cannot be reached: {error}") from None
        if linked:
            shown = printable(Path(full).relative_to(root).as_posix())
            raise LocalStateError(f"{shown} is a symbolic link", "sumesync does not follow links; use the file itself")
    return Path(full)
