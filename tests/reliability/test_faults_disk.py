"""The disk: full, broken or read-only at each write; locks that are damaged or lost; clocks that lie."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from sumesync.sandbox.settings import Idempotency
from tests.canaries import WORKSPACE
from tests.reliability import laws
from tests.reliability.machine import IO_ERROR, NO_SPACE, READ_ONLY, Fast, Trouble, disk, machine
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import MEDIA, POST, Stage

STRIDE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 3
LINUX = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="paths of open files are read from /proc")


def a_hero(make: Maker, *rules: object, **settings: object) -> Stage:
    stage = make(*rules, git=False, **settings)
    stage.spec("shots/hero", "A jar.")
    return stage


def refused(stage: Stage) -> None:
    """A run that met a bad disk: refused with a reason, or a question; or the fault was none of a run's business."""
    result = stage.here("apply", "--yes")
    assert result.code in (0, 1, 3, 4), str(result)
    if result.code == 3:
        assert "error: cannot " in result.text or "Stopped: cannot " in result.text or "cannot " in result.text
        assert result.text.count("\n  ") or "run again" in result.text
    laws.hold(stage)


# --- Each write in turn -------------------------------------------------------------------------------------


@LINUX
@pytest.mark.parametrize(
    ("kind", "lasting"),
    [
        pytest.param(NO_SPACE, True, id="no-space", marks=pytest.mark.fault(17)),
        pytest.param(IO_ERROR, False, id="io-error", marks=pytest.mark.fault(18)),
        pytest.param(READ_ONLY, True, id="read-only", marks=pytest.mark.fault(19)),
    ],
)
def test_at_each_write(make: Maker, kind: tuple[int, tuple[str, ...]], lasting: bool) -> None:
    """A full or read-only disk stays so from one write on; an I/O error comes once."""
    at, struck = 1, True
    while struck:
        stage = a_hero(make, idempotency=Idempotency.DOCUMENTED)
        with disk(at_step(at, lasting, kind, str(stage.root))) as trouble:
            refused(stage)
        struck = bool(trouble.struck)
        laws.finish(stage, "shots/hero")
        stage.close()
        at += STRIDE
    assert at > 15, "the disk's calls are not counted"


def at_step(at: int, lasting: bool, kind: tuple[int, tuple[str, ...]], under: str) -> Trouble:
    return Trouble(*kind, under, lambda _path, step: step >= at if lasting else step == at)


@LINUX
@pytest.mark.fault(19)
@pytest.mark.parametrize("folder", [".sume/journal", ".sume", "shots", ""], ids=["journal", "state", "output", "root"])
def test_one_folder_is_read_only(make: Maker, folder: str) -> None:
    """Nothing is sent unless it can be said before; what was paid for is kept where it can be kept."""
    stage = a_hero(make)
    full = str(stage.path(folder)) if folder else str(stage.root)
    read_only = Trouble(errno.EROFS, READ_ONLY[1], full, lambda path, _step: os.path.dirname(path) == full)
    with disk(read_only):
        result = stage.here("apply", "--yes", code=3)
    assert "the file system is read-only" in result.text
    assert read_only.struck
    assert len(stage.charges()) == (1 if folder == "shots" else 0)
    laws.finish(stage, "shots/hero")


@LINUX
@pytest.mark.fault(20)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_an_id_that_can_be_saved_nowhere_goes_to_the_terminal(make: Maker, number: int) -> None:
    """From the moment when the job exists, nothing can be written any more."""
    stage = a_hero(make)
    stage.spec("shots/next", "A lid.")
    stage.settings(capacity=1)
    with disk(Trouble(number, (*READ_ONLY[1], "fsync"), str(stage.root), lambda *_: bool(stage.charges()))):
        result = stage.here("apply", "--yes", code=3)
    [charge] = stage.charges()
    spec = "shots/hero.sume.toml" if charge.body["prompt"] == "A jar." else "shots/next.sume.toml"
    assert charge.job_id in result.text
    assert f"sumesync resolve {spec} --adopt {charge.job_id}" in result.text
    assert charge.job_id not in stage.ledger() + stage.read("sume.lock")
    again = stage.here("apply", "--yes", code=4)
    assert "sumesync resolve" in again.text
    assert len(stage.charges()) == 1
    stage.here("resolve", spec, "--adopt", charge.job_id, code=0)
    laws.finish(stage, charges=2)


@LINUX
@pytest.mark.fault(20)
@pytest.mark.parametrize("which", ["journal", "ledger.jsonl"])
@pytest.mark.parametrize("found_later", [False, True], ids=["at-once", "in-recovery"])
def test_one_of_the_two_places_is_enough_for_an_id(make: Maker, which: str, found_later: bool) -> None:
    """Also when the lock, which learns of it next, is reset by git."""
    lost = [{**POST, "drop": "after-creating", "times": 1}] if found_later else []
    stage = make(*lost)
    stage.spec("shots/hero", "A jar.")
    if found_later:
        stage.here("apply", "--yes", code=4)
        stage.settings(idempotency=Idempotency.DOCUMENTED)
    stage.commit()
    place = str(stage.state_folder() / which)
    with disk(Trouble(*NO_SPACE, place, lambda *_: bool(stage.charges()))) as full:
        stage.here("apply", "--yes")
    assert full.struck
    [charge] = stage.charges()
    assert charge.job_id in stage.ledger() + str(stage.journal())
    stage.git("reset", "-q", "--hard")
    laws.finish(stage, "shots/hero")


