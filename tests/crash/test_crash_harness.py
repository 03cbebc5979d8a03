"""A quick part of the crash harness in the ordinary run; all of it: ``python -m tests.crash``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sumesync.sandbox.settings import Idempotency
from tests.crash.explore import Broken, Explorer
from tests.crash.parts import parts
from tests.crash.power import Power
from tests.crash.probe import Deed, Orders, Touch
from tests.crash.sabotage import SABOTAGES
from tests.crash.stories import STORIES, WEATHERS
from tests.crash.yard import Yard, opened

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
BOTH = pytest.mark.parametrize("way", list(Idempotency))
PAID = "POST|journal"
SENT = "(send|receive) api POST"
BETWEEN = re.compile(
    r"(kill|tear) at ((send|receive) api POST|(open|write|fsync|rename) \.sume/journal/|fsync \.sume/journal )"
)


@pytest.fixture
def yard() -> Iterator[Yard]:
    with opened() as opened_yard:
        yield opened_yard


# --- The quick part -------------------------------------------------------------------------------------


def test_killed_at_every_boundary_of_a_first_picture(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED)
    explorer.kill_once()
    figures = explorer.figures
    assert figures.boundaries == figures.killed
    assert figures.counts["kills"] > 80
    # A person is only asked where the process died between SENDING and ACCEPTED.
    assert explorer.asked
    unexpected = [step for [step] in explorer.asked if not BETWEEN.match(step)]
    assert not unexpected


def test_killed_while_it_pays_nobody_is_asked_where_the_key_is_honoured(yard: Yard) -> None:
    """The header changes only what becomes of the paid request; the other boundaries: ``python -m tests.crash``."""
    explorer = Explorer(yard, STORIES["first"], Idempotency.DOCUMENTED, about=PAID)
    explorer.kill_once()
    assert explorer.figures.counts["kills"] > 15
    assert not explorer.asked


@BOTH
def test_killed_and_killed_again_at_some_boundaries_of_everything_at_once(yard: Yard, way: Idempotency) -> None:
    explorer = Explorer(yard, STORIES["mixed"], way, stride=23)
    explorer.kill_once()
    assert explorer.figures.counts["kills"] >= 5


@pytest.mark.parametrize(
    "name", ["swapped", "accept", "retake", "restore", "fetch", "lock rebuild", "adopt", "undo", "not created", "init"]
)
def test_killed_at_some_boundaries_of_the_small_commands(yard: Yard, name: str) -> None:
    explorer = Explorer(yard, STORIES[name], Idempotency.IGNORED, stride=3)
    explorer.kill_once()
    assert explorer.figures.counts["kills"] >= 3


def test_the_power_goes_at_some_boundaries(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED, stride=9)
    explorer.cut_power()
    assert explorer.figures.counts["power cuts"] > 14


def test_some_operations_fail_once_and_for_good(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.DOCUMENTED, stride=11)
    explorer.fail()
    assert explorer.figures.counts["errors"] > 18


# --- That it would notice ---------------------------------------------------------------------------------


def test_every_story_is_part_of_all_of_it() -> None:
    named = {(part.search, part.story) for part in parts()}
    assert named == {(search, story) for search in ("kill_twice", "cut_power", "fail") for story in STORIES}
    assert len(WEATHERS) == len({weather.name for weather in WEATHERS}) >= 18


FOUND_BY = {
    "files are not synced": ("cut_power", r"\.part|lock", Idempotency.IGNORED),
    "folders are not synced": ("cut_power", r"fsync|send", Idempotency.IGNORED),
    "SENDING is not written": ("kill_once", PAID, Idempotency.IGNORED),
    "UNKNOWN is forgotten": ("kill_once", SENT, Idempotency.IGNORED),
    "sent again, undocumented": ("kill_once", SENT, Idempotency.IGNORED),
    "another key every time": ("kill_once", SENT, Idempotency.DOCUMENTED),
}


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_step_that_is_left_out_is_found(yard: Yard, sabotage: str) -> None:
    search, about, way = FOUND_BY[sabotage]
    explorer = Explorer(yard, STORIES["first"], way, about=about)
    yard.sabotage = sabotage
    with pytest.raises(Broken):
        getattr(explorer, search)()


def test_a_boundary_is_the_same_in_another_run(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED)
    start = explorer.begin()
    twice = []
    for _ in range(2):
        yard.restore(start)
        twice.append(yard.run("apply", "--yes", orders=Orders()).touches)
    assert sorted(map(str, twice[0])) == sorted(map(str, twice[1]))
    assert yard.state().mark != start.mark


def test_a_job_too_many_is_noticed(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED)
    explorer.begin()
    run = yard.run("apply", "--yes")
    yard.stage.spec("other", "Nobody counted on it.")
    run = yard.run("apply", "--yes")
    with pytest.raises(Broken, match="a job too many"):
        explorer._check(run)


def test_a_lost_job_is_noticed(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED)
    explorer.begin()
    run = yard.run("apply", "--yes")
    explorer._check(run)
    for path in ("sume.lock", ".sume/ledger.jsonl"):
        yard.stage.path(path).unlink()
    with pytest.raises(Broken, match="paid for and forgotten"):
        explorer._check(run)


def test_a_picture_that_is_not_there_is_noticed(yard: Yard) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED)
    explorer.begin()
    run = yard.run("apply", "--yes")
    yard.stage.path("hero.png").write_bytes(b"")
    with pytest.raises(Broken, match="calls complete what is not there"):
        explorer._check(run)


@pytest.mark.parametrize("deed", [Deed.KILL, Deed.TEAR])
def test_a_process_dies_where_it_was_told_to(yard: Yard, deed: Deed) -> None:
    explorer = Explorer(yard, STORIES["first"], Idempotency.IGNORED)
    explorer.begin()
    assert yard.run("apply", "--yes", orders=Orders(deed, Touch("write *.part", 1))).killed
    [part] = [path for path in yard.stage.tree() if path.endswith(".part")]
    assert bool(yard.stage.read(part)) is (deed is Deed.TEAR)


# --- The power of a disk ------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "old").write_bytes(b"old")
    return tmp_path


@pytest.mark.parametrize(
    ("synced", "lost", "shredded"),
    [
        pytest.param((), b"old", b"ne", id="nothing-synced"),
        pytest.param(("file",), b"old", b"newer", id="the-file"),
        pytest.param(("folder",), b"", b"ne", id="the-folder"),
        pytest.param(("file", "folder"), b"newer", b"newer", id="both"),
    ],
)
def test_a_file_that_was_replaced(disk: Path, synced: tuple[str, ...], lost: bytes, shredded: bytes) -> None:
    for left, cut in ((lost, "lose"), (shredded, "shred")):
        power, target, part = Power(), disk / cut, disk / "part"
        target.write_bytes(b"old")
        power.made(str(part))
        power.changes(str(part))
        part.write_bytes(b"newer")
        if "file" in synced:
            power.synced(str(part))
        undo = power.renaming(str(part), str(target))
        part.rename(target)
        power.renamed(str(part), str(target), undo)
        if "folder" in synced:
            power.synced(str(disk))
        getattr(power, cut)()
        assert target.read_bytes() == left
        part.unlink(missing_ok=True)


@pytest.mark.parametrize(("synced", "lost", "shredded"), [(False, b"old", b"old+"), (True, b"old+++", b"old+++")])
def test_a_file_that_was_added_to(disk: Path, synced: bool, lost: bytes, shredded: bytes) -> None:
    for left, cut in ((lost, "lose"), (shredded, "shred")):
        power, path = Power(), disk / "old"
        path.write_bytes(b"old")
        power.changes(str(path))
        path.write_bytes(b"old+++")
        if synced:
            power.synced(str(path))
        getattr(power, cut)()
        assert path.read_bytes() == left


def test_a_removal_and_a_link_come_back_and_go(disk: Path) -> None:
    power, path, link, folder = Power(), disk / "old", disk / "link", disk / "folder"
    link.hardlink_to(path)
    power.linked(str(path), str(link))
    undo = power.removing(str(path))
    path.unlink()
    power.removed(str(path), undo)
    folder.mkdir()
    power.made(str(folder))
    power.lose()
    assert path.read_bytes() == b"old"
    assert not link.exists()
    assert not folder.exists()
