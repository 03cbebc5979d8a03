"""Killed, as by kill -9, at each boundary of the paid step by its name; then killed again while it recovers.

The crash is in a forked process, at a call of ours rather than at a count, so that each name means what it says.
"""

from __future__ import annotations

import os
import select
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from sumesync.api.transport import PlainConnection
from sumesync.cli.main import run as run_main
from sumesync.disk import atomic
from sumesync.disk.journal import LocalJournal
from sumesync.disk.lockfile import LockFile
from sumesync.disk.outputs import OutputFiles, Part
from sumesync.model import Step
from sumesync.sandbox.settings import Idempotency
from tests.reliability import laws
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import FORKS, KILLED, Stage

pytestmark = FORKS

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def die() -> NoReturn:
    os._exit(KILLED)


def before(fits: Callable[..., bool] = lambda *_args, **_options: True) -> Wrap:
    """Dies instead of the first call that ``fits``."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            return die() if fits(*args, **options) else real(*args, **options)

        return call

    return wrap


def after(fits: Callable[..., bool] = lambda *_args, **_options: True) -> Wrap:
    """Dies when the first call that ``fits`` has done its work."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            value = real(*args, **options)
            return die() if fits(*args, **options) else value

        return call

    return wrap


def half(index: int) -> Wrap:
    """Dies when half of the bytes, the argument at ``index``, were taken."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            data = args[index]
            real(*args[:index], data[: len(data) // 2], *args[index + 1 :], **options)
            die()

        return call

    return wrap


def step(which: Step) -> Callable[..., bool]:
    return lambda _journal, submission: submission.step is which


@dataclass(frozen=True)
class Moment:
    """Where the process dies: at ``name`` of ``owner``; with ``since`` only once that was ``entered`` or ``left``.

    ``step`` is what the journal says afterwards, ``charged`` how many jobs were paid for.
    """

    owner: Any
    name: str
    wrap: Wrap
    step: str | None
    charged: int
    since: tuple[Any, str, str] | None = None


def _body(wrap: Wrap) -> Wrap:
    """Only where the bytes are the request's body."""

    def chosen(real: Callable[..., Any]) -> Callable[..., Any]:
        special = wrap(real)
        return lambda self, data: special(self, data) if data.lstrip()[:1] == b"{" else real(self, data)

    return chosen


def _when_it_is_there(real: Callable[..., Any]) -> Callable[..., Any]:
    """Dies when the answer to a POST has come and not a byte of it was read."""

    def call(self: Any, *args: Any, **options: Any) -> Any:
        if self.auto_open:  # a read's: the paid request never reconnects
            return real(self, *args, **options)
        assert select.select([self.sock], [], [], 20)[0]
        return die()

    return call


def _paid(wrap: Wrap) -> Wrap:
    """Only on the connection of the paid request."""

    def chosen(real: Callable[..., Any]) -> Callable[..., Any]:
        special = wrap(real)
        return lambda self, *args, **options: (real if self.auto_open else special)(self, *args, **options)

    return chosen


