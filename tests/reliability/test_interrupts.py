"""Ctrl-C, SIGTERM, a closed terminal, and a reader who leaves: what is said, what is kept, which exit code."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.reliability import laws
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import PATIENCE, POLL, POST, Stage, png

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")

SIGNALS = [
    pytest.param("SIGINT", marks=pytest.mark.fault(69)),
    pytest.param("SIGTERM", marks=pytest.mark.fault(70)),
    pytest.param("SIGHUP"),
]


def running(make: Maker, *rules: Any, jobs: int = 1, slow: bool = True, **settings: Any) -> Stage:
    stage = make(*rules, git=False, **settings)
    for number in range(jobs):
        stage.spec(f"s{number}", f"Picture {number}.")
    if slow:
        stage.slow()
    return stage


def kill(process: subprocess.Popen[Any], name: str) -> None:
    process.send_signal(getattr(signal, name))


def heard(process: subprocess.Popen[str], text: str) -> None:
    """Until the process has said so on stderr."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}")


# --- Signals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNALS)
def test_once_while_a_job_runs(make: Maker, name: str) -> None:
    """It says what runs on and how to resume, and saves what it knows."""
    stage = running(make, {**POLL, "delay": 1, "times": 1}, jobs=2, capacity=1)
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    kill(process, name)
    result = stage.end(process, code=130)
    stage.sume.gate.open()
    [charge] = stage.charges()
    assert re.search(rf"Interrupted.*\n.*1 job still runs.*\({charge.job_id}\).*Run apply again", result.out, re.S)
    assert "1 spec not submitted" in result.out
    assert charge.job_id in stage.read("sume.lock")
    assert not stage.journal()
    stage.later()
    laws.finish(stage, charges=2)


@pytest.mark.parametrize("name", SIGNALS)
def test_twice_while_a_paid_request_is_out(make: Maker, name: str) -> None:
    """It leaves at once; the journal knows what was out."""
    stage = running(make, {**POST, "delay": 1, "after": True, "times": 1}, slow=False)
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    kill(process, name)
    while process.poll() is None:  # the second may come before the first was heard, and then is the first
        kill(process, name)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    result = stage.end(process, code=130)
    assert "Left at once. Run again to resume." in result.err
    assert [step["step"] for step in stage.journal()] == ["sending"]
    stage.sume.gate.open()
    stage.here("apply", "--yes", code=4)
    laws.answer(stage)
    laws.finish(stage)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_once_while_a_paid_request_is_out_waits_for_its_answer(make: Maker, name: str) -> None:
    stage = running(make, {**POST, "delay": 1, "after": True, "times": 1}, jobs=2, slow=False, capacity=1)
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    kill(process, name)
    stage.sume.gate.open()
    result = stage.end(process, code=130)
    [charge] = stage.charges()
    assert charge.job_id in result.out
    assert not stage.journal()
    laws.finish(stage, charges=2)


@pytest.mark.parametrize("name", SIGNALS)
def test_before_anything_is_under_way(make: Maker, name: str) -> None:
    stage = running(make, {"route": "/me", "delay": 1, "times": 1}, slow=False)
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    kill(process, name)
    result = stage.end(process, code=130)
    stage.sume.gate.open()
    assert "Interrupted; nothing was lost" in result.err
    assert not stage.posts()
    laws.finish(stage)


@pytest.mark.parametrize("name", SIGNALS)
def test_while_a_file_is_sent(make: Maker, name: str) -> None:
    """Nothing was paid for, nothing is left open, and the next run pays once."""
    stage = make({"method": "PUT", "route": "media", "delay": 1, "times": 1}, git=False)
    stage.write("take.png", png("take") + bytes(6_000_000))
    stage.write("hero.sume.toml", 'prompt = "A jar."\nreference_image_urls = [{ file = "take.png" }]\n')
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    kill(process, name)
    result = stage.end(process, code=130)
    stage.sume.gate.open()
    assert "1 spec not submitted" in result.out
    assert (stage.charges(), stage.journal()) == ((), [])
    laws.finish(stage)


@pytest.mark.fault(69)
def test_while_it_waits_for_another_apply(make: Maker) -> None:
    stage = running(make, {**POLL, "delay": 1, "times": 1})
    first = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    second = stage.begin("apply", "--yes", "--lock-timeout", "300")
    heard(second, f"process {first.pid}")
    kill(second, "SIGINT")
    stage.end(second, code=130)
    kill(first, "SIGINT")
    stage.end(first, code=130)
    stage.sume.gate.open()
    stage.later()
    laws.finish(stage)


