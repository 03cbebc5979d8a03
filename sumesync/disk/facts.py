"""What was made of files, remembered in ``.sume/cache/NAME.json`` by the signs that they had when they were read.

Disposable: what does not read, or was made by another version or under other settings, is as good as none. A file is
remembered only where its sign is older than the look, by the clock of the disk itself: whoever writes while we look
leaves a newer one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from sumesync.disk import atomic, signs
from sumesync.disk.signs import Sign

_FORMAT: Final = 1
_MOST_BYTES: Final = 256 << 20


class Facts:
    """One look's view of one such file. ``file`` None: nothing is remembered. ``began``: when the look began, by the
    disk's own clock; None: nothing new is remembered. ``stamp``: what the facts hang on beside the files."""

    def __init__(self, file: Path | None = None, began: int | None = None, stamp: str = "") -> None:
        self._file, self._began, self._stamp = file, began, stamp
        self._known = _load(file, stamp) if file else {}
        self._kept: dict[str, list[Any]] = {}

    @property
    def knows(self) -> bool:
        """Whether anything is remembered."""
        return bool(self._known)

    @property
    def learns(self) -> bool:
        """Whether anything can be."""
        return self._file is not None and self._began is not None

    def of(self, path: str, sign: Sign) -> list[Any] | None:
        """What is remembered of ``path`` at this sign, as JSON has it; None where nothing is."""
        known = self._known.get(path)
        if not isinstance(known, list) or known[:1] != [list(sign)]:
            return None
        self._kept[path] = known
        return known[1:]

    def settled(self, sign: Sign) -> bool:
        """Whether a file of this sign can be remembered: nobody can have written it since the look began."""
        return self._file is not None and self._began is not None and signs.newest(sign) < self._began

    def learn(self, path: str, sign: Sign, told: list[Any]) -> None:
        """``told``, of JSON's types, was made of what ``path`` held after it was seen to have ``sign``."""
        if self.settled(sign):
            self._kept[path] = [list(sign), *told]

    def keep(self) -> None:
        """Remember what was looked at, and nothing else."""
        if self._file is None or self._began is None or self._kept == self._known:
            return
        stamp = {"stamp": self._stamp} if self._stamp else {}
        document = {"format_version": _FORMAT, **stamp, "files": self._kept}
        atomic.keep(self._file, json.dumps(document).encode())


def _load(file: Path, stamp: str) -> dict[str, list[Any]]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return {}
        document = json.loads(atomic.read(file))
        ours = document["format_version"] == _FORMAT and document.get("stamp", "") == stamp
        files = document["files"] if ours else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return files if isinstance(files, dict) else {}
