"""Committed trees at scale: N specs, a hundred a folder, each with its picture, its metadata and its entry in the
lock."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

from sumesync.core import lock as locks
from sumesync.core import metadata
from sumesync.core.fingerprint import fingerprint
from sumesync.model import SANDBOX, Entry, EntryKey, JobRecord, JobState, Lock, Output, Wanted
from tests.benchmarks.disk import folder

FOLDER = 100
_LINEAGE = "0123456789abcdef" * 2
_WORDS = """
    a glass bottle of serum on wet stone in morning light with long shadows beside dried flowers against pale linen
    seen from above soft grain calm colours two hands open the jar slow push in marble counter window plant towel
""".split()  # noqa: SIM905 - words are easier to read than a list of them
_SETTINGS = 'endpoint = "sandbox"\n'


def made(root: Path, number: int) -> None:
    """A project at ``root`` in which there is nothing to do, committed in git."""
    root.mkdir(parents=True)
    chance = random.Random(7)  # the same prompts each time
    entries = {}
    for index in range(number):
        below = f"f{index // FOLDER:04}"
        if index % FOLDER == 0:
            (root / below).mkdir()
        key, entry = _one(root, below, f"shot-{index:06}", index, chance)
        entries[key] = entry
    (root / "sumesync.toml").write_text(_SETTINGS)
    (root / ".gitignore").write_text(".sume/\n")
    (root / "sume.lock").write_text(locks.render(Lock(_LINEAGE, None, entries)))
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "-c", "gc.auto=0", "commit", "-q", "-m", "all of it")


def _one(root: Path, folder: str, stem: str, index: int, chance: random.Random) -> tuple[EntryKey, Entry]:
    prompt = " ".join(chance.choices(_WORDS, k=18)) + f", number {index}."
    request = {"prompt": prompt, "aspect_ratio": chance.choice(["1:1", "4:5", "9:16"])}
    text = f'prompt = "{prompt}"\naspect_ratio = "{request["aspect_ratio"]}"\n\n[meta]\ntags = ["spring"]\n'
    picture = b"\x89PNG\r\n\x1a\n" + chance.randbytes(2000)
    path = f"{folder}/{stem}.sume.toml"
    output = Output(1, f"{folder}/{stem}.png", hashlib.sha256(picture).hexdigest(), len(picture), "image/png")
    wanted = Wanted(
        EntryKey(path), "image", 1, request, fingerprint("image", request, 1), folder, stem, {"tags": ["spring"]}
    )
    job = JobRecord(f"job_{index:024x}", JobState.COMPLETED, credits=4, outputs=(output,))
    entry = Entry(wanted.key, wanted.fingerprint, "image", SANDBOX, (job,))
    (root / path).write_text(text)
    (root / output.path).write_bytes(picture)
    (root / metadata.path_of(wanted.key)).write_text(metadata.render(wanted, entry))
    return wanted.key, entry


def project(number: int) -> Path:
    """Such a tree in a folder of ``disk``'s. It is made by a process of its own: a command that is measured begins with
    the memory of whoever starts it."""
    root = folder() / "project"
    command = [sys.executable, "-m", "tests.benchmarks.tree", str(root), str(number)]
    subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[2])
    return root


def git(root: Path, *arguments: str) -> None:
    author = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")
    subprocess.run(["git", "-C", str(root), *author, *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    made(Path(sys.argv[1]), int(sys.argv[2]))
