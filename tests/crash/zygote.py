"""A process that has imported the command and forks one child a run: a real process each, without its start-up.

It reads one order a line of JSON on stdin and answers with one line. A child's time is moved by hand: where it would
only wait, its clock jumps.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import queue
import secrets
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from sumesync import host
from sumesync.model import Done
from tests.crash.probe import Deed, Probe, unpacked
from tests.crash.sabotage import SABOTAGES
from tests.scenarios import stage

PATIENCE = 300
"""Seconds after which a child counts as hung; SIGALRM ends it."""
NOW = 1_800_000_000.0
_LOADED = frozenset(sys.modules)


def serve() -> None:
    assert stage.LOADED
    _warm()
    gc.freeze()  # or the first collection of every child would copy all of the parent's memory
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(order)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        _learn(Path(order["scratch"]) / "modules")
        print(json.dumps({"status": status}), flush=True)


def _warm() -> None:
    """What a first command works out for good: the patterns, the schemas. It looks at a project that is empty."""
    from sumesync.cli.main import run

    nobody = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(nobody),
        contextlib.redirect_stderr(nobody),
    ):
        (Path(folder) / "sumesync.toml").touch()
        (Path(folder) / "a.sume.toml").write_text('prompt = "A jar."\n', encoding="utf-8")
        assert run(["plan", "-C", folder]) == 0


def _learn(path: Path) -> None:
    """What a child had to import, the next ones find."""
    if path.exists():
        for name in json.loads(path.read_text()):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        path.unlink()


def _be(order: dict[str, Any]) -> None:
    """The child. It never returns."""
    code = 97
    signal.alarm(PATIENCE)
    try:
        root, scratch = Path(order["root"]), Path(order["scratch"])
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(scratch / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(root)
        _hasten()
        _name_alike()
        orders = unpacked(order["orders"])
        probe = Probe(root, {int(port): name for port, name in order["origins"].items()}, orders)
        probe.install()
        if order["sabotage"]:
            SABOTAGES[order["sabotage"]]()  # around the probe: what it skips was not done
        code = _run(order["args"])
        _flush()
        if orders.deed is Deed.WATCH:
            _report(probe, scratch / "touches")
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _run(args: list[str]) -> int:
    from sumesync.cli.main import main

    try:
        main(args)
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("main returned")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _report(probe: Probe, path: Path) -> None:
    found = {"touches": [[touch.label, touch.number] for touch in probe.touches], "strays": probe.strays}
    path.write_text(json.dumps(found))
    (path.parent / "modules").write_text(json.dumps(sorted(set(sys.modules) - _LOADED - {"__main__"})))


def _hasten() -> None:
    """Nobody waits: a sleep, or a wait for nothing, moves the clock."""
    skipped = [0.0]
    real = time.monotonic

    def skip(seconds: float) -> None:
        skipped[0] += max(0.0, seconds)

    next_done = host.ThreadWorkers.next

    def next_or_skip(self: host.ThreadWorkers, timeout: float | None) -> Done | None:
        if self.busy or timeout is None:
            return next_done(self, None if timeout is None else min(timeout, 0.05))
        skip(timeout)
        try:
            return self._ended.get_nowait()
        except queue.Empty:
            return None

    clock: Any = host.SystemClock
    clock.now = lambda self: NOW + skipped[0]
    clock.monotonic = lambda self: real() + skipped[0]
    clock.sleep = lambda self, seconds: skip(seconds)
    workers: Any = host.ThreadWorkers
    workers.next = next_or_skip


def _name_alike() -> None:
    """One lineage for all projects: equal histories make equal states. Names of part files stay different."""
    real = secrets.token_hex
    secrets.token_hex = lambda nbytes=None: "5a" * 16 if nbytes == 16 else real(nbytes)


if __name__ == "__main__":
    serve()
