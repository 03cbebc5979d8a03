"""Many jobs at once: nothing but their own time and three round trips should be waited for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from tests.benchmarks import bare
from tests.benchmarks.project import Run, apply, outputs, project
from tests.benchmarks.row import Row
from tests.benchmarks.sume import serving

_LATENCY = 0.05
_TURNS = 3


def rows() -> Iterator[Row]:
    yield from _rows(500, seconds=5.0, capacity=500)


def _rows(jobs: int, seconds: float, capacity: int) -> Iterator[Row]:
    """The limit: each batch of ``capacity`` jobs takes their time, and one of them is created, seen and fetched."""
    limit = math.ceil(jobs / capacity) * seconds + 3 * _LATENCY
    found: list[tuple[Run, float, float]] = []
    bare_ones: list[float] = []
    for _ in range(_TURNS):
        with serving(seconds=seconds, capacity=capacity, latency=_LATENCY) as sume:
            root = project(jobs)
            run = apply(root, sume)
            told = sume.told()
            if outputs(root) != jobs:
                raise RuntimeError(f"{outputs(root)} of {jobs} pictures")
            found.append((run, told["all"] / jobs, told["cpu"]))
        with serving(seconds=seconds, capacity=capacity, latency=_LATENCY) as sume:
            bare_ones.append(bare.run(sume, jobs, seconds))
    took = statistics.median(run.seconds for run, _, _ in found)
    cpu = statistics.median(cpu for _, _, cpu in found)
    what = f"{jobs:,} jobs of {seconds:g} s, {capacity} at once, 50 ms away (the sandbox used {cpu:.1f} s of a CPU)"
    yield Row(what, took, "s", "their time and 3 round trips", limit, 1.25)
    yield Row("the same", took, "s", "its requests and its writes to the disk alone", statistics.median(bare_ones))


if __name__ == "__main__":
    with serving(seconds=5.0, capacity=500, latency=_LATENCY) as sume:
        root = project(500)
        print(apply(root, sume), {name: told for name, told in sume.told().items() if name != "statuses"})
