"""Where the shared folder of a repository is, in all the shapes that git gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sumesync.disk.git import common_folder, files
from sumesync.errors import LocalStateError

from .conftest import Git


def commit(git: Git, folder: Path, name: str = "a.txt") -> None:
    (folder / name).write_text("x")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    folder = (tmp_path / "repo").resolve()
    folder.mkdir()
    git(folder, "init", "-q")
    commit(git, folder)
    return folder


def test_from_the_root_and_from_any_folder_below(repository: Path) -> None:
    (repository / "a" / "b").mkdir(parents=True)
    assert common_folder(repository) == repository / ".git"
    assert common_folder(repository / "a" / "b") == repository / ".git"


def test_a_worktree_shares_the_folder_of_its_repository(repository: Path, git: Git, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "second"), "-b", "second")
    assert common_folder(tmp_path / "second") == repository / ".git"


def test_a_submodule_has_a_folder_of_its_own(repository: Path, git: Git, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(repository), "inner")
    assert common_folder(outer / "inner") == (outer / ".git" / "modules" / "inner").resolve()


def test_a_separate_git_folder_is_followed(tmp_path: Path, git: Git) -> None:
    (tmp_path / "work").mkdir()
    git(tmp_path / "work", "init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"))
    assert common_folder(tmp_path / "work") == (tmp_path / "elsewhere").resolve()


def test_outside_git_there_is_none(tmp_path: Path) -> None:
    assert common_folder(tmp_path) is None


def test_an_empty_folder_called_git_is_no_repository(repository: Path) -> None:
    (repository / "sub" / ".git").mkdir(parents=True)
    assert common_folder(repository / "sub") == repository / ".git"


@pytest.mark.parametrize("text", [b"", b"nonsense", b"gitdir: nowhere", b"gitdir: \x00", b"\xff\xfe"])
def test_a_file_called_git_that_leads_nowhere_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / ".git").write_bytes(text)
    assert common_folder(tmp_path) is None


def test_files_are_those_that_git_does_not_ignore(repository: Path, git: Git) -> None:
    (repository / ".gitignore").write_text("ignored/\n")
    for name in ("one.sume.toml", "é two.sume.toml", "sub/three.sume.toml", "ignored/four.sume.toml", "x.md"):
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text("")
    git(repository, "add", "one.sume.toml")
    assert files(repository) == ["one.sume.toml", "sub/three.sume.toml", "é two.sume.toml"]
    assert files(repository / "sub") == ["three.sume.toml"]


def test_a_deleted_file_is_still_listed_once(repository: Path, git: Git) -> None:
    commit(git, repository, "one.sume.toml")
    (repository / "one.sume.toml").unlink()
    assert files(repository) == ["one.sume.toml"]


@pytest.mark.parametrize("tracked", [".sume/a.json", ".sume/sandbox/b c", ".SUME/ledger.jsonl"])
def test_a_private_folder_is_not_tracked(repository: Path, git: Git, tracked: str) -> None:
    """In any case of its letters: on many disks they are one folder."""
    (repository / tracked).parent.mkdir(parents=True)
    (repository / tracked).write_text("")
    (repository / "one.sume.toml").write_text("")
    assert files(repository) == ["one.sume.toml"]
    git(repository, "add", "-f", tracked)
    with pytest.raises(LocalStateError, match="git tracks"):
        files(repository)


def test_where_git_does_not_answer_nothing_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(LocalStateError, match="not a git repository"):
        files(tmp_path)