MOMENTS: list[Any] = [
    pytest.param(Moment(LocalJournal, "write", before(step(Step.INTENT)), None, 0),
                 id="before-intent", marks=pytest.mark.fault(1)),
    pytest.param(Moment(atomic, "write_all", half(1), None, 0, (LocalJournal, "write", "entered")),
                 id="during-intent", marks=pytest.mark.fault(2)),
    pytest.param(Moment(LocalJournal, "write", after(step(Step.INTENT)), "intent", 0),
                 id="after-intent", marks=pytest.mark.fault(3)),
    pytest.param(Moment(PlainConnection, "connect", _paid(before()), "intent", 0),
                 id="before-connect", marks=pytest.mark.fault(4)),
    pytest.param(Moment(PlainConnection, "_new_conn", _paid(after()), "intent", 0),
                 id="during-connect", marks=pytest.mark.fault(5)),
    pytest.param(Moment(LocalJournal, "write", after(step(Step.SENDING)), "sending", 0),
                 id="after-sending", marks=pytest.mark.fault(6)),
    pytest.param(Moment(PlainConnection, "send", _body(half(1)), "sending", 0),
                 id="mid-body", marks=pytest.mark.fault(7)),
    pytest.param(Moment(PlainConnection, "getresponse", _when_it_is_there, "sending", 1),
                 id="before-the-answer", marks=pytest.mark.fault(8)),
    pytest.param(Moment(LocalJournal, "write", before(step(Step.ACCEPTED)), "sending", 1),
                 id="before-accepted", marks=pytest.mark.fault(9)),
    pytest.param(Moment(LocalJournal, "write", after(step(Step.ACCEPTED)), "accepted", 1),
                 id="after-accepted", marks=pytest.mark.fault(10)),
    pytest.param(Moment(atomic, "write_all", half(1), "accepted", 1, (LockFile, "patch", "entered")),
                 id="mid-lock-write", marks=pytest.mark.fault(11)),
    pytest.param(Moment(LocalJournal, "clear", before(), "accepted", 1),
                 id="before-the-journal-is-cleared", marks=pytest.mark.fault(12)),
    pytest.param(Moment(Part, "write", half(1), None, 1),
                 id="mid-download", marks=pytest.mark.fault(13)),
    pytest.param(Moment(OutputFiles, "place", before(), None, 1),
                 id="before-the-rename", marks=pytest.mark.fault(14)),
    pytest.param(Moment(LockFile, "patch", before(), None, 1, (OutputFiles, "place", "left")),
                 id="before-completed", marks=pytest.mark.fault(15)),
]  # fmt: skip


def kill(stage: Stage, moment: Moment) -> None:
    """An apply that dies there."""
    log = stage.home / "killed.txt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads; ours only wait for requests
        child = os.fork()
    if child == 0:
        code = 98
        try:
            _arm(moment)
            with log.open("w", buffering=1) as file, stage._played(file, file, {}):
                code = int(run_main(["apply", "--yes", "-C", str(stage.root)]))
        finally:
            os._exit(code)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    stage.said.append(log.read_text())
    assert ended == KILLED, log.read_text()


def _arm(moment: Moment) -> None:
    """In the process that dies, so nothing is ever put back."""
    real = getattr(moment.owner, moment.name)
    special, armed = moment.wrap(real), [moment.since is None]
    setattr(moment.owner, moment.name, lambda *args, **options: (special if armed[0] else real)(*args, **options))
    if moment.since is not None:
        owner, name, when = moment.since
        first = getattr(owner, name)

        def passed(*args: Any, **options: Any) -> Any:
            armed[0] = armed[0] or when == "entered"
            value = first(*args, **options)
            armed[0] = True
            return value

        setattr(owner, name, passed)


def killed(make: Maker, moment: Moment, **settings: Any) -> Stage:
    stage = make(git=False, **settings)
    stage.spec("early", "An earlier one.")
    stage.here("apply", "--yes", code=0)  # the lock has its header and its first entry
    stage.spec("hero", "A jar.")
    kill(stage, moment)
    laws.hold(stage)
    assert [each["step"] for each in stage.journal()] == ([moment.step] if moment.step else [])
    assert len(stage.charges()) == 1 + moment.charged
    return stage


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(make: Maker, moment: Moment) -> None:
    """What was never sent is sent by the next run; what may have been is a question; what is known is brought home."""
    stage = killed(make, moment)
    if moment.step == "sending":
        stage.here("apply", "--yes", code=4)
        assert len(stage.charges()) == 1 + moment.charged
        laws.answer(stage)
    laws.finish(stage, charges=2)


@pytest.mark.fault(16)
@pytest.mark.parametrize("moment", [pytest.param(each.values[0], id=each.id) for each in MOMENTS])
def test_killed_again_while_it_recovers(make: Maker, moment: Moment) -> None:
    stage = killed(make, moment, idempotency=Idempotency.DOCUMENTED)
    for at in (2, 5, 3):
        stage.crash(at, "apply", "--yes")
        laws.hold(stage)
    laws.finish(stage, charges=2)
