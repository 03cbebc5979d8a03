"""What files are: hashed, or remembered in ``.sume/cache/hashes.json`` by the sign that they had when they were.

A file is remembered only where its sign was the same before and after it was read, too; whatever would be replaced or
removed is read again by those who do it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Final

from sumesync.core import media
from sumesync.core.media import POINTER_MAX, MediaType, lfs_pointer
from sumesync.disk import atomic, signs
from sumesync.disk.facts import Facts
from sumesync.model import FileFact, FileKind

NAME: Final = "hashes.json"
_CHUNK: Final = 1 << 20
_READING: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | atomic.BINARY

Hashed = tuple[FileFact, MediaType | None, str]
"""What a file is; the media type that its first bytes tell; and what they look like."""


def read(full: str, likely: int = 0) -> Hashed:
    """By its bytes. Of a git-lfs pointer what it names. ``likely``: how many bytes it seems to have; room for a large
    piece of a small file takes longer to make than the file takes to read."""
    digest = hashlib.sha256()
    size, asked = 0, min(max(likely, POINTER_MAX), _CHUNK - 1) + 1
    head = b""
    descriptor = os.open(full, _READING)
    try:
        while chunk := os.read(descriptor, asked):
            whole = not size and len(chunk) < asked
            if whole and (pointer := lfs_pointer(chunk)):
                return FileFact(FileKind.POINTER, *pointer), None, ""
            head = head or chunk[: media.HEAD_BYTES]
            digest.update(chunk)
            size += len(chunk)
            if whole and size == likely:
                break
            asked = _CHUNK
    finally:
        os.close(descriptor)
    return FileFact(FileKind.FILE, digest.hexdigest(), size), media.sniff(head), media.describe(head)


class Hashes:
    """One look's view of files. ``folder``: where what is remembered stands; None: nothing is. ``began``: as of
    ``Facts``."""

    def __init__(self, folder: Path | None = None, began: int | None = None) -> None:
        self._facts = Facts(folder / NAME if folder else None, began)

    def of(self, full: str, path: str, status: os.stat_result) -> Hashed:
        """What stands at ``full``, which the project calls ``path`` and of which ``status`` was just told. Raises
        OSError."""
        sign = signs.of(status)
        known = self._facts.of(path, sign)
        found = _told(known) if known is not None else None
        if found is not None:
            return found
        found = read(full, status.st_size)
        if self._facts.settled(sign) and signs.of(os.lstat(full)) == sign:
            fact, media_type, looks = found
            suffix = media_type.suffix if media_type else ""
            self._facts.learn(path, sign, [str(fact.kind), fact.sha256, fact.size, suffix, looks])
        return found

    def keep(self) -> None:
        """Remember what was looked at, and nothing else."""
        self._facts.keep()


def _told(known: list[Any]) -> Hashed | None:
    """What the file says; None where it is nothing that we wrote."""
    try:
        kind, sha256, size, suffix, looks = known
        fact = FileFact(FileKind(kind), str(sha256), int(size))
        media_type = media.of_suffix(suffix) if suffix else None
        return (fact, media_type, str(looks)) if len(fact.sha256) == 64 and fact.size >= 0 else None
    except (ValueError, TypeError, AttributeError):
        return None
