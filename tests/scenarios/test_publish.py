"""What CI made reaches the branch: a real remote, two clones, and a branch that moves on meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .stage import Stage

SCRIPT = Path(__file__).parents[2] / "action" / "publish"
DRIVER = f"'{sys.executable}' -m sumesync lock merge %O %A %B %P"
WHO = {"GIT_AUTHOR_NAME": "CI", "GIT_AUTHOR_EMAIL": "ci@localhost"}
WHO |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in WHO.items()}


@pytest.fixture
def remote(stage: Stage, tmp_path: Path) -> Path:
    """A bare repository that the stage's project was pushed to."""
    bare = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", "--template=", str(bare)], check=True)
    stage.here("init", "--git", code=0)
    stage.git("config", "merge.sumesync.driver", DRIVER)
    stage.spec("hero", "A cup.")
    stage.commit()
    stage.git("remote", "add", "origin", str(bare))
    stage.git("push", "-q", "origin", "main")
    return bare


def clone(stage: Stage, remote: Path, name: str, *, driver: bool = True) -> Stage:
    root = stage.root.parent / name
    subprocess.run(["git", "clone", "-q", str(remote), str(root)], check=True)
    other = stage.elsewhere(root)
    if driver:
        other.here("init", "--git", code=0)
        other.git("config", "merge.sumesync.driver", DRIVER)
    return other


