"""Where benchmarks write: a real disk, since what waits for one is a part of what is measured."""

from __future__ import annotations

import os
from pathlib import Path

_REAL = "/var/tmp"


def scratch() -> str:
    """A folder on a disk: ``TMPDIR``, unless that is in memory."""
    told = os.environ.get("TMPDIR", _REAL)
    return _REAL if Path(told).resolve().is_relative_to("/dev/shm") else told
