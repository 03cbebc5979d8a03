"""Sume's published limits, in a minute of three seconds: as fast as they allow, and within them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from tests.benchmarks.project import apply, outputs, project
from tests.benchmarks.row import Row
from tests.benchmarks.sume import serving

_CREATES = 10
_READS = 120
_MINUTE = 3.0
_JOBS = 40


def rows() -> Iterator[Row]:
    with serving(
        seconds=0.5, capacity=100, reads_per_minute=_READS, creates_per_minute=_CREATES, minute=_MINUTE
    ) as sume:
        root = project(_JOBS)
        run = apply(root, sume)
        made = outputs(root)
        told = sume.told()
    statuses = told["statuses"]
    if made != _JOBS or (429, 429) in itertools.pairwise(statuses):
        raise RuntimeError(f"{made} of {_JOBS} pictures; answers: {statuses}")
    limit = (math.ceil(_JOBS / _CREATES) - 1) * _MINUTE + 0.5
    what = (
        f"{_JOBS} jobs at {_CREATES} creates and {_READS} reads a minute of {_MINUTE:g} s ({statuses.count(429)} 429s)"
    )
    yield Row(what, run.seconds, "s", "the creates alone", limit)
