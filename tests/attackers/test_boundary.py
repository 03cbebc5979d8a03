"""The error boundary: what breaks inside is one line and an exit code; a trace for --debug only, secrets removed."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from sumesync.cli import wiring
from sumesync.cli.main import run
from sumesync.errors import Exit, LocalStateError, SumesyncError, UsageError
from tests.canaries import KEY, UPLOAD_URL, WORKSPACE, caught, nets

BROKEN = f"broke with {KEY} of {UPLOAD_URL}\x1b[2J\nsecond line \u202e"
FAULTS: list[tuple[BaseException, Exit]] = [
    (RuntimeError(BROKEN), Exit.FAILED),
    (RecursionError(BROKEN), Exit.FAILED),
    (MemoryError(), Exit.FAILED),
    (KeyError(BROKEN), Exit.FAILED),
    (AssertionError(BROKEN), Exit.FAILED),
    (OSError(28, BROKEN), Exit.FAILED),
    (BrokenPipeError(32, BROKEN), Exit.FAILED),
    (UnicodeEncodeError("latin-1", f"é{KEY}", 0, 1, BROKEN), Exit.FAILED),
    (UnicodeDecodeError("utf-8", KEY.encode(), 0, 1, BROKEN), Exit.FAILED),
    (StopIteration(BROKEN), Exit.FAILED),
    (EOFError(BROKEN), Exit.FAILED),
    (KeyboardInterrupt(), Exit.INTERRUPTED),
    (SumesyncError(BROKEN, BROKEN), Exit.FAILED),
    (LocalStateError(BROKEN), Exit.REFUSED),
    (UsageError(BROKEN), Exit.USAGE),
]
COMMANDS = [["plan"], ["apply", "--yes"], ["status"], ["fetch"], ["validate"], ["lock", "rebuild"], ["resolve"]]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUME_API_KEY", KEY)
    monkeypatch.setenv("NO_COLOR", "1")


def breaking(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise fault

    monkeypatch.setattr(wiring, "find", broken)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("fault", "code"), FAULTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_fault_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    fault: BaseException,
    code: Exit,
    debug: bool,
) -> None:
    breaking(monkeypatch, fault)
    assert run([*command, *(["--debug"] if debug else [])]) is code
    said = capsys.readouterr()
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (0 if isinstance(fault, KeyboardInterrupt) else 1), said.err
    assert ("Traceback" in said.err) is (debug and not isinstance(fault, KeyboardInterrupt))
    assert not caught(said.err.encode(), nets([KEY, "sigcanary5f4e3d2c1b0a"]))
    assert all(line.isprintable() for line in said.err.splitlines()), said.err


@pytest.mark.usefixtures("key")
def test_as_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    breaking(monkeypatch, RuntimeError(BROKEN))
    assert run(["plan", "--json", "--debug"]) is Exit.FAILED
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1
    assert not caught((said.out + said.err).encode(), nets([KEY]))


@pytest.mark.usefixtures("key")
def test_a_workspace_that_was_greeted_is_not_in_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sumesync.cli.talk import hide

    hide(WORKSPACE)
    breaking(monkeypatch, RuntimeError(f"of {WORKSPACE}"))
    run(["plan", "--debug"])
    assert not caught(capsys.readouterr().err.encode(), nets([WORKSPACE]))


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_terminal_that_knows_few_letters_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    (tmp_path / "sumesync.toml").write_text("")
    (tmp_path / "hero.sume.toml").write_text('prompt = "日本 ☕ é"\n', encoding="utf-8")
    assert run(["plan", "-C", str(tmp_path)]) is Exit.DONE
    out.flush()
    assert b"hero.sume.toml" in raw.getvalue()
