"""Projects for benchmarks to apply, and the command that applies them, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import disk
from tests.benchmarks.sume import ROOT, Sume


@dataclass(frozen=True)
class Run:
    """One command: wall and CPU seconds, and its greatest memory in megabytes of 10**6 bytes."""

    seconds: float
    cpu: float
    memory: float


def project(specs: int) -> Path:
    """A folder on a real disk with ``specs`` plain ones, a hundred a folder."""
    root = disk.folder()
    (root / "sumesync.toml").write_text("")
    for number in range(specs):
        folder = root / f"folder-{number // 100:03}"
        folder.mkdir(exist_ok=True)
        (folder / f"picture-{number:05}.sume.toml").write_text(f'prompt = "picture {number}"\n')
    return root


def apply(root: Path, sume: Sume, *arguments: str, verb: str = "apply") -> Run:
    """One ``apply``, or ``fetch``. Raises RuntimeError where it does not end well."""
    environ = {**os.environ, "SUME_API_BASE_URL": sume.base_url, "SUME_API_KEY": sume.key, "PYTHONPATH": str(ROOT)}
    yes = ["--yes", "--max-jobs", "100000"] if verb == "apply" else []
    command = [sys.executable, "-m", "sumesync", verb, "-C", str(root), *yes, "--quiet"]
    before = time.perf_counter()
    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [*command, *arguments], env=environ, stdout=subprocess.DEVNULL, stderr=err, text=True
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            err.seek(0)
            raise RuntimeError(f"apply ended with {process.returncode}: {err.read()[-2000:]}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def outputs(root: Path) -> int:
    return sum(1 for path in root.rglob("*.png") if re.fullmatch(r"picture-\d+\.png", path.name))
