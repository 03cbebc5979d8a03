"""The most memory that a run has, beside what is promised: of many jobs, and of one large file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import memory
from tests.benchmarks.disk import scratch
from tests.benchmarks.project import apply, outputs, project
from tests.benchmarks.row import Row
from tests.benchmarks.sume import serving

_GIBIBYTE = 1_074
"""Megabytes of 10**6 bytes."""


def rows() -> Iterator[Row]:
    for jobs, most in ((1_000, 100.0), (10_000, 150.0)):
        with serving(seconds=1.0, capacity=500) as sume:
            root = project(jobs)
            run = apply(root, sume)
            if outputs(root) != jobs:
                raise RuntimeError(f"{outputs(root)} of {jobs} pictures")
        yield Row(f"memory of a run of {jobs:,} jobs ({run.seconds:.0f} s)", run.memory, "MB", "promised", most, 1)
    with tempfile.TemporaryDirectory(dir=scratch()) as name:
        figures = memory.measure(_GIBIBYTE, Path(name))
    most_ = max(figures.uploaded, figures.downloaded)
    yield Row("memory of 1 GiB sent and fetched", most_, "MB", "promised", float(memory.MOST), 1)