def publish(stage: Stage, *args: str) -> subprocess.CompletedProcess[str]:
    """The script as a runner would call it, with the sumesync under test on PATH."""
    tools = stage.root.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "sumesync").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m sumesync \"$@\"\n")
    (tools / "sumesync").chmod(0o755)
    environment = {**stage.environment(), **WHO}
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    return subprocess.run(
        [str(SCRIPT), *args], cwd=stage.root, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def test_what_was_made_is_pushed(stage: Stage, remote: Path) -> None:
    ci = clone(stage, remote, "ci")
    assert publish(ci, "check", "main").returncode == 0
    ci.here("apply", "--yes", code=0)
    assert publish(ci, "push", "main", "Media of hero").returncode == 0
    stage.git("pull", "-q", "origin", "main")
    stage.here("check", code=0)
    assert "Media of hero" in stage.git("log", "-1", "--format=%s")
    again = publish(ci, "push", "main")
    assert (again.returncode, again.stderr) == (0, "pushed to main\n")


@pytest.mark.parametrize("driver", [True, False], ids=["with the driver", "without it"])
def test_a_branch_that_moved_on_is_merged(stage: Stage, remote: Path, driver: bool) -> None:
    ci = clone(stage, remote, "ci", driver=driver)
    stage.spec("plate", "A plate.")
    stage.here("apply", "--yes", code=0)
    ci.here("apply", "--yes", code=0)
    stage.commit()
    stage.git("push", "-q", "origin", "main")
    done = publish(ci, "push", "main")
    assert done.returncode == 0, done.stderr
    ci.here("check", code=0)
    assert set(ci.lock()) == {"hero.sume.toml", "plate.sume.toml"}
    fresh = clone(stage, remote, "fresh")
    fresh.here("check", code=0)
    # Two machines bought the same request at the same time: both jobs are known, one stands for it.
    assert [job["attempt"] for job in fresh.lock()["hero.sume.toml"]["jobs"]] == [1, 2]
    assert len(stage.charges()) == 3


def test_a_spec_in_conflict_goes_to_a_rescue_branch(stage: Stage, remote: Path) -> None:
    ci = clone(stage, remote, "ci")
    ci.spec("hero", "A red cup.")
    ci.here("apply", "--yes", code=0)
    stage.spec("hero", "A blue cup.")
    stage.commit()
    stage.git("push", "-q", "origin", "main")
    done = publish(ci, "push", "main")
    assert done.returncode == 1
    rescue = subprocess.run(
        ["git", "branch", "--list", "sumesync-rescue-*", "--format=%(refname:short)"],
        cwd=remote, capture_output=True, encoding="utf-8", check=True,
    ).stdout.strip()  # fmt: skip
    assert f"what was paid for is safe on {rescue}" in done.stderr
    stage.git("fetch", "-q", "origin", rescue)
    assert "A red cup." in stage.git("show", "FETCH_HEAD:hero.sume.toml")
    assert "completed" in stage.git("show", "FETCH_HEAD:sume.lock")


def test_nothing_is_paid_for_where_nothing_may_be_pushed(stage: Stage, remote: Path) -> None:
    hook = remote / "hooks"
    hook.mkdir(exist_ok=True)
    stage.git("remote", "set-url", "origin", str(remote / "gone"))
    done = publish(stage, "check", "main")
    assert done.returncode == 3
    assert "nothing was paid for" in done.stderr
    assert publish(stage, "pull", "main").returncode == 64


GH = """#!/bin/sh
# Stands for GitHub's command: notes what it is asked, knows one comment of ours where COMMENT is set.
echo "$@" >> "$GH_LOG"
case "$*" in
    *--jq*) [ -z "$COMMENT" ] || echo "$COMMENT" ;;
    *) exit "${GH_CODE:-0}" ;;
esac
"""


def on_pull_request(stage: Stage, **variables: str) -> tuple[subprocess.CompletedProcess[str], str, str]:
    """action/plan on a runner: how it ended, the job's summary, what GitHub was asked."""
    tools = stage.root.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "gh").write_text(GH)
    (tools / "sumesync").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m sumesync \"$@\"\n")
    for name in ("gh", "sumesync"):
        (tools / name).chmod(0o755)
    summary, log = stage.root.parent / "summary.md", stage.root.parent / "gh.log"
    environment = {**stage.environment(SUME_API_KEY=None), "GITHUB_REPOSITORY": "team/media", "PULL_REQUEST": "7"}
    environment |= {"GH_TOKEN": "t", "GITHUB_STEP_SUMMARY": str(summary), "GH_LOG": str(log), **variables}
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    done = subprocess.run(
        [str(SCRIPT.with_name("plan"))],
        cwd=stage.root,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done, summary.read_text() if summary.exists() else "", log.read_text() if log.exists() else ""


def test_a_pull_request_gets_one_living_comment(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    done, summary, asked = on_pull_request(stage)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("::notice file=hero.sume.toml,line=1,")
    assert summary.startswith("<!-- sumesync plan: project -->")
    assert "--method POST repos/team/media/issues/7/comments -F body=@" in asked
    _, _, asked = on_pull_request(stage, COMMENT="4711")
    assert "--method PATCH repos/team/media/issues/comments/4711 -F body=@" in asked


def test_where_no_comment_may_be_written_the_summary_has_it(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    stage.write("bad.sume.toml", "promt = 1\n")
    done, summary, _ = on_pull_request(stage, GH_CODE="1")
    assert done.returncode == 64
    assert "1 spec invalid" in summary
    assert "::error file=bad.sume.toml,line=1" in done.stdout
    assert "no comment could be written" in done.stdout


def test_a_workflow_is_written_once_and_knows_its_folder(stage: Stage) -> None:
    assert stage.here("init", "--github", "--json", code=0).json["made"] == [".github/workflows/sumesync.yml"]
    at_the_top = stage.read(".github/workflows/sumesync.yml")
    assert at_the_top == (SCRIPT.parents[1] / "example-project/.github/workflows/sumesync.yml").read_text()
    assert "\n  pull_request_target" not in at_the_top
    assert stage.here("init", "--github", "--json", code=0).json["made"] == []
    stage.path(".github/workflows/sumesync.yml").unlink()
    stage.here("init", "shop/media", "--github", code=0)
    below = stage.read(".github/workflows/sumesync.yml")
    assert "{ mode: plan, folder: shop/media }" in below
    assert "check --allow-pending -C shop/media" in below
    assert "folder: shop/media\n          api-key" in below
