"""How much memory a large file takes on its way: ``python -m tests.memory [MEGABYTES]`` (300 unless told).

The sandbox is a process of its own. The client's process has all of the command loaded, and does what a run does: a
file is sent where a presign said, an ingest job is paid for, and its file is downloaded into a part of an output.
Exit 1: the client went over 80 MB.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

MOST = 80
"""Megabytes that the client may have resident, at 300 MB."""
_ROOT = Path(__file__).resolve().parent.parent
_STATUS = Path("/proc/self/status")
MEASURES = _STATUS.exists()
"""Whether this system tells a process's own peak. That of getrusage is of whatever it was forked from."""


@dataclass(frozen=True)
class Figures:
    """Peaks so far, in megabytes of 10**6 bytes."""

    size: float
    before: float
    uploaded: float
    downloaded: float
    sandbox_before: float = 0.0
    sandbox: float = 0.0

    @property
    def grown(self) -> float:
        return max(self.uploaded, self.downloaded) - self.before


def peak(process: int | None = None) -> float:
    status = Path(f"/proc/{process}/status") if process else _STATUS
    told = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(told["VmHWM"].split()[0]) * 1024 / 1e6


def measure(megabytes: int, folder: Path) -> Figures:
    """Of a client in a process of its own. ``folder`` needs four times the room of the file."""
    with _sandbox(folder / "world") as (process, told):
        before = peak(process)
        command = [sys.executable, "-m", "tests.memory", "--client", str(megabytes), str(folder), json.dumps(told)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return Figures(**{**json.loads(done.stdout), "sandbox_before": before, "sandbox": peak(process)})


@contextmanager
def _sandbox(world: Path) -> Iterator[tuple[int, dict[str, str]]]:
    command = [sys.executable, "-m", "sumesync", "sandbox", "--json", "--seconds", "0", "--dir", str(world)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _client(megabytes: int, folder: Path, told: dict[str, str]) -> Figures:
    """In this process. The file is a film by its first bytes, and none two of its pieces are the same."""
    import sumesync.cli.main
    import sumesync.cli.wiring  # noqa: F401 - what a run has loaded
    from sumesync.answers import Accepted, Order
    from sumesync.api.client import SumeClient
    from sumesync.disk.outputs import OutputFiles
    from sumesync.host import SystemClock

    size = megabytes * 10**6
    film = folder / "film.mp4"
    digest = _write_film(film, size)
    project = folder / "project"
    project.mkdir()
    with SumeClient(told["base_url"], told["key"], SystemClock(), version="0", environ={}) as client:
        client.account()
        before = peak()
        where = client.presign(film.name, "video/mp4", size, "asset")
        with film.open("rb") as file:
            client.put(where, size, file.read)
        uploaded = peak()
        body = json.dumps({"upload_id": where.upload_id}).encode()
        made = client.submit(Order("memory", "/assets", body), lambda: None)
        assert isinstance(made, Accepted), made
        part = OutputFiles(project).part("")
        client.download(client.result(made.job_ids[0]).urls[0], part.write)
        assert part.finish() == (digest, size)
        part.discard()
    return Figures(megabytes, before, uploaded, peak())


def _write_film(film: Path, size: int) -> str:
    digest = hashlib.sha256()
    with film.open("wb") as file:
        left = size
        while left:
            piece = left.to_bytes(32, "big") * 2_000
            if left == size:
                piece = b"\0\0\0\x18ftypmp42" + piece
            piece = piece[:left]
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--client"]:
        megabytes, folder, told = arguments[1:]
        print(json.dumps(asdict(_client(int(megabytes), Path(folder), json.loads(told)))))
        return 0
    with tempfile.TemporaryDirectory(prefix="sumesync-memory-", dir=os.environ.get("TMPDIR")) as name:
        figures = measure(int(arguments[0]) if arguments else 300, Path(name))
    print(f"a file of {figures.size:.0f} MB; resident at most, in MB:")
    print(f"  client   before {figures.before:.1f}  upload {figures.uploaded:.1f}  download {figures.downloaded:.1f}")
    print(f"  sandbox  before {figures.sandbox_before:.1f}  after {figures.sandbox:.1f}")
    return 1 if figures.before + figures.grown > MOST else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
