"""One run at a time: two real processes, and the one that waits is told for whom."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sumesync.disk import mutex
from sumesync.errors import Exit, LocalStateError

HOLD = """
import sys
from pathlib import Path
from sumesync.disk import mutex
with mutex.hold(Path(sys.argv[1]), "apply", 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the mutex of ``folder`` until the block ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with another_process(tmp_path) as process, pytest.raises(LocalStateError) as fault, mutex.hold(tmp_path, "plan", 0):
        pass
    assert fault.value.code is Exit.REFUSED
    assert f"sumesync apply, process {process.pid} on " in fault.value.what
    assert "--lock-timeout" in fault.value.hint


def test_who_waits_is_told_once_for_whom(tmp_path: Path) -> None:
    told: list[str] = []
    with (
        another_process(tmp_path) as process,
        pytest.raises(LocalStateError),
        mutex.hold(tmp_path, "plan", 0.15, told.append),
    ):
        pass
    assert len(told) == 1
    assert f"process {process.pid}" in told[0]


def test_who_holds_it_can_be_asked_for(tmp_path: Path) -> None:
    assert mutex.holder(tmp_path / "nothing") is None
    with another_process(tmp_path) as process:
        found = mutex.holder(tmp_path)
        assert found is not None
        assert (found.pid, found.command) == (process.pid, "apply")
        assert f"process {process.pid}" in str(found)
        process.kill()
        process.wait()
        assert mutex.holder(tmp_path) is None, "its note is there still, and it is not"


def test_who_asks_is_not_in_the_way_of_itself(tmp_path: Path) -> None:
    with mutex.hold(tmp_path, "plan", 0):
        assert mutex.holder(tmp_path) is None
    assert mutex.holder(tmp_path) is None


def test_it_is_free_again_when_the_holder_was_killed(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.kill()
        process.wait()
        with mutex.hold(tmp_path, "plan", 0):
            assert (tmp_path / "run.json").exists()


def test_it_is_free_again_after_the_block_even_when_that_failed(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), mutex.hold(tmp_path / "new", "plan", 0):
            raise KeyError("x")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": "x", "since": 1, "command": "c", "host": "h"}', '{"since": "x"}']
)
def test_an_unreadable_note_about_the_holder_is_no_trouble(tmp_path: Path, text: str) -> None:
    with another_process(tmp_path):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(LocalStateError, match="its process is not known"), mutex.hold(tmp_path, "plan", 0):
            pass


def test_a_note_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    with another_process(tmp_path):
        (tmp_path / "run.json").write_text('{"pid": 1, "since": 1, "command": "\\u001b[31m\\u202e", "host": "h"}')
        with pytest.raises(LocalStateError) as fault, mutex.hold(tmp_path, "plan", 0):
            pass
    assert "\x1b" not in fault.value.what
    assert "\u202e" not in fault.value.what


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalStateError, match="cannot lock"), mutex.hold(tmp_path / "file" / "x", "plan", 0):
        pass
