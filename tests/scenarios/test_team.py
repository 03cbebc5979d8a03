"""A whole week of a team on a real remote: a branch, its plan, a merge that conflicts, and a fresh clone. The media are
not committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .stage import MEDIA, Stage
from .test_publish import clone
from .test_publish import remote as remote

CONFIG = '[media]\nstore = "none"\n'
PICTURES = ("hero.png", "lid.png", "plate.png", "tray.png")


def push(stage: Stage, branch: str) -> None:
    stage.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")


@pytest.fixture
def ana(stage: Stage, remote: Path) -> Stage:
    """Her clone, and what stands on the remote: a picture of two specs."""
    stage.write("sumesync.toml", CONFIG)
    stage.write(".gitignore", stage.read(".gitignore") + "*.png\n")
    stage.spec("plate", "A plate.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    push(stage, "main")
    return stage


@pytest.fixture
def ben(ana: Stage, remote: Path) -> Stage:
    """His clone, with a branch that changes a spec and adds one; planned, applied and pushed."""
    ben = clone(ana, remote, "ben")
    ben.git("checkout", "-q", "-b", "blue")
    ben.spec("hero", "A blue cup.")
    ben.spec("lid", "A lid.")
    ben.commit()
    return ben


def test_the_plan_of_a_pull_request_is_what_its_branch_changes(ana: Stage, ben: Stage) -> None:
    posts = ana.posts()
    comment = ben.here("plan", "--format", "markdown", "--since", "origin/main", code=0).out
    assert comment.startswith("<!-- sumesync")
    assert "1 to create, 1 to update" in comment
    assert "lid.sume.toml" in comment
    assert "plate" not in comment
    notes = ben.here("plan", "--format", "github", "--since", "origin/main", code=0).out
    assert "::notice file=hero.sume.toml" in notes
    ben.here("check", "--allow-pending", code=0)
    ben.here("check", code=2)
    assert ana.posts() == posts


def test_from_a_branch_to_a_fresh_clone(ana: Stage, ben: Stage, remote: Path) -> None:
    ben.run("apply", "--yes", code=0)
    ben.commit()
    push(ben, "blue")

    ana.spec("hero", "A red cup.")
    ana.spec("tray", "A tray.")
    ana.here("apply", "--yes", code=0)
    ana.commit()
    push(ana, "main")

    # They meet: git asks a person about the spec alone, for lock and metadata have a driver.
    ben.git("fetch", "-q", "origin")
    with pytest.raises(AssertionError, match=r"CONFLICT.*hero\.sume\.toml"):
        ben.git("merge", "-q", "origin/main")
    assert ben.git("diff", "--name-only", "--diff-filter=U").split() == ["hero.sume.toml"]
    ben.git("checkout", "--ours", "hero.sume.toml")
    ben.commit()
    ben.here("plan", "--exit-code", code=0)
    push(ben, "main")

    # A clone that has never seen any of it: offline first, then all media, for nothing.
    fresh = clone(ana, remote, "fresh")
    fresh.here("check", code=0)
    posts = ana.posts()
    fetched = fresh.run("fetch", code=0)
    assert all(f"done {picture}" in fetched.err for picture in PICTURES)
    fresh.here("check", code=0)
    fresh.here("plan", "--exit-code", code=0)
    fresh.all_there()
    assert fresh.sha256("hero.png") == ben.sha256("hero.png")

    # Ana's cup was paid for: it is in the history, and comes back for nothing.
    listed = fresh.here("history", "hero", "--json", code=0).json["takes"]
    red = next(take for take in listed if take["request"]["prompt"] == "A red cup.")
    assert (red["now"], len(listed)) == (False, 3)
    fresh.here("restore", "hero", red["job"], "--yes", code=0)
    assert fresh.sha256("hero.png") == ana.sha256("hero.png")
    fresh.here("check", code=0)
    assert ana.posts() == posts
    assert sorted(ana.paid()) == ["A blue cup.", "A cup.", "A lid.", "A plate.", "A red cup.", "A tray."]


def test_a_fetch_that_was_killed_loads_only_the_rest(ana: Stage, remote: Path) -> None:
    for number in range(4):
        ana.spec(f"more{number}", f"Picture {number}.")
    ana.here("apply", "--yes", code=0)
    ana.commit()
    push(ana, "main")
    fresh = clone(ana, remote, "fresh")
    posts = ana.posts()
    names = [f"{name}.png" for name in ("hero", "plate", *(f"more{number}" for number in range(4)))]
    ana.faults({**MEDIA, "nth": 4, "delay": 1, "times": 9})
    process = fresh.begin("fetch")
    ana.sume.gate.reached()
    while sum(fresh.has(name) for name in names) < 3:  # what stands at the gate never comes
        assert process.poll() is None
    process.kill()
    process.communicate()
    ana.sume.gate.open()
    ana.sume.rest()
    ana.faults()
    there = {name for name in names if fresh.has(name)}
    assert len(there) == 3
    before = downloads(ana)
    fresh.here("fetch", code=0)
    assert downloads(ana) - before == len(names) - len(there)
    fresh.all_there()
    assert not list(fresh.root.rglob("*.part"))
    assert ana.posts() == posts


def downloads(stage: Stage) -> int:
    return sum(seen.method == "GET" and "/media/" in seen.path for seen in stage.world.requests)


def test_other_bytes_than_the_locks_are_not_taken(ana: Stage, remote: Path) -> None:
    """What reviewers agreed to is the hash in the lock."""
    text = ana.read("sume.lock")
    real = ana.sha256("plate.png")
    ana.write("sume.lock", text.replace(real, "0" * 64))
    ana.write("plate.sume.json", ana.read("plate.sume.json").replace(real, "0" * 64))
    ana.commit()
    push(ana, "main")
    fresh = clone(ana, remote, "fresh")
    told = fresh.here("fetch", code=1)
    assert "plate" in told.text
    assert (fresh.has("hero.png"), fresh.has("plate.png")) == (True, False)
