"""A sandbox in a process of its own, for benchmarks: latency, capacity, limits and others' jobs are given, and it
tells what was asked of it. Its media are small and cost nothing to draw, so that it is not what is measured.

``python -m tests.benchmarks.sume '{"capacity": 500, …}'`` serves until its standard input ends; each line there is
answered with the figures so far.
"""

from __future__ import annotations

import collections
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sumesync.model import Json
from sumesync.sandbox import media
from sumesync.sandbox.jobs import Job
from sumesync.sandbox.kinds import Piece
from sumesync.sandbox.script import Script
from sumesync.sandbox.server import start
from sumesync.sandbox.settings import Settings
from sumesync.sandbox.world import World

ROOT = Path(__file__).resolve().parents[2]
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c626001000000ffff03000006000557bfabd40000000049454e44ae426082"
)


@dataclass(frozen=True)
class Sume:
    """How to reach it, and its process."""

    base_url: str
    key: str
    process: subprocess.Popen[str]

    def told(self) -> dict[str, Any]:
        """``requests`` by method and route, ``statuses`` in their order in time, ``cpu`` seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("tell\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told


@contextmanager
def serving(**terms: Json) -> Iterator[Sume]:
    """``terms``: seconds, latency, others, bytes, reads, creates, window, throttle; and any of Settings."""
    command = [sys.executable, "-m", "tests.benchmarks.sume", json.dumps(terms)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield Sume(told["base_url"], told["key"], process)
        finally:
            process.kill()


def _draw(size: int) -> Any:
    def draw(job: Job, piece: Piece) -> bytes:
        return _PIXEL + job.id.encode().ljust(size - len(_PIXEL), b".")

    return draw


def _serve(terms: dict[str, Any]) -> None:
    media.draw = _draw(terms.pop("bytes", 20_000))
    latency, others = terms.pop("latency", 0.0), terms.pop("others", 0)
    seconds = terms.pop("seconds", 1.0)
    settings = Settings(credits=1e9, seconds={"image": seconds, "video": seconds}, **terms)
    world = World(settings)
    for number in range(others):
        world.finish(world.create("image", {"prompt": f"another's {number}"}).id)
    script = Script.parse([{"delay": latency}] if latency else [])
    before = resource.getrusage(resource.RUSAGE_SELF)
    with start(world, faults=script) as running:
        print(json.dumps({"base_url": running.base_url, "key": running.key}), flush=True)
        for _ in sys.stdin:
            now = resource.getrusage(resource.RUSAGE_SELF)
            cpu = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
            print(json.dumps({**_figures(world), "cpu": cpu}), flush=True)


def _figures(world: World) -> dict[str, Any]:
    seen = list(world.requests)
    routes = collections.Counter(f"{one.method} {_route(one.origin, one.path)}" for one in seen)
    return {"requests": dict(routes), "all": len(seen), "statuses": [one.status for one in seen if one.origin == "api"]}


def _route(origin: str, path: str) -> str:
    if origin == "media":
        return "media"
    parts = path.split("/")
    return "/".join([*parts[:2], *("*" if part.startswith("job_") else part for part in parts[2:])])


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
