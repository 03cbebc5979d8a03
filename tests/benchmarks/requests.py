"""Requests a job: to create it, for its result and its media, and its share of the polls."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.project import apply, outputs, project
from tests.benchmarks.row import Row
from tests.benchmarks.sume import serving

_PROMISED = 3.2
_RUNS = ((100, 100, 0, 2.0), (100, 20, 5_000, 2.0), (500, 500, 5_000, 2.0), (500, 500, 0, 5.0), (500, 500, 5_000, 20.0))


def rows() -> Iterator[Row]:
    for jobs, capacity, others, seconds in _RUNS:
        with serving(seconds=seconds, capacity=capacity, latency=0.02, others=others) as sume:
            root = project(jobs)
            apply(root, sume)
            told = sume.told()
            if outputs(root) != jobs:
                raise RuntimeError(f"{outputs(root)} of {jobs} pictures")
        what = f"requests a job, of {jobs} jobs of {seconds:g} s, {capacity} at once, among {others:,} of others"
        yield Row(what, told["all"] / jobs, "", "create, result, media", 3.0, _PROMISED / 3.0)
