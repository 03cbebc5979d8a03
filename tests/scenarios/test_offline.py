"""What must work without a key and without a network, and what must refuse without them."""

from __future__ import annotations

import pytest

from .conftest import Maker
from .stage import Stage

ALONE = {"SUME_API_KEY": None, "SUME_API_BASE_URL": "http://127.0.0.1:1/api/v1"}


@pytest.fixture
def mixed(stage: Stage) -> Stage:
    """One spec that is done, one that is new."""
    stage.spec("done", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.spec("new", "Another jar.")
    return stage


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("plan",), 0, "1 paid job."),
        (("plan", "--exit-code"), 2, "1 paid job."),
        (("plan", "--json"), 0, '"paid_jobs": 1'),
        (("validate",), 0, "2 specs valid"),
        (("check",), 2, "new.sume.toml: not made yet"),
        (("status",), 0, "up to date"),
        (("retake", "done"), 0, "take = 2"),
        (("schema",), 0, '"$schema"'),
        (("new", "video", "clip"), 0, "clip.sume.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_no_key_and_no_network_are_needed(mixed: Stage, args: tuple[str, ...], code: int, says: str) -> None:
    asked = len(mixed.world.requests)
    assert says in mixed.here(*args, code=code, env=ALONE).text
    assert len(mixed.world.requests) == asked


def test_the_plan_of_a_real_process_without_key_and_network(mixed: Stage) -> None:
    asked = len(mixed.world.requests)
    result = mixed.run("plan", "--json", code=0, env=ALONE)
    assert [(a["path"], a["action"]) for a in result.json["actions"]] == [
        ("done.sume.toml", "keep"),
        ("new.sume.toml", "create"),
    ]
    assert result.err == ""
    assert len(mixed.world.requests) == asked


def test_apply_without_yes_and_without_a_terminal_refuses_and_says_so(mixed: Stage) -> None:
    before = mixed.tree()
    result = mixed.run("apply", code=64, stdin="y\n")
    assert "--yes" in result.err
    assert "no terminal" in result.err
    assert mixed.tree() == before
    assert len(mixed.charges()) == mixed.posts() == 1


def test_a_pull_requests_plan_reads_nothing_beyond_the_project(make: Maker) -> None:
    """A project cannot point at another origin, or read a file outside of it into a prompt."""
    stage = make()
    stage.write("sumesync.toml", 'endpoint = "https://evil.example/api/v1"\n')
    stage.spec("hero", "A jar.")
    result = stage.here("apply", "--yes", code=64)
    assert "sumesync.toml:1:" in result.err
    assert "SUME_API_BASE_URL" in result.err
    (stage.root.parent / "secret.txt").write_text("a secret outside")
    stage.write("sumesync.toml", "")
    stage.write("hero.sume.toml", 'prompt_file = "../secret.txt"\n')
    result = stage.here("plan", "--json", code=64)
    assert "a secret outside" not in result.text
    stage.path("link.txt").symlink_to(stage.root.parent / "secret.txt")
    stage.write("hero.sume.toml", 'prompt_file = "link.txt"\n')
    result = stage.here("plan", "--json", code=64)
    assert "a secret outside" not in result.text
    assert "symbolic link" in result.text
    assert not stage.world.requests
    stage.path("link.txt").unlink()
