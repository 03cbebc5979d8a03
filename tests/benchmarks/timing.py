"""Whole commands, in turn, so that a machine that slows down slows all of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

SUMESYNC = (str(Path(sys.executable).parent / "sumesync"),)
PYTHON = (sys.executable, "-c", "pass")


def medians(commands: Mapping[str, Sequence[str]], folder: Path, runs: int, warm: int = 1) -> dict[str, float]:
    """The median of wall seconds of each command, over ``runs`` rounds of all of them in turn."""
    took: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(warm + runs):
        for name, command in commands.items():
            seconds = once(command, folder)
            if number >= warm:
                took[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in took.items()}


def once(command: Sequence[str], folder: Path, most: float | None = None) -> float:
    """Wall seconds of one run, which must end well. Raises TimeoutExpired after ``most``."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "NO_COLOR": "1"}
    began = time.perf_counter()
    null = subprocess.DEVNULL
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=most, stdout=null, stderr=null)
    return time.perf_counter() - began
