"""``sume.lock`` on disk: re-read before it is patched, so nobody else's entries are lost."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sumesync.core import lock as locks
from sumesync.core.advance import note_job, turn_to
from sumesync.core.lock import LockFault
from sumesync.disk.lockfile import LockFile, new_lineage
from sumesync.model import Entry, Lock
from tests.builders import LINEAGE, entry, lock, past
from tests.values import HERO, HERO_DONE, HERO_IN_FLIGHT, HERO_JOB, RED_DONE, TEASER, TEASER_DONE, WORKSPACE

from .calls import Calls


@pytest.fixture
def store(tmp_path: Path) -> LockFile:
    return LockFile(tmp_path)


def test_there_is_none_at_first(store: LockFile) -> None:
    assert store.read() is None
    assert not store.exists()


def test_a_header_alone_is_a_lock(store: LockFile) -> None:
    assert store.create(LINEAGE, None) == store.read() == Lock(LINEAGE)


def test_a_header_names_its_workspace(store: LockFile) -> None:
    assert store.create(LINEAGE, WORKSPACE) == store.read() == Lock(LINEAGE, WORKSPACE)


def test_a_lock_that_a_checkout_took_away_gets_its_workspace_again(store: LockFile) -> None:
    store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE, WORKSPACE)
    assert store.read() == lock(TEASER_DONE, workspace=WORKSPACE)


def test_every_write_is_durable_and_never_in_place(store: LockFile, tmp_path: Path, calls: Calls) -> None:
    steps = ["write part", "fsync part", "replace part sume.lock", f"fsync {tmp_path.name}"]
    for act in (
        lambda: store.create(LINEAGE, None),
        lambda: store.patch({HERO.key: [lambda _: HERO_DONE]}, LINEAGE),
        lambda: store.replace(lock(TEASER_DONE)),
    ):
        calls.log.clear()
        act()
        assert calls.log == steps


@pytest.mark.parametrize(
    ("data", "what"), [(b"\xff\xfe", "sume.lock is not text"), (None, "sume.lock is a symbolic link")]
)
def test_a_lock_that_is_none_says_how_to_make_it_again(
    store: LockFile, tmp_path: Path, data: bytes | None, what: str
) -> None:
    if data is None:
        (tmp_path / "sume.lock").symlink_to(tmp_path / "none")
    else:
        (tmp_path / "sume.lock").write_bytes(data)
    with pytest.raises(LockFault) as fault:
        store.read()
    assert what in fault.value.what
    assert fault.value.hint == locks.REBUILD_HINT


def test_a_patch_gives_back_the_line_ends_of_ours(store: LockFile, tmp_path: Path) -> None:
    (tmp_path / "sume.lock").write_bytes(locks.render(lock(HERO_DONE)).replace("\n", "\r\n").encode())
    store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE)
    assert b"\r" not in (tmp_path / "sume.lock").read_bytes()


def test_a_lock_that_is_as_we_left_it_is_not_parsed_again(store: LockFile, monkeypatch: pytest.MonkeyPatch) -> None:
    store.replace(lock(HERO_DONE))
    store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE)
    with monkeypatch.context() as patched:
        patched.delattr(locks, "read")
        store.patch({TEASER.key: [lambda entry: None]}, LINEAGE)
        assert store.read() == lock(HERO_DONE)
    assert LockFile(store._root).read() == lock(HERO_DONE)


def test_what_another_wrote_meanwhile_is_seen_though_its_size_and_times_are_ours(
    store: LockFile, tmp_path: Path
) -> None:
    path = tmp_path / "sume.lock"
    store.patch({HERO.key: [lambda _: HERO_DONE]}, LINEAGE)
    stat, text = path.stat(), path.read_text()
    path.write_text(text.replace("job_", "gob_"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE)
    assert path.read_text().count("gob_") == text.count("job_") > 0
    assert LockFile(tmp_path).read() == store.read()


@pytest.mark.parametrize("damage", [b"format_version = 1\n[[entry", b"<<<<<<< ours\n", b"\xff"])
def test_a_lock_that_is_damaged_after_we_wrote_it_is_refused_and_left(
    store: LockFile, tmp_path: Path, damage: bytes
) -> None:
    store.patch({HERO.key: [lambda _: HERO_DONE]}, LINEAGE)
    ours = (tmp_path / "sume.lock").read_bytes()
    for data in (damage, ours + damage):
        (tmp_path / "sume.lock").write_bytes(data)
        with pytest.raises(LockFault):
            store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE)
        assert (tmp_path / "sume.lock").read_bytes() == data
    (tmp_path / "sume.lock").write_bytes(ours)
    assert store.read() == lock(HERO_DONE)


def test_changes_are_applied_in_their_order_to_what_stands_in_the_file(store: LockFile) -> None:
    store.replace(lock(TEASER_DONE))
    store.patch(
        {
            HERO.key: [
                lambda found: turn_to(found, HERO.key, past(HERO, HERO_IN_FLIGHT)),
                lambda found: note_job(found, HERO.fingerprint, HERO_JOB),
            ]
        },
        LINEAGE,
        WORKSPACE,
    )
    assert store.read() == lock(TEASER_DONE, HERO_DONE, workspace=WORKSPACE)


def test_another_branchs_lock_is_never_overwritten(store: LockFile, tmp_path: Path) -> None:
    """A run began on one branch; a checkout brought another lock; the run ends."""
    store.replace(lock(entry(HERO, HERO_IN_FLIGHT)))
    LockFile(tmp_path).replace(lock(RED_DONE, TEASER_DONE))

    def ended(found: Entry | None) -> Entry | None:
        return note_job(found, HERO.fingerprint, HERO_JOB)

    store.patch({HERO.key: [ended]}, LINEAGE)
    assert store.read() == lock(RED_DONE, TEASER_DONE)


def test_entries_are_removed(store: LockFile) -> None:
    store.replace(lock(HERO_DONE, TEASER_DONE))
    store.patch({HERO.key: [lambda _: None]}, LINEAGE)
    assert store.read() == lock(TEASER_DONE)


def test_a_lock_that_a_checkout_took_away_is_made_anew(store: LockFile) -> None:
    store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE)
    assert store.read() == lock(TEASER_DONE)


def test_a_patch_that_changes_nothing_does_not_touch_the_file(store: LockFile, tmp_path: Path) -> None:
    store.replace(lock(HERO_DONE))
    before = (tmp_path / "sume.lock").stat()
    store.patch({HERO.key: [lambda found: found]}, LINEAGE)
    after = (tmp_path / "sume.lock").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"<<<<<<< HEAD\n", b"format_version = 2\n", b"\x00" * 10])
def test_a_lock_that_does_not_read_is_refused_and_left_as_it_is(store: LockFile, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "sume.lock").write_bytes(data)
    with pytest.raises(LockFault):
        store.read()
    with pytest.raises(LockFault):
        store.patch({HERO.key: [lambda _: HERO_DONE]}, LINEAGE)
    assert (tmp_path / "sume.lock").read_bytes() == data


def test_every_truncation_is_left_as_it_is_or_reads(store: LockFile, tmp_path: Path) -> None:
    text = locks.render(lock(HERO_DONE)).encode()
    for length in range(0, len(text), 5):
        (tmp_path / "sume.lock").write_bytes(text[:length])
        try:
            store.patch({}, LINEAGE)
        except LockFault:
            assert (tmp_path / "sume.lock").read_bytes() == text[:length]


def test_a_link_or_a_folder_in_its_place_is_refused(store: LockFile, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(locks.render(lock(HERO_DONE)))
    (tmp_path / "sume.lock").symlink_to(tmp_path / "other")
    with pytest.raises(LockFault, match="symbolic link"):
        store.read()
    (tmp_path / "sume.lock").unlink()
    (tmp_path / "sume.lock").mkdir()
    with pytest.raises(LockFault, match=r"sume\.lock"):
        store.read()


def test_line_ends_of_a_checkout_on_windows_are_no_change_to_entries(store: LockFile, tmp_path: Path) -> None:
    (tmp_path / "sume.lock").write_bytes(locks.render(lock(HERO_DONE)).replace("\n", "\r\n").encode())
    store.patch({TEASER.key: [lambda _: TEASER_DONE]}, LINEAGE)
    assert store.read() == lock(HERO_DONE, TEASER_DONE)


def test_a_patch_that_changes_nothing_leaves_the_line_ends_of_a_checkout(store: LockFile, tmp_path: Path) -> None:
    whole = locks.render(lock(HERO_DONE, TEASER_DONE)).replace("\n", "\r\n").encode()
    (tmp_path / "sume.lock").write_bytes(whole)
    store.patch({HERO.key: [lambda entry: entry]}, LINEAGE)
    assert (tmp_path / "sume.lock").read_bytes() == whole
    store.patch({HERO.key: [lambda _: RED_DONE]}, LINEAGE)
    assert b"\r" not in (tmp_path / "sume.lock").read_bytes()


def test_a_lock_that_is_made_by_its_first_entry_names_its_workspace(store: LockFile) -> None:
    store.patch({}, LINEAGE, WORKSPACE)
    assert store.read() == Lock(LINEAGE, WORKSPACE)


def test_a_lineage_is_random() -> None:
    made = {new_lineage() for _ in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
