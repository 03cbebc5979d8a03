"""The world on disk: durable before it is told, shared by processes, and never half written."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import urllib3

from sumesync.errors import Exit, LocalStateError
from sumesync.sandbox.settings import Idempotency, Settings
from sumesync.sandbox.world import World

from .client import CAT, Clock

LOG = "world.jsonl"


def test_a_world_is_found_again(tmp_path: Path) -> None:
    clock = Clock()
    first = World.open(tmp_path, now=clock)
    job = first.create("image", CAT, "key")
    gone = first.create("image", CAT)
    first.forget(gone.id)
    first.expire_result(job.id)
    again = World.open(tmp_path, now=clock)
    assert again.jobs() == first.jobs()
    assert again.charges() == first.charges()
    assert again.remaining() == first.remaining() == 100_000 - 8
    assert again.key == first.key
    assert again.key.startswith("sume_sandbox_")
    assert again.signer.sign("/x") == first.signer.sign("/x")


def test_two_open_worlds_see_each_other(tmp_path: Path) -> None:
    one, two = World.open(tmp_path, Settings(credits=9)), World.open(tmp_path, Settings(credits=9))
    job = one.create("image", CAT)
    assert two.job(job.id) == job
    other = two.create("image", CAT)
    assert one.page().jobs == (other, job)
    assert (job.number, other.number) == (1, 2)
    assert one.remaining() == 1


def test_two_open_worlds_honour_one_key(tmp_path: Path) -> None:
    settings = Settings(idempotency=Idempotency.DOCUMENTED)
    worlds = [World.open(tmp_path, settings) for _ in range(4)]
    ids: list[str] = []
    threads = [threading.Thread(target=lambda w=w: ids.append(w.create("image", CAT, "k").id)) for w in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1
    assert len(worlds[0].charges()) == 1


SERVE = """
import sys
from pathlib import Path
from sumesync.sandbox.server import embedded
running = embedded(Path(sys.argv[1]))
print(running.base_url, running.key, flush=True)
running.wait()
"""


def test_an_accepted_job_survives_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base, key = process.stdout.readline().split()
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "POST", f"{base}/images/generations", json=CAT, headers={"Authorization": f"Bearer {key}"}
            )
            job_id = answer.json()["job"]["id"]
        process.kill()
    again = World.open(tmp_path)
    assert [job.id for job in again.jobs()] == [job_id]
    assert again.key == key


def test_every_length_of_a_log_cut_short_by_a_kill_is_usable(tmp_path: Path) -> None:
    world = World.open(tmp_path, now=Clock())
    world.create("image", CAT)
    before = (tmp_path / LOG).stat().st_size
    world.create("image", CAT)
    whole = (tmp_path / LOG).read_bytes()
    for length in range(before, len(whole)):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / LOG).write_bytes(whole[:length])
        torn = World.open(folder, now=Clock())
        assert len(torn.jobs()) == 1, length
        torn.create("image", CAT)
        assert len(World.open(folder).jobs()) == 2, length


@pytest.mark.parametrize("length", [0, 1, 20])
def test_a_log_whose_first_line_was_not_finished_begins_anew(tmp_path: Path, length: int) -> None:
    World.open(tmp_path)
    whole = (tmp_path / LOG).read_bytes()
    (tmp_path / LOG).write_bytes(whole[:length])
    assert World.open(tmp_path).jobs() == ()


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "[]",
        "null",
        '{"job": {}}',
        '{"job": 1}',
        '{"future": 1}',
        '{"amend": "job_none", "changes": {}}',
        '{"sandbox": 99, "key": "k", "secret": "s"}',
        "[" * 100_000,
    ],
)
def test_a_corrupt_world_says_what_to_do(tmp_path: Path, line: str) -> None:
    World.open(tmp_path).create("image", CAT)
    with (tmp_path / LOG).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(LocalStateError) as caught:
        World.open(tmp_path)
    assert "delete .sume/sandbox" in caught.value.hint
    assert caught.value.code is Exit.REFUSED


@pytest.mark.parametrize("change", [{"number": "1"}, {"kind": "opera"}, {"ends_at": "soon"}, {"gone": 1}, {"more": 1}])
def test_a_job_of_the_wrong_shape_is_corruption(tmp_path: Path, change: dict[str, object]) -> None:
    World.open(tmp_path).create("image", CAT)
    path = tmp_path / LOG
    lines = path.read_text().splitlines()
    record = json.loads(lines[-1])
    record["job"].update(change)
    path.write_text("\n".join([*lines[:-1], json.dumps(record), ""]))
    with pytest.raises(LocalStateError):
        World.open(tmp_path)


def test_a_world_deleted_meanwhile_is_told(tmp_path: Path) -> None:
    world = World.open(tmp_path / "w")
    (tmp_path / "w" / LOG).unlink()
    with pytest.raises(LocalStateError):
        world.jobs()
    with pytest.raises(LocalStateError):
        world.create("image", CAT)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalStateError):
        World.open(tmp_path / "file" / "world")
