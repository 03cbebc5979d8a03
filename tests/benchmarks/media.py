"""Many results at once, as a fresh clone fetches them: the network should be what is waited for, not this program."""

from __future__ import annotations

import hashlib
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import urllib3

from tests.benchmarks.project import apply, outputs, project
from tests.benchmarks.row import Row
from tests.benchmarks.sume import Sume, serving

_FILES = 100
_BYTES = 4_000_000
_THREADS = 24
_TURNS = 3


def rows() -> Iterator[Row]:
    """The peer fetches the same bytes from the same place with as many threads, hashes and fsyncs them, and decides
    nothing."""
    ours, theirs = [], []
    with serving(seconds=0.1, capacity=500, bytes=_BYTES) as sume:
        root = project(_FILES)
        apply(root, sume)
        for _ in range(_TURNS):
            for path in root.rglob("*.png"):
                path.unlink()
            ours.append(apply(root, sume, verb="fetch").seconds)
            if outputs(root) != _FILES:
                raise RuntimeError(f"{outputs(root)} of {_FILES} pictures")
            theirs.append(_bare(sume, root))
    what = f"fetch {_FILES} files of {_BYTES / 1e6:g} MB: ask, stream, hash, fsync, metadata"
    yield Row(
        what, statistics.median(ours), "s", f"{_THREADS} bare threads do the first four", statistics.median(theirs)
    )


def _bare(sume: Sume, root: Path) -> float:
    jobs: SimpleQueue[str] = SimpleQueue()
    for line in (root / "sume.lock").read_text().splitlines():
        if line.startswith("id = "):
            jobs.put(line.split('"')[1])
    pool = urllib3.PoolManager(maxsize=_THREADS, block=True)

    def work() -> None:
        while True:
            try:
                job = jobs.get_nowait()
            except Empty:
                return
            told = pool.request(
                "GET", f"{sume.base_url}/jobs/{job}/result", headers={"Authorization": f"Bearer {sume.key}"}
            )
            answer = pool.request("GET", _url(told.json()), preload_content=False)
            digest = hashlib.sha256()
            with open(root / f"{job}.bare", "wb") as file:
                while piece := answer.read(1 << 20):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            answer.release_conn()

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    for path in root.glob("*.bare"):
        path.unlink()
    return took


def _url(told: object) -> str:
    """The first URL in an answer."""
    waiting = [told]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and item.startswith("http") and ".png" in item:
            return item
        waiting += list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []
    raise RuntimeError("no URL")
