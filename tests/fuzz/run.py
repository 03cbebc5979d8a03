"""Coverage-guided fuzzing of one target, under atheris: ``.ci/fuzz`` calls it. Not part of the ordinary tests."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sumesync", "tomli", "json"]):
    from tests.fuzz.targets import CORPUS, TARGETS


def main() -> None:
    name, seconds = sys.argv[1], int(sys.argv[2])
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(target.seeds()):
            (Path(folder) / f"seed{number}").write_bytes(seed)
        known = CORPUS / name
        found = Path("fuzz-findings")
        found.mkdir(exist_ok=True)
        options = [
            f"-max_total_time={seconds}",
            "-max_len=8192",
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            "-verbosity=0",
            f"-artifact_prefix={found}/{name}-",
        ]
        atheris.Setup([sys.argv[0], *options, folder, *([str(known)] if known.is_dir() else [])], target.try_out)
        atheris.Fuzz()


main()
