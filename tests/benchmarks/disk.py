"""Where benchmarks write: a real disk, since what waits for one is a part of what is measured."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_REAL = "/var/tmp"


def scratch() -> str:
    """A folder on a disk: ``TMPDIR``, unless that is in memory."""
    told = os.environ.get("TMPDIR", _REAL)
    return _REAL if Path(told).resolve().is_relative_to("/dev/shm") else told


def folder() -> Path:
    """A new one there, removed when this process ends and not before: for minutes after many files were removed, some
    file systems (ext4 without a journal) look through all of those whenever a file is made."""
    made = Path(tempfile.mkdtemp(prefix="sumesync-bench-", dir=scratch()))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
