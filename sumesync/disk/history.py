"""A project as it stood at a commit, read from git's objects: nothing of the project is checked out, fetched or
written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from sumesync.core import paths, toml
from sumesync.core.config import Schemas
from sumesync.core.text import printable
from sumesync.core.view import Project
from sumesync.disk import git
from sumesync.disk.project import home, read_settings
from sumesync.disk.specs import read_project
from sumesync.errors import LocalStateError, UsageError

_LARGEST: Final = 256 << 20
"""Bytes of a file that a spec took and that is looked at again. Beyond it the metadata have to tell."""
_FAILED: Final = "git does not show an earlier commit"


@dataclass(frozen=True, slots=True)
class Blob:
    """A file at a commit."""

    object_id: str
    size: int


def base_of(root: Path, ref: str) -> str:
    """The commit that ``ref`` and HEAD both come from. Raises UsageError where there is none, or none here."""
    shown = printable(ref, 100)
    if not ref or ref.startswith("-") or not ref.isprintable():
        raise UsageError(f"{shown} is not a branch, a tag or a commit")
    asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    commit = _one(root, asked, 1)
    if not commit:
        raise UsageError(f"git knows no commit {shown} here", f"fetch it first: git fetch origin {shown}")
    if not _one(root, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], 1):
        raise UsageError("there is no commit here yet, so there is nothing to compare with")
    if base := _one(root, ["merge-base", commit, "HEAD"], 1):
        return base
    if _one(root, ["rev-parse", "--is-shallow-repository"]) == "true":
        hint = "fetch the history: git fetch --unshallow (in a workflow: fetch-depth: 0)"
        raise UsageError(f"this clone is shallow, and does not have the commit where {shown} and HEAD part", hint)
    raise UsageError(f"{shown} and HEAD have no commit in common")


def project_at(root: Path, commit: str, schemas: Schemas) -> Project:
    """What people had written at ``commit``, read as ever, from a folder of its own."""
    specs = _specs(root, commit)
    with tempfile.TemporaryDirectory(prefix="sumesync-") as folder:
        then = home(Path(folder).resolve())
        _lay_out(root, commit, [paths.CONFIG_NAME, *specs], then.root, toml.MAX_BYTES + 1)
        config, problems = read_settings(then, schemas)
        found = [path for path in specs if (then.root / path).exists()]
        project = read_project(then, found, config, problems, schemas)
        named = set[str]().union(*project.reads.values())
        if not named:
            return project
        _lay_out(root, commit, named, then.root, _LARGEST)
        return read_project(then, found, config, problems, schemas)


def _specs(root: Path, commit: str) -> list[str]:
    """The specs at ``commit``: not those in hidden folders, nor of nested projects."""
    said = git.ask(root, ["ls-tree", "-r", "-z", "--name-only", commit, "--", "."], _FAILED, offline=True)
    names = os.fsdecode(said).split("\0")
    nested = tuple(f"{paths.parent(name)}/" for name in names if name.endswith(f"/{paths.CONFIG_NAME}"))
    return sorted(
        name
        for name in names
        if name.endswith(paths.SPEC_SUFFIX)
        and not any(part.startswith(".") for part in name.split("/"))
        and not name.startswith(nested)
    )


def _lay_out(root: Path, commit: str, asked: Iterable[str], folder: Path, limit: int) -> None:
    """Write files as they were below ``folder``; only under names that are names everywhere."""
    safe = [path for path in asked if not paths.path_fault(path)]
    for path, data in texts_at(root, commit, safe, limit).items():
        full = folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data)


def blobs_at(root: Path, commit: str, named: Iterable[str]) -> dict[str, Blob]:
    """The files among ``named`` (relative to ``root``) that stood there at ``commit``."""
    asked = sorted(path for path in named if "\n" not in path)
    if not asked:
        return {}
    command = ["cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"]
    lines = _batch(root, command, (f"{commit}:./{path}" for path in asked)).splitlines()
    found = ((path, line.split(b" ")) for path, line in zip(asked, lines, strict=True))
    return {
        path: Blob(parts[0].decode(), int(parts[2])) for path, parts in found if len(parts) == 3 and parts[1] == b"blob"
    }


def texts_at(root: Path, commit: str, named: Iterable[str], limit: int) -> Mapping[str, bytes]:
    """The bytes of those files among ``named`` that stood there at ``commit`` and are no larger than ``limit``."""
    blobs = {path: blob for path, blob in blobs_at(root, commit, named).items() if blob.size <= limit}
    said = _batch(root, ["cat-file", "--batch"], (blob.object_id for blob in blobs.values())) if blobs else b""
    found, at = {}, 0
    for path, blob in blobs.items():
        start = said.index(b"\n", at) + 1  # after "ID blob SIZE"
        found[path] = said[start : start + blob.size]
        at = start + blob.size + 1
    return found


def export(root: Path, blob: Blob, into: IO[bytes]) -> bool:
    """Write a file as it was ``into``; False where git has lost it, or never fetched it."""
    try:
        git.ask(root, ["cat-file", "blob", blob.object_id], _FAILED, into=into, offline=True)
    except LocalStateError:
        return False
    return True


def _batch(root: Path, command: list[str], names: Iterable[str]) -> bytes:
    return git.ask(root, command, _FAILED, os.fsencode("".join(f"{name}\n" for name in names)), offline=True)


def _one(root: Path, arguments: list[str], none: int = 0) -> str:
    return os.fsdecode(git.ask(root, arguments, _FAILED, none=none, offline=True)).strip()
