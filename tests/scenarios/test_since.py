"""``plan --since``: what a branch changes, whatever file it changed it in."""

from __future__ import annotations

import re

import pytest

from .stage import Stage


def asked(stage: Stage, *args: str) -> list[str]:
    return sorted(action["path"] for action in stage.here("plan", "--json", *args, code=0).json["actions"])


@pytest.fixture
def branch(stage: Stage) -> Stage:
    stage.write("p.md", "A prompt in a file.")
    stage.spec("one", "One.")
    stage.spec("two", "Two.")
    stage.write("three.sume.toml", 'prompt_file = "p.md"\n')
    stage.write(
        "film.sume.toml", 'kind = "video"\nprompt = "Move."\nreference_image_urls = [{ from = "one.sume.toml" }]\n'
    )
    stage.commit()
    stage.git("checkout", "-q", "-b", "branch")
    return stage


def test_a_branch_without_changes_changes_nothing(branch: Stage) -> None:
    assert asked(branch, "--since", "main") == []
    assert len(asked(branch)) == 4


@pytest.mark.parametrize("commits", [True, False], ids=["committed", "not committed"])
def test_specs_prompt_files_and_what_hangs_on_them(branch: Stage, commits: bool) -> None:
    branch.spec("one", "Number one.")
    branch.write("p.md", "Another prompt.")
    branch.spec("new", "New.")
    if commits:
        branch.commit()
    assert asked(branch, "--since", "main") == ["film.sume.toml", "new.sume.toml", "one.sume.toml", "three.sume.toml"]
    assert asked(branch, "new", "--since", "main") == ["new.sume.toml"]


def test_a_default_changes_all_that_has_it_from_there(branch: Stage) -> None:
    branch.write("sumesync.toml", branch.read("sumesync.toml") + '\n[defaults.video]\nresolution = "720p"\n')
    config = branch.read("sumesync.toml")
    branch.write("sumesync.toml", config.replace("[defaults.video]\n# aspect", "# aspect", 1))
    assert asked(branch, "--since", "main") == ["film.sume.toml", "one.sume.toml"]


def test_what_main_changed_meanwhile_is_not_the_branch_s(branch: Stage) -> None:
    branch.spec("two", "Number two.")
    branch.commit()
    branch.git("checkout", "-q", "main")
    branch.spec("one", "Number one.")
    branch.commit()
    branch.git("checkout", "-q", "branch")
    assert asked(branch, "--since", "main") == ["two.sume.toml"]


def test_a_comment_changes_nothing_and_a_title_does(branch: Stage) -> None:
    branch.write("one.sume.toml", "# more\n" + branch.read("one.sume.toml"))
    assert asked(branch, "--since", "main") == []
    branch.write("one.sume.toml", branch.read("one.sume.toml") + '\n[meta]\ntitle = "One"\n')
    assert asked(branch, "--since", "main") == ["one.sume.toml"]


def test_a_new_fault_is_the_branch_s_an_old_one_is_not(branch: Stage) -> None:
    branch.write("two.sume.toml", "promt = 1\n")
    found = branch.here("plan", "--since", "main", code=64)
    assert "two.sume.toml:1" in found.out
    branch.commit()
    branch.git("checkout", "-q", "-b", "later")
    branch.here("plan", "--since", "branch", code=0)


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", ""])
def test_a_commit_that_there_is_not(branch: Stage, ref: str) -> None:
    assert "x" not in branch.tree()
    refused = branch.here("plan", f"--since={ref}", code=64)
    assert "commit" in refused.err
    assert "x" not in branch.tree()


def test_a_note_stands_at_the_field_that_changed(stage: Stage) -> None:
    """GitHub shows a note in the review only where its line is part of the change."""
    for name in ("plain", "extra", "filed"):
        stage.write(f"{name}.sume.toml", f'# A comment.\nprompt = "{name}"\n[extra]\nseed = 1\n')
    stage.write("words.txt", "filed")
    stage.write("filed.sume.toml", '# A comment.\n# Another.\nprompt_file = "words.txt"\n')
    stage.here("apply", "--yes", code=0)
    stage.write("plain.sume.toml", '# A comment.\n\nprompt = "other"\n[extra]\nseed = 1\n')
    stage.write("extra.sume.toml", '# A comment.\nprompt = "extra"\n[extra]\nseed = 2\n')
    stage.write("words.txt", "other")
    stage.spec("fresh", "A new one.")
    notes = stage.here("plan", "--format", "github", code=0).out
    lines = dict(re.findall(r"file=(\w+)\.sume\.toml,line=(\d+),", notes))
    assert lines == {"plain": "3", "extra": "4", "filed": "3", "fresh": "1"}