@pytest.mark.fault(69)
def test_as_json_the_end_is_still_told(make: Maker) -> None:
    stage = running(make, {**POLL, "delay": 1, "times": 1})
    process = stage.begin("apply", "--yes", "--json")
    stage.sume.gate.reached()
    kill(process, "SIGINT")
    end = stage.end(process, code=130).events[-1]
    stage.sume.gate.open()
    assert (end["event"], end["exit_code"]) == ("end", 130)
    assert stage.charges()[0].job_id in json.dumps(end)
    stage.later()
    laws.finish(stage)


# --- A terminal ---------------------------------------------------------------------------------------------


@contextmanager
def terminal(stage: Stage, *args: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command in a session of its own with a terminal: the process, and the end where a person sits."""
    import pty

    person, line = pty.openpty()
    program = (
        "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from sumesync.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *args],
        cwd=stage.root,
        env={**stage.environment(), "TERM": "xterm"},
        stdin=line,
        stdout=line,
        stderr=line,
        start_new_session=True,
    )
    os.close(line)
    try:
        yield process, person
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        with suppress(OSError):
            os.close(person)


def read_until(person: int, text: str = "") -> str:
    """What the terminal shows, until ``text`` or the end."""
    shown = b""
    while not (text and text.encode() in shown):
        assert select.select([person], [], [], PATIENCE)[0], f"the terminal shows only {shown!r}"
        try:
            data = os.read(person, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        shown += data
    return shown.decode(errors="replace")


def test_watch_asks_at_a_terminal_and_goes_on(stage: Stage) -> None:
    """A yes, by keys, and then Ctrl-C while the next question stands."""
    question, quick = "[y/N]: ", ("--settle", "0.1", "--debounce", "0.05")
    stage.spec("hero", "A cup.")
    with terminal(stage, "watch", *quick) as (process, person):
        shown = read_until(person, question)
        assert "watching project at Sume: asks first" in shown
        assert "create" in shown
        stage.spec("lid", "A lid.")
        while "lid.sume.toml" not in shown:
            os.write(person, b"y\n")  # too soon at first: then it is asked once more
            shown = read_until(person, question)
        os.write(person, b"\x03")
        assert "\nStopped watching: 1 job paid for" in read_until(person)
        assert process.wait(PATIENCE) == 130
    assert stage.paid() == ["A cup."]


@pytest.mark.fault(69)
def test_ctrl_c_at_a_terminal(make: Maker) -> None:
    stage = running(make, {**POLL, "delay": 1, "times": 1})
    with terminal(stage, "apply", "--yes") as (process, person):
        stage.sume.gate.reached()
        os.write(person, b"\x03")
        shown = read_until(person)
        assert process.wait(PATIENCE) == 130
    stage.sume.gate.open()
    stage.said.append(shown)
    [charge] = stage.charges()
    assert "Traceback" not in shown
    assert charge.job_id in shown
    assert "Run apply again" in shown
    stage.later()
    laws.finish(stage)


@pytest.mark.fault(69)
def test_ctrl_c_at_the_question_declines(make: Maker) -> None:
    stage = running(make, slow=False)
    with terminal(stage, "apply") as (process, person):
        read_until(person, "[y/N]")
        shown = b""
        while b"Interrupted" not in shown:  # Python does not hear one that comes right before it waits for the answer
            os.write(person, b"\x03")  # and not once more after that: it would kill an interpreter that is ending
            while b"Interrupted" not in shown and select.select([person], [], [], 0.5)[0]:
                shown += os.read(person, 4096)
        rest = read_until(person)
        assert process.wait(PATIENCE) == 130
    assert "Traceback" not in shown.decode() + rest
    assert not stage.posts()
    laws.finish(stage)


def test_a_terminal_that_is_closed_ends_the_run_and_keeps_the_ids(make: Maker) -> None:
    stage = running(make, {**POLL, "delay": 1, "times": 1}, jobs=2)
    with terminal(stage, "apply", "--yes") as (process, person):
        stage.sume.gate.reached()
        os.close(person)
        assert process.wait(PATIENCE) == 130
    stage.sume.gate.open()
    assert len(stage.charges()) == 2
    assert not stage.journal()
    stage.nothing_lost()
    stage.later()
    laws.finish(stage, charges=2)


def test_a_terminal_that_is_closed_while_a_paid_request_is_out(make: Maker) -> None:
    """The answer is waited for, and its id kept, although nobody is there to be told."""
    stage = running(make, {**POST, "delay": 1, "after": True, "times": 1}, slow=False)
    with terminal(stage, "apply", "--yes") as (process, person):
        stage.sume.gate.reached()
        os.close(person)
        stage.sume.gate.open()
        assert process.wait(PATIENCE) == 130
    assert not stage.journal()
    stage.nothing_lost()
    laws.finish(stage)


# --- Readers who leave --------------------------------------------------------------------------------------


def shell(stage: Stage, line: str, code: int | None = None) -> str:
    """A line for bash, with ``sumesync`` as a command. What it shows."""
    start = f'set -o pipefail; sumesync() {{ "{sys.executable}" -m sumesync "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", start + line],
        cwd=stage.root,
        env=stage.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=2 * PATIENCE,
        check=False,
    )
    stage.said += [done.stdout, done.stderr]
    assert "Traceback" not in done.stderr + done.stdout
    assert "BrokenPipe" not in done.stderr
    assert code is None or done.returncode == code, done
    return done.stdout + done.stderr


def test_a_reader_who_leaves_stops_nothing_that_is_paid_for(make: Maker) -> None:
    stage = running(make, {**POST, "delay": 1, "times": 1}, jobs=3, slow=False)
    process = stage.begin("apply", "--yes", "--json")
    assert process.stdout is not None
    stage.sume.gate.reached()
    process.stdout.close()  # as by | head -1
    stage.sume.gate.open()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) == 0
    stage.ended.remove(process)
    assert "Traceback" not in err
    assert len(stage.charges()) == 3
    stage.all_there()
    laws.finish(stage, charges=3)


@pytest.mark.parametrize("args", ["apply --yes", "apply --yes --json", "plan"])
def test_through_head(make: Maker, args: str) -> None:
    stage = running(make, jobs=3, slow=False)
    shown = shell(stage, f"sumesync {args} | head -1; echo code ${{PIPESTATUS[0]}}", 0)
    assert "code 0" in shown
    assert len(stage.charges()) == (3 if "apply" in args else 0)
    laws.finish(stage, charges=3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(("args", "code"), [("apply --yes", 3), ("plan", 3)])
def test_output_that_cannot_be_written_is_told_and_stops_no_payment(make: Maker, args: str, code: int) -> None:
    stage = running(make, jobs=2, slow=False)
    shown = shell(stage, f"sumesync {args} >/dev/full", code)
    assert "could not be written" in shown
    assert len(stage.charges()) == (2 if "apply" in args else 0)
    laws.finish(stage, charges=2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize(("stream", "argument", "code"), [("stdout", "no-command", 64), ("stderr", "--version", 0)])
def test_what_a_write_left_behind_does_not_change_the_exit_code(stream: str, argument: str, code: int) -> None:
    """Words that a signal caught on their way to a closed terminal: the interpreter tries again, or ends with 120."""
    program = f"import sys; from sumesync.cli.main import main; sys.{stream}.write('x'); main(['{argument}'])"
    with open("/dev/full", "w") as full:
        null = subprocess.DEVNULL
        out, err = (full, null) if stream == "stdout" else (null, full)
        done = subprocess.run([sys.executable, "-E", "-c", program], stdout=out, stderr=err, check=False)
    assert done.returncode == code


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_fault(make: Maker, closed: str) -> None:
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("a device that is always full")
    stage = running(make, jobs=2, slow=False)
    shell(stage, f"sumesync apply --yes {closed}", 0)
    assert len(stage.charges()) == 2
    laws.finish(stage, charges=2)


@pytest.mark.fault(69)
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_what_is_said_at_the_end_never_lands_in_a_file_of_ours(make: Maker, closed: str) -> None:
    """Where a standard stream is closed, the next file that is opened takes its number."""
    stage = running(make, {**POST, "delay": 1, "after": True, "times": 1}, slow=False)
    before = {path.name: path.read_bytes() for path in stage.path(".sume").glob("run.*")}
    process = subprocess.Popen(
        ["bash", "-c", f'exec "{sys.executable}" -m sumesync apply --yes {closed}'],
        cwd=stage.root,
        env=stage.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stage.sume.gate.reached()
    while process.poll() is None:
        kill(process, "SIGINT")
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    assert process.returncode == 130
    stage.sume.gate.open()
    assert b"Left at once" not in b"".join(path.read_bytes() for path in stage.root.rglob("*") if path.is_file())
    assert before.get("run.lock", b"") == stage.path(".sume/run.lock").read_bytes()
    laws.hold(stage)
