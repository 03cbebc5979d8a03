"""What git is doing, read from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sumesync.disk import repository


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs/heads/main").write_text("a" * 40)
    return tmp_path


@pytest.mark.parametrize("name", ["index.lock", "MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD"])
def test_what_git_is_in_the_middle_of(repo: Path, name: str) -> None:
    assert repository.at_work(repo) == ""
    (repo / ".git" / name).write_text("")
    assert repository.at_work(repo)
    (repo / "deep").mkdir()
    assert repository.at_work(repo / "deep"), "a project may lie below the top"


def test_head_tells_of_another_branch_and_another_commit(repo: Path) -> None:
    first = repository.head(repo)
    assert repository.head(repo) == first
    (repo / ".git/refs/heads/main").write_text("b" * 40)
    second = repository.head(repo)
    (repo / ".git/HEAD").write_text("ref: refs/heads/side\n")
    third = repository.head(repo)
    (repo / ".git/packed-refs").write_text("c" * 40)
    fourth = repository.head(repo)
    (repo / ".git/HEAD").write_text("d" * 40)
    assert len({first, second, third, fourth, repository.head(repo)}) == 5


def test_a_worktree_has_its_own_and_its_refs_are_shared(repo: Path, tmp_path: Path) -> None:
    own = repo / ".git/worktrees/second"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/main\n")
    (own / "commondir").write_text("../..\n")
    tree = tmp_path / "second"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {own}\n")
    assert "a" * 40 in repository.head(tree)
    (repo / ".git/MERGE_HEAD").write_text("")
    assert repository.at_work(tree) == ""
    (own / "index.lock").write_text("")
    assert repository.at_work(tree)


def test_outside_git_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("no marker of git's")
    assert (repository.at_work(tmp_path), repository.head(tmp_path)) == ("", "")


def test_a_head_that_leads_elsewhere_is_not_followed(repo: Path) -> None:
    (repo / "secret").write_text("key")
    (repo / ".git/HEAD").write_text("ref: ../secret\n")
    assert "key" not in repository.head(repo)