@LINUX
@pytest.mark.fault(21)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_media_that_can_be_written_nowhere_are_fetched_later(make: Maker, number: int) -> None:
    stage = a_hero(make)
    shots = str(stage.path("shots"))
    calls = (*READ_ONLY[1], "fsync")
    with disk(Trouble(number, calls, shots)):
        result = stage.here("apply", "--yes", code=3)
    assert "shots" in result.text
    [charge] = stage.charges()
    assert charge.job_id in stage.ledger()
    assert charge.job_id in stage.read("sume.lock")
    laws.finish(stage, "shots/hero")


# --- Clocks -------------------------------------------------------------------------------------------------

DAY = 86_400.0


@pytest.mark.parametrize(
    "wall",
    [
        pytest.param(lambda right, _: right + DAY, id="a-day-ahead", marks=pytest.mark.fault(22)),
        pytest.param(lambda right, _: right - DAY, id="a-day-behind", marks=pytest.mark.fault(22)),
        pytest.param(lambda _right, _: 0.0, id="1970", marks=pytest.mark.fault(22)),
        pytest.param(lambda right, look: right + DAY * (-1) ** look, id="to-and-fro", marks=pytest.mark.fault(23)),
        pytest.param(lambda right, look: right + DAY * look, id="ever-further", marks=pytest.mark.fault(23)),
        pytest.param(lambda right, look: right - DAY * look, id="ever-back", marks=pytest.mark.fault(23)),
    ],
)
def test_the_wall_clock_decides_nothing(make: Maker, wall: Callable[[float, int], float]) -> None:
    """Waits, deadlines and retries go by the monotonic clock; the wall's is only shown."""
    asked = {"status": 429, "headers": {"Retry-After": "5"}}
    dated = {"status": 503, "headers": {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}}
    stage = a_hero(
        make,
        {**POST, "answer": asked, "times": 1},
        {"method": "GET", "route": "/jobs/*", "answer": dated, "times": 2},
        {**MEDIA, "answer": {"status": 500}, "times": 1},
    )
    loop, client = Fast(wall=wall), Fast(wall=wall)
    began = loop.monotonic()
    with machine(loop, client=client):
        result = stage.here("apply", "--yes", "--deadline", "400000", code=0)
    assert loop.looks, "the clock that lies is the one that is used"
    assert loop.monotonic() - began >= 5
    assert all(0 <= slept <= 60 for slept in client.slept)
    assert "asks to wait 5 s" in result.err
    assert len(stage.charges()) == 1
    laws.finish(stage, "shots/hero")


@pytest.mark.fault(22, 23)
def test_a_deadline_does_not_move_with_the_wall_clock(make: Maker) -> None:
    stage = a_hero(make)
    stage.slow()
    clock = Fast(wall=lambda right, look: right - DAY * look)
    began = clock.monotonic()
    with machine(clock):
        stage.here("apply", "--yes", "--deadline", "30", code=5)
    assert clock.monotonic() - began >= 30
    stage.later()
    laws.finish(stage, "shots/hero")


@pytest.mark.fault(22)
def test_the_time_of_an_unknown_request_is_only_shown(make: Maker) -> None:
    stage = a_hero(make, {**POST, "drop": "after-creating", "times": 1})
    with machine(Fast(wall=lambda _right, _look: 86_400.0 * 365)):
        stage.here("apply", "--yes", code=4)
    assert "1971-01-01" in stage.here("resolve", code=4).out
    laws.answer(stage)
    laws.finish(stage, "shots/hero")


# --- Locks --------------------------------------------------------------------------------------------------


def markers(text: str) -> str:
    return text.replace("[[entry]]", "<<<<<<< HEAD\n[[entry]]\n=======\n>>>>>>> side\n[[entry]]", 1)


def twice(text: str) -> str:
    return text.replace("fingerprint =", 'kind = "image"\nfingerprint =', 1)


def header_twice(text: str) -> str:
    line = next(line for line in text.split("\n") if line.startswith("lineage"))
    return text.replace(line, f"{line}\n{line}")


