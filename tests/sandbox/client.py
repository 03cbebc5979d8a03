"""A plain HTTP client and a clock that is moved by hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import urllib3

from sumesync.sandbox.script import Script
from sumesync.sandbox.server import Running, start
from sumesync.sandbox.settings import Settings
from sumesync.sandbox.world import World

CAT = {"prompt": "A cat on a white counter."}


class Clock:
    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += seconds


def tokens() -> Callable[[], str]:
    """Words that are the same in every run."""
    count = itertools.count(1)
    return lambda: f"{next(count):08x}"


def make_world(clock: Clock | None = None, **settings: Any) -> World:
    return World(Settings(**settings), now=clock or Clock(), token=tokens())


@dataclass(frozen=True)
class Got:
    status: int
    headers: urllib3.HTTPHeaderDict
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Site:
    """A world that is served, and a client of it."""

    world: World
    running: Running
    clock: Clock
    slept: list[float]
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=120))

    def send(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Got:
        answer = self.pool.request(
            method, url, body=body, headers=headers, retries=False, redirect=False, decode_content=False
        )
        return Got(answer.status, answer.headers, answer.data)

    def api(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> Got:
        """A call of the API with the key; ``key`` is the Idempotency-Key."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.running.key}", **headers}
        if key:
            headers["Idempotency-Key"] = key
        return self.send(method, f"{self.running.base_url}{path}", data, **headers)

    def get(self, path: str) -> Got:
        return self.api("GET", path)

    def image(self, body: Any = None, key: str = "") -> Got:
        return self.api("POST", "/images/generations", CAT if body is None else body, key)

    def finished(self, route: str = "/images/generations", body: Any = None) -> str:
        """The id of a new job that has completed."""
        answer = self.api("POST", route, CAT if body is None else body).json
        self.clock.move(1000)
        return str(answer.get("job_id") or answer["job"]["id"])

    def result(self, job_id: str) -> Any:
        return self.get(f"/jobs/{job_id}/result").json

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.clear()
        self.running.close()


def site(*rules: Any, world: World | None = None, clock: Clock | None = None, **settings: Any) -> Site:
    """Serve a world whose faults are ``rules`` and whose delays only count."""
    clock = clock or Clock()
    slept: list[float] = []
    world = world or make_world(clock, **settings)
    return Site(world, start(world, faults=Script.parse(rules), sleep=slept.append), clock, slept)
