"""What git is doing at the moment, read from its files: asking git itself would cost a process a second."""

from __future__ import annotations

import os
from pathlib import Path

_AT_WORK = (
    ("index.lock", "git is at work (.git/index.lock; where no git runs any more, remove that file)"),
    ("MERGE_HEAD", "a merge is under way"),
    ("rebase-merge", "a rebase is under way"),
    ("rebase-apply", "a rebase is under way"),
    ("CHERRY_PICK_HEAD", "a cherry-pick is under way"),
    ("REVERT_HEAD", "a revert is under way"),
)
_LARGEST = 4096


def at_work(root: Path) -> str:
    """What git is in the middle of in the worktree around ``root``; "" where it is at rest, or where there is none."""
    folder = _own_folder(root)
    if folder is None:
        return ""
    return next((text for name, text in _AT_WORK if os.path.lexists(folder / name)), "")


def head(root: Path) -> str:
    """Something that changes whenever HEAD does: another branch, another commit."""
    folder = _own_folder(root)
    if folder is None:
        return ""
    said = _read(folder / "HEAD")
    if not said.startswith("ref:"):
        return said
    shared = folder
    if named := _read(folder / "commondir"):
        shared = folder / named
    name = said.removeprefix("ref:").strip()
    commit = _read(shared / name) if ".." not in name.split("/") else ""
    # Packed, or in a reftable: then its file tells by its time that it has changed.
    return f"{said} {commit or _times(shared / 'packed-refs', shared / 'reftable' / 'tables.list')}"


def _own_folder(root: Path) -> Path | None:
    """The git folder of this very worktree: its index and its HEAD are there."""
    for folder in (root, *root.parents):
        marker = folder / ".git"
        if marker.is_dir():
            return marker
        if marker.is_file():
            named = _read(marker)
            return folder / named.removeprefix("gitdir:").strip() if named.startswith("gitdir:") else None
    return None


def _read(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace").strip()
    except (OSError, ValueError):
        return ""


def _times(*files: Path) -> str:
    found = []
    for file in files:
        try:
            status = os.stat(file)
        except (OSError, ValueError):
            continue
        found.append(f"{status.st_mtime_ns}.{status.st_size}")
    return " ".join(found)
