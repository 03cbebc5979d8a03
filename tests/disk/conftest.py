"""Folders of projects, in git and outside, and a look at them as somebody without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .calls import Calls

Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    """``git(folder, "init")``: the real command, without the machine's own settings."""

    def run(folder: Path, *arguments: str) -> str:
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        command = ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True, text=True)
        return done.stdout

    return run


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A folder where this process has no rights while the test runs, even when the tests run as root."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o755)
    was = os.geteuid()
    if was == 0:
        (folder / "there").write_bytes(b"there")
        (folder / "there").chmod(0)
        os.seteuid(65534)
    else:
        (folder / "there").write_bytes(b"there")
        (folder / "there").chmod(0)
        folder.chmod(0o555)
    try:
        yield folder
    finally:
        os.seteuid(was)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What is done to files from here on."""
    return Calls(monkeypatch)
