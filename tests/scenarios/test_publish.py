"""What CI made reaches the branch: a real remote, two clones, and a branch that moves on meanwhile."""

from __future__ import annotations

import shutil
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
    """The script as a runner would call it."""
    return script(stage, "publish", *args, **WHO)


def script(stage: Stage, name: str, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A script of the action, with the sumesync under test and a stand-in for gh on PATH."""
    tools = stage.root.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "sumesync").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m sumesync \"$@\"\n")
    (tools / "gh").write_text(GH)
    for tool in tools.iterdir():
        tool.chmod(0o755)
    environment = {**stage.environment(), **variables}
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    return subprocess.run(
        [str(SCRIPT.with_name(name)), *args],
        cwd=stage.root, env=environment, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


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


def test_a_prompt_in_conflict_is_nobody_s_but_a_person_s(stage: Stage, remote: Path) -> None:
    """Of text no side is taken unasked, whatever its file is called; of pictures ours, as the lock says."""
    for name, prompt in (("ci", "A red cup."), ("stage", "A blue cup.")):
        one = clone(stage, remote, "ci") if name == "ci" else stage
        one.write("words.prompt", prompt)
        one.git("add", "words.prompt")
        one.git("commit", "-q", "-m", prompt)
    stage.git("push", "-q", "origin", "main")
    done = publish(stage.elsewhere(stage.root.parent / "ci"), "push", "main")
    assert (done.returncode, "safe on sumesync-rescue-" in done.stderr) == (1, True)
    assert stage.git("ls-remote", "origin", "refs/heads/main").split()[0] == stage.git("rev-parse", "HEAD").strip()


def test_where_nothing_can_be_pushed_at_all_it_says_where_the_jobs_are_known(stage: Stage, remote: Path) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    stage.here("apply", "--yes", code=0)
    done = publish(stage, "push", "main")
    assert done.returncode == 1
    assert "nothing could be pushed" in done.stderr
    assert "completed" in stage.git("show", "HEAD:sume.lock"), "the commit stands, to be pushed by hand"


def test_only_the_project_s_folder_is_committed(stage: Stage, remote: Path) -> None:
    stage.write("shop/sumesync.toml", "")
    stage.write("left-by-another-step.log", "x")
    done = publish(stage.elsewhere(stage.root / "shop"), "push", "main")
    assert done.returncode == 0, done.stderr
    assert stage.git("show", "--name-only", "--format=").split() == ["shop/sumesync.toml"]


# --- What was approved ------------------------------------------------------------------------------------------


def head(stage: Stage) -> str:
    return stage.git("rev-parse", "HEAD").strip()


def test_what_an_apply_of_ours_pushed_since_needs_no_new_approval(stage: Stage, remote: Path) -> None:
    approved = head(stage)
    stage.here("apply", "--yes", code=0)
    assert publish(stage, "push", "main").returncode == 0
    assert head(stage) != approved
    assert publish(stage, "check", "main", approved).returncode == 0


@pytest.mark.parametrize("name", ["hero.sume.toml", "sumesync.toml", "prompts/words", "evil.png.sh"])
def test_what_anybody_else_changed_since_does(stage: Stage, remote: Path, name: str) -> None:
    approved = head(stage)
    stage.write(name, "# changed\n")
    stage.commit()
    done = publish(stage, "check", "main", approved)
    assert done.returncode == 3
    assert "main has changed since it was approved; nothing was paid for" in done.stderr


@pytest.mark.parametrize("commit", ["0" * 40, "HEAD~0^{tree}", "not a commit"])
def test_a_commit_that_is_not_in_the_branch_was_not_approved_for_it(stage: Stage, remote: Path, commit: str) -> None:
    done = publish(stage, "check", "main", commit)
    assert done.returncode == 3
    assert "does not contain the approved commit" in done.stderr


def test_apply_asks_first_and_pushes_whatever_comes(stage: Stage, remote: Path) -> None:
    stage.write("bad.sume.toml", "promt = 1\n")
    done = script(stage, "apply", "main", "--keep-going", COMMIT="0" * 40, **WHO)
    assert (done.returncode, stage.posts()) == (3, 0)
    done = script(stage, "apply", "main", "--keep-going", COMMIT=head(stage), **WHO)
    assert done.returncode == 64, "the bad spec"
    assert "pushed to main" in done.stderr
    assert "hero.png" in stage.git("ls-tree", "--name-only", "-r", "HEAD")
    assert stage.git("ls-remote", "origin", "refs/heads/main").split()[0] == head(stage)


def test_a_branch_that_has_moved_on_is_no_question_of_rights(stage: Stage, remote: Path) -> None:
    ci = clone(stage, remote, "ci")
    stage.write("notes.txt", "x")
    stage.commit()
    stage.git("push", "-q", "origin", "main")
    assert publish(ci, "check", "main", head(ci)).returncode == 0


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="there is no git-lfs")
def test_media_go_to_git_lfs_though_the_checkout_was_made_without_it(
    stage: Stage, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")  # a machine where git-lfs is set up for everybody would load them
    stage.here("init", "--git", "--lfs", code=0)
    stage.write("sumesync.toml", '[media]\nstore = "lfs"\n')
    stage.commit()
    stage.git("push", "-q", "origin", "main")
    ci = clone(stage, remote, "ci")
    ci.here("apply", "--yes", code=0)
    media = ci.path("hero.png").read_bytes()
    done = publish(ci, "push", "main")
    assert done.returncode == 0, done.stderr
    assert ci.git("show", "HEAD:hero.png").startswith("version https://git-lfs.github.com/spec/v1\n")
    kept = [path for path in (remote / "lfs" / "objects").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [media]
    fresh = clone(stage, remote, "fresh")
    assert fresh.read("hero.png").startswith("version ")
    fresh.here("check", code=0)


def test_without_git_lfs_nothing_is_bought_that_needs_it(stage: Stage, remote: Path) -> None:
    stage.here("init", "--git", "--lfs", code=0)
    stage.commit()
    (stage.root.parent / "tools").mkdir()
    (stage.root.parent / "tools" / "git-lfs").write_text("#!/bin/sh\nexit 1\n")
    done = publish(stage, "check", "main")
    assert (done.returncode, "does not have; nothing was paid for" in done.stderr) == (3, True)


def test_nothing_is_paid_for_where_nothing_may_be_pushed(stage: Stage, remote: Path) -> None:
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
    summary, log = stage.root.parent / "summary.md", stage.root.parent / "gh.log"
    given = {"SUME_API_KEY": "", "GITHUB_REPOSITORY": "team/media", "PULL_REQUEST": "7", "GH_TOKEN": "t"}
    given |= {"GITHUB_STEP_SUMMARY": str(summary), "GH_LOG": str(log), **variables}
    done = script(stage, "plan", **given)
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


def test_the_comment_links_the_report_and_says_whether_there_is_work(stage: Stage) -> None:
    out = stage.root.parent / "out"
    url = "https://github.com/team/media/actions/runs/1/artifacts/2"
    done, summary, _ = on_pull_request(stage, REPORT_URL=url, GITHUB_OUTPUT=str(out))
    assert (done.returncode, out.read_text()) == (0, "work=false\n")
    assert f"[All media in pictures]({url})" in summary
    stage.spec("hero", "A cup.")
    on_pull_request(stage, GITHUB_OUTPUT=str(out))
    assert out.read_text().endswith("work=true\n")


def test_a_pull_request_without_media_gets_no_comment(stage: Stage, remote: Path) -> None:
    stage.here("apply", "--yes", code=0)
    stage.commit()
    stage.git("push", "-q", "origin", "main")
    stage.git("checkout", "-q", "-b", "docs")
    stage.write("notes.txt", "x")
    stage.commit()
    done, summary, asked = on_pull_request(stage, SINCE="origin/main")
    assert (done.returncode, "POST" in asked) == (0, False)
    assert "Nothing to do" in summary
    _, _, asked = on_pull_request(stage, SINCE="origin/main", COMMENT="4711")
    assert "PATCH" in asked, "one that is there is kept true"
    stage.spec("plate", "A plate.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    _, _, asked = on_pull_request(stage, SINCE="origin/main")
    assert "POST" in asked, "its media came with it"


def test_the_report_is_made_for_an_artifact(stage: Stage, remote: Path) -> None:
    stage.here("apply", "--yes", code=0)
    temporary = stage.root.parent / "runner"
    out = stage.root.parent / "out"
    given = {"RUNNER_TEMP": str(temporary), "GITHUB_OUTPUT": str(out), "NAME": "media-report-plan"}
    done = script(stage, "report", SINCE="origin/main", **given)
    assert done.returncode == 0, done.stderr
    assert out.read_text() == f"folder={temporary}/media-report-plan\nname=media-report-plan\n"
    assert (temporary / "media-report-plan" / "index.html").is_file()
    stage.write("shop/été/sumesync.toml", "")
    done = script(stage.elsewhere(stage.root / "shop/été"), "report", **given)
    assert done.returncode == 0, done.stderr
    assert out.read_text().splitlines()[-1] == "name=media-report-plan-shop--t-"


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
    assert 'mode: plan\n          folder: "shop/media"\n' in below
    assert 'mode: apply\n          folder: "shop/media"\n' in below
    assert "check --allow-pending -C shop/media" in below


def test_a_project_chooses_where_media_are_made(stage: Stage) -> None:
    """After the merge, or before it on the branch; never on the branch of a fork."""
    written = ".github/workflows/sumesync.yml"
    condition = "github.event_name != 'pull_request' && needs.plan.outputs.work == 'true'"
    stage.here("init", "--apply-on", "branch", code=64)
    stage.here("init", "--github", "--apply-on", "merge", code=0)
    assert f"    if: {condition}\n" in stage.read(written)
    refused = stage.here("init", "--github", "--apply-on", "branch", code=3)
    assert "stays as it is" in refused.err
    stage.path(written).unlink()
    stage.here("init", "--github", "--apply-on", "branch", code=0)
    text = stage.read(written)
    assert condition not in text
    assert "|| github.event.pull_request.head.repo.full_name == github.repository)\n" in text
    assert "      contents: write\n      pull-requests: write" in text
    assert "\n  pull_request_target" not in text
