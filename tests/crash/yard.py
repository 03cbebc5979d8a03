"""Where the runs happen: a project folder and a Sume whose states can be kept, told apart and put back."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sumesync.sandbox.jobs import Job
from sumesync.sandbox.uploads import Upload
from tests.crash.probe import Orders, Touch, packed
from tests.scenarios.stage import Result, Stage, Sume

_PART = re.compile(r"\.sumesync-[0-9a-f]+\.part")
_CHANCE = ("run.lock", "run.json")
"""Files that say who runs, not what is."""
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class State:
    """A project and a Sume between two runs. Folders have None for bytes."""

    tree: Mapping[str, bytes | None]
    jobs: Mapping[str, Job]
    listed: tuple[tuple[tuple[str, str], tuple[str, ...]], ...]
    uploads: Mapping[str, Upload]
    settings: Any

    @property
    def mark(self) -> str:
        """Equal for states that no command could tell apart."""
        digest = hashlib.sha256()
        for path, data in sorted(self.tree.items()):
            if path.rpartition("/")[2] in _CHANCE:
                continue
            digest.update(f"{_PART.sub('*.part', path)}\0".encode())
            digest.update(b"-" if data is None else hashlib.sha256(data).digest())
        digest.update(
            repr(
                [sorted(self.jobs.items()), self.listed, sorted(repr(it) for it in self.uploads.items()), self.settings]
            ).encode()
        )
        return digest.hexdigest()


@dataclass(frozen=True)
class Run:
    """How one run ended. ``code`` is negative for a process that a signal ended."""

    orders: Orders
    result: Result
    touches: tuple[Touch, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return self.result.code == -9


@dataclass
class Yard:
    """One project, one Sume, one zygote."""

    stage: Stage
    scratch: Path
    zygote: subprocess.Popen[str]
    sabotage: str = ""
    """The step of the protocol that all runs leave out, to see it noticed."""

    def script(self, *rules: Any) -> None:
        """These faults from now on, counted from the beginning."""
        self.stage.faults(*rules)

    # --- States -------------------------------------------------------------------------------------

    def state(self) -> State:
        self.stage.sume.rest()
        world = self.stage.world
        tree: dict[str, bytes | None] = {}
        for full in self.stage.root.rglob("*"):
            tree[full.relative_to(self.stage.root).as_posix()] = None if full.is_dir() else full.read_bytes()
        listed = tuple(sorted(world._by_key.items()))
        return State(tree, dict(world._jobs), listed, dict(world._uploads), world.settings)

    def restore(self, state: State) -> None:
        root, world = self.stage.root, self.stage.world
        shutil.rmtree(root)
        root.mkdir()
        for path, data in sorted(state.tree.items()):
            full = root / path
            if data is None:
                full.mkdir(parents=True, exist_ok=True)
            else:
                full.parent.mkdir(parents=True, exist_ok=True)
                full.write_bytes(data)
        world._jobs = dict(state.jobs)
        world._by_key = dict(state.listed)
        world._uploads = dict(state.uploads)
        world._spent = sum(job.credits for job in state.jobs.values())
        world._busy = {}
        world.settings = state.settings
        world.requests.clear()
        self.stage.said.clear()

    # --- Runs ---------------------------------------------------------------------------------------

    def run(self, *args: str, orders: Orders = Orders()) -> Run:  # noqa: B008 - a frozen value
        """The command in a process of its own, with these orders."""
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        order = {
            "args": args,
            "root": str(self.stage.root),
            "scratch": str(self.scratch),
            "env": self.stage.environment(),
            "orders": packed(orders),
            "origins": self._origins(),
            "sabotage": self.sabotage,
        }
        self.zygote.stdin.write(json.dumps(order) + "\n")
        self.zygote.stdin.flush()
        status = json.loads(self.zygote.stdout.readline())["status"]
        out, err = ((self.scratch / name).read_text(errors="replace") for name in ("out", "err"))
        result = Result(args, status, out, err)
        assert status in (-9, 0, 1, 2, 3, 4, 5, 64, 130), f"{orders}\n{result}"
        self.stage._ended(result, None)
        found = self.scratch / "touches"
        if not found.exists():
            return Run(orders, result)
        told = json.loads(found.read_text())
        found.unlink()
        return Run(orders, result, tuple(Touch(*each) for each in told["touches"]), tuple(told["strays"]))

    def _origins(self) -> dict[str, str]:
        running = self.stage.sume.running
        urls = {"api": running.base_url, "media": running.media_url}
        return {str(urlsplit(url).port): name for name, url in urls.items()}


@contextmanager
def opened(**settings: Any) -> Iterator[Yard]:
    """A yard in a folder of its own: in memory where the system has such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as base:
        folders = [Path(base).resolve() / name for name in ("project", "home", "scratch")]
        for folder in folders:
            folder.mkdir()
        sume = Sume.serve(**settings)
        # Ids that depend on nothing but the jobs and uploads that there are: equal histories make equal states.
        sume.world.token = lambda: f"{len(sume.world._jobs) + len(sume.world._uploads) + 1:04d}"
        stage = Stage(folders[0], folders[1], sume)
        try:
            yield Yard(stage, folders[2], _zygote())
        finally:
            stage.close()


@functools.cache
def _zygote() -> subprocess.Popen[str]:
    """One for all yards of this process: it keeps nothing of a run but the modules that it has imported."""
    zygote = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.zygote"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    atexit.register(zygote.communicate)  # its orders end there, and so does it
    return zygote
