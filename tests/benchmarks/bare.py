"""What the disk and the connections alone take: the requests of a run and its durable writes, by threads that decide
nothing, check nothing and know nothing after a crash: about as fast as this machine lets a client of Python be.

``python -m tests.benchmarks.bare URL KEY FOLDER JOBS SECONDS`` makes so many jobs, and fetches each so long after it
was made.
"""

from __future__ import annotations

import json
import queue
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from sumesync.disk import atomic
from tests.benchmarks.disk import folder
from tests.benchmarks.sume import ROOT, Sume

_THREADS = 64
_LONGEST = 60.0
_ENTRY = b"x" * 700
"""About as much as the journal, the ledger and the metadata write of a job."""


def run(sume: Sume, jobs: int, seconds: float) -> float:
    """Wall seconds of the whole command."""
    terms = [sume.base_url, sume.key, str(folder()), str(jobs), str(seconds)]
    command = [sys.executable, "-m", "tests.benchmarks.bare", *terms]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True)
    return time.perf_counter() - began


class _Bare:
    def __init__(self, url: str, key: str, folder: Path, seconds: float) -> None:
        self._url, self._folder, self._seconds = url, folder, seconds
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(maxsize=_THREADS)
        self._ledger = threading.Lock()
        self.made: queue.SimpleQueue[tuple[float, int, str]] = queue.SimpleQueue()

    def create(self, number: int) -> None:
        entry = self._folder / f"{number}.json"
        atomic.write(entry, _ENTRY)
        atomic.write(entry, _ENTRY)
        body = json.dumps({"prompt": f"picture {number}"})
        told = self._pool.request("POST", f"{self._url}/images/generations", body=body, headers=self._headers).json()
        atomic.write(entry, _ENTRY)
        self._record()
        self.made.put((time.perf_counter() + self._seconds, number, told["job"]["id"]))

    def fetch(self, number: int, job: str) -> None:
        told = self._pool.request("GET", f"{self._url}/jobs/{job}/result", headers=self._headers).data.decode()
        found = re.search(r'"(http://[^"]+)"', told)
        if found is None:
            raise RuntimeError(f"no media in {told}")
        media = self._pool.request("GET", found[1]).data
        self._record()
        atomic.write(self._folder / f"{number}.png", media)
        atomic.write(self._folder / f"{number}.txt", _ENTRY)

    def _record(self) -> None:
        with self._ledger:
            atomic.append(self._folder / "ledger", _ENTRY + b"\n")


def _main(url: str, key: str, where: str, jobs: int, seconds: float) -> None:
    with ThreadPoolExecutor(_THREADS) as threads:
        bare, never = _Bare(url, key, Path(where), seconds), threading.Event()
        begun = [threads.submit(bare.create, number) for number in range(jobs)]
        for _ in range(jobs):
            due, number, job = bare.made.get(timeout=_LONGEST)
            never.wait(max(0.0, due - time.perf_counter()))
            begun.append(threads.submit(bare.fetch, number, job))
        for each in begun:
            each.result()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