DAMAGE = [
    pytest.param(markers, id="markers", marks=pytest.mark.fault(24)),
    pytest.param(lambda text: text[: len(text) // 2], id="half", marks=pytest.mark.fault(25)),
    pytest.param(lambda text: text[: text.rindex("size")], id="without-its-end", marks=pytest.mark.fault(25)),
    pytest.param(lambda _: "", id="empty", marks=pytest.mark.fault(25)),
    pytest.param(lambda _: "\x00\x07 not a lock", id="garbage", marks=pytest.mark.fault(26)),
    pytest.param(lambda text: text.replace("\n", "\udcff\n"), id="not-utf-8", marks=pytest.mark.fault(26)),
    pytest.param(lambda _: "x = 1\n", id="other-toml", marks=pytest.mark.fault(26)),
    pytest.param(lambda _: "[" * 50_000, id="deep", marks=pytest.mark.fault(26)),
    pytest.param(twice, id="a-key-twice", marks=pytest.mark.fault(27)),
    pytest.param(header_twice, id="a-key-of-the-header-twice", marks=pytest.mark.fault(27)),
    pytest.param(lambda text: text + text[text.index("[[entry]]") :], id="an-entry-twice", marks=pytest.mark.fault(27)),
    pytest.param(
        lambda text: text.replace("format_version = 1", "format_version = 2"), id="newer", marks=pytest.mark.fault(28)
    ),
]
CHANGES = [("apply", "--yes"), ("plan",), ("fetch",), ("accept", "shots/hero")]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_lock_that_does_not_read_is_refused_and_its_bytes_stay(
    make: Maker, damage: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    stage = a_hero(make)
    stage.here("apply", "--yes", code=0)
    good = stage.read("sume.lock")
    stage.spec("new", "A lid.")
    bad = stage.write("sume.lock", damage(good).encode("utf-8", "surrogateescape")).read_bytes()
    assert bad != good.encode()
    before = stage.tree()
    for args in CHANGES:
        result = stage.here(*args, code=3)
        assert "sume.lock" in result.err, args
        assert stage.tree() == before, args
    assert len(stage.charges()) == 1
    newer = "newer" in request.node.name
    stage.here("lock", "rebuild", code=3 if newer else 0)
    assert (stage.path("sume.lock").read_bytes() == bad) == newer
    if newer:
        stage.write("sume.lock", good)
    laws.finish(stage, charges=2)


@pytest.mark.fault(29)
def test_the_lock_of_another_workspace(make: Maker) -> None:
    stage = a_hero(make)
    stage.here("apply", "--yes", code=0)
    stage.spec("new", "A lid.")
    before = stage.tree()
    stage.settings(workspace_id=f"{WORKSPACE}_other")
    assert "another workspace" in stage.here("apply", "--yes", code=3).err
    assert stage.tree() == before
    assert len(stage.charges()) == 1
    stage.settings(workspace_id=WORKSPACE)
    laws.finish(stage, charges=2)


@pytest.mark.fault(30)
@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "no-ledger"])
def test_a_lock_that_was_deleted_is_made_again_for_nothing(make: Maker, ledger: bool) -> None:
    stage = a_hero(make)
    stage.here("apply", "--yes", code=0)
    before = stage.lock()
    stage.path("sume.lock").unlink()
    if not ledger:
        (stage.state_folder() / "ledger.jsonl").unlink()
    for args in CHANGES[:2]:
        assert "lock rebuild" in stage.here(*args, code=3).err
        assert not stage.has("sume.lock")
    stage.here("lock", "rebuild", code=0)
    assert stage.lock() == before
    laws.finish(stage)


@pytest.mark.fault(31)
@pytest.mark.parametrize("charged", [False, True])
def test_a_lock_that_was_deleted_while_a_payment_is_open(make: Maker, charged: bool) -> None:
    """No metadata yet: the journal alone says that something was begun."""
    stage = a_hero(make, {**POST, "drop": "after-creating" if charged else "after-reading", "times": 1})
    stage.here("apply", "--yes", code=4)
    [key] = [step["key"] for step in stage.journal()]
    stage.path("sume.lock").unlink()
    for args in CHANGES[:2]:
        assert "sumesync resolve" in stage.here(*args, code=3).err
        assert not stage.has("sume.lock")
    stage.here("lock", "rebuild", code=0)
    stage.here("apply", "--yes", code=4)
    assert stage.posts() <= 1
    assert [step["key"] for step in stage.journal()] == [key], "the same key: the lineage was not made anew"
    laws.answer(stage)
    laws.finish(stage, "shots/hero")


@pytest.mark.fault(34)
def test_what_one_machine_has_committed_another_does_not_pay_for(make: Maker) -> None:
    """Jobs in flight as well: the lock names them."""
    stage = make()
    stage.spec("done", "A lid.")
    stage.here("apply", "--yes", code=0)
    stage.slow()
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--no-wait", code=5)
    stage.commit()
    other = stage.elsewhere(stage.root.parent / "other-machine")
    stage.git("clone", "-q", str(stage.root), str(other.root))
    other.here("apply", "--yes", "--deadline", "0.1", code=5)
    assert len(other.charges()) == 2
    stage.later()
    laws.finish(other, charges=2)
    laws.finish(stage, charges=2)
    assert stage.lock() == other.lock()
