"""What is on disk now: hashes of the files that the plan asks about, names in the folders of outputs, metadata."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sumesync.core import media, metadata, paths
from sumesync.core.action import Observed
from sumesync.core.inputs import MOST_BYTES, InputFile
from sumesync.core.metadata import MetadataFact
from sumesync.core.paid import Index, index
from sumesync.core.paths import MEDIA_SUFFIXES, suffix_of
from sumesync.core.placement import documents, paths_of_interest, recorded_paths
from sumesync.core.text import printable
from sumesync.core.view import Project, State
from sumesync.disk import atomic, described, git
from sumesync.disk.facts import Facts
from sumesync.disk.hashes import Hashes
from sumesync.disk.project import Home, inside, reached
from sumesync.errors import LocalStateError
from sumesync.model import EntryKey, FileFact, FileKind, Lock

_CHUNK: Final = 1 << 20
HASHES: Final = Hashes()
FACTS: Final = Facts()
"""Both remember nothing: every file is read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands where a lock says that media and metadata do; None: nothing."""

    files: Mapping[str, FileFact | None]
    described: Mapping[str, MetadataFact | None]


def standing(
    root: Path,
    lock: Lock,
    hashes: Hashes = HASHES,
    facts: Facts = FACTS,
    blocks: Mapping[EntryKey, str] = MappingProxyType({}),
) -> Standing:
    """``facts``: what is remembered of metadata; ``blocks``: the text of each entry in the lock."""
    proved: set[str] = set()
    files = {path: look(root, path, hashes, proved) for path in sorted(recorded_paths(lock))}
    places = {metadata.path_of(key): entry for key, entry in lock.entries.items()}
    view = described.Described(root, facts, blocks, proved)
    return Standing(files, {path: view.of(path, places[path]) for path in sorted(places)})


def observe(
    root: Path,
    project: Project,
    state: State,
    endpoint: str,
    hashes: Hashes = HASHES,
    known: Standing | None = None,
    paid: Index | None = None,
) -> Observed:
    """Look at everything that a plan of ``project`` may ask about, and at nothing else. ``known``: what stands where
    the lock says, and ``paid``: the index of ``state``, where they are there already."""
    known = standing(root, state.lock, hashes) if known is None else known
    paid = index(state.lock, state.facts, state.journal, endpoint) if paid is None else paid
    asked = paths_of_interest(project.wanted, known.files, state.facts, paid)
    folders = {wanted.folder for wanted in project.wanted}
    names = {folder: names_in(root, folder) for folder in folders}
    proved: set[str] = set()
    files = {**known.files, **{path: look(root, path, hashes, proved) for path in sorted(asked - known.files.keys())}}
    places = {metadata.path_of(wanted.key) for wanted in project.wanted}
    new = {path: described.read(root, path, proved) for path in sorted(places - known.described.keys())}
    found = {path: fact for path, fact in {**known.described, **new}.items() if fact is not None}
    there = {path: fact for path, fact in files.items() if fact is not None}
    looked_at = frozenset(asked | places | known.described.keys())
    return Observed(there | documents(found), names, found, looked_at=looked_at)


def look(root: Path, path: str, hashes: Hashes = HASHES, proved: set[str] | None = None) -> FileFact | None:
    """What stands at ``path``; None when nothing does. Links and folders are OTHER: never ours. ``proved``: as of
    ``reached``."""
    try:
        full = str(inside(root, path)) if proved is None else reached(root, path, proved)
        status = os.lstat(full)
    except FileNotFoundError:
        return None
    except LocalStateError:
        return FileFact(FileKind.OTHER)
    except OSError:
        return None if proved is None else look(root, path, hashes)
    if not stat.S_ISREG(status.st_mode):
        return FileFact(FileKind.OTHER)
    try:
        return hashes.of(full, path, status)[0]
    except OSError as error:
        raise atomic.failure("read", Path(full), error) from error


def look_input(root: Path, path: str, hashes: Hashes = HASHES) -> InputFile:
    """A file that a spec takes as media, or why it cannot be. One that is too large is not read."""
    try:
        full = inside(root, path)
        status = os.lstat(full)
        if not stat.S_ISREG(status.st_mode):
            return InputFile(fault=f"{printable(path)} is not a file")
        if status.st_size > MOST_BYTES:
            return InputFile(size=status.st_size)
        fact, media_type, looks = hashes.of(str(full), path, status)
    except LocalStateError as error:
        return InputFile(fault=error.what, hint=error.hint)
    except FileNotFoundError:
        return InputFile(fault=f"there is no file {printable(path)}")
    except (OSError, ValueError) as error:
        return InputFile(fault=f"{printable(path)} cannot be read: {getattr(error, 'strerror', None) or error}")
    if fact.kind is FileKind.POINTER:
        looks = "a git-lfs pointer, and its ending names no media that is known"
        return InputFile(fact.sha256, fact.size, media.of_suffix(suffix_of(path)), looks)
    return InputFile(fact.sha256, fact.size, media_type, looks)


def committed(home: Home, files: Mapping[str, FileFact]) -> dict[str, str]:
    """The hash of each of ``files`` whose bytes, or git-lfs pointer to them, are in the last commit; else ""."""
    if not home.in_git:
        return dict.fromkeys(files, "")
    ids = git.committed(home.root, sorted(files))
    return {
        path: fact.sha256 if path in ids and _is_object(home.root, path, fact, ids[path]) else ""
        for path, fact in files.items()
    }


def _is_object(root: Path, path: str, fact: FileFact, object_id: str) -> bool:
    """Whether git's object has what stands at ``path``: git names an object by a hash of its bytes."""
    made = hashlib.sha1 if len(object_id) == 40 else hashlib.sha256
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{fact.sha256}\nsize {fact.size}\n".encode()
    if made(b"blob %d\0" % len(pointer) + pointer).hexdigest() == object_id:
        return True
    full = inside(root, path)
    with atomic.explained("read", full), open(full, "rb") as file:
        digest = made(b"blob %d\0" % os.fstat(file.fileno()).st_size)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == object_id


def names_in(root: Path, folder: str) -> frozenset[str]:
    """Names of media files in a folder of outputs; none when it is not there yet."""
    try:
        full = inside(root, folder) if folder else root
        with os.scandir(full) as entries:
            return frozenset(entry.name for entry in entries if suffix_of(entry.name) in MEDIA_SUFFIXES)
    except (OSError, LocalStateError):
        return frozenset()


def find_metadata(root: Path, specs: Iterable[str]) -> dict[str, MetadataFact]:
    """Every metadata file beside ``specs``, and every other below ``root`` that is ours: for ``lock rebuild``."""
    found: dict[str, MetadataFact] = {}
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [
            name for name in folders if not name.startswith(".") and not (here / name / paths.CONFIG_NAME).exists()
        ]
        base = here.relative_to(root).as_posix()
        for name in names:
            path = paths.under("" if base == "." else base, name)
            if name.endswith(paths.METADATA_SUFFIX) and (fact := described.read(root, path)) and fact.ours:
                found[path] = fact
    for spec in specs:
        path = spec.removesuffix(paths.SPEC_SUFFIX) + paths.METADATA_SUFFIX
        if path not in found and (fact := described.read(root, path)) and fact.ours:
            found[path] = fact
    return found
