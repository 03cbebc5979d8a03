"""Where a project is and which specs it has; nothing outside it is ever read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sumesync.core.view import Project
from sumesync.disk import project, signs, specs
from sumesync.errors import Exit, LocalStateError, UsageError
from sumesync.model import SANDBOX, SUME
from tests.builders import SCHEMAS

from .conftest import Git


def write(root: Path, *names: str, text: str = 'prompt = "A"\n') -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = (tmp_path / "project").resolve()
    write(folder, "sumesync.toml", text="")
    return folder


def read(root: Path) -> Project:
    home = project.home(root)
    config, problems = project.read_settings(home, SCHEMAS)
    return specs.read_project(home, project.spec_paths(home.root), config, problems, SCHEMAS)


def told(root: Path) -> list[tuple[str, str]]:
    return [(problem.where, problem.what) for problem in read(root).problems]


# --- Finding it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [".", "a", "a/b", "a/file"])
def test_a_project_is_found_from_anywhere_in_it(root: Path, start: str) -> None:
    write(root, "a/file", "a/b/file")
    assert project.find(root / start).root == root


def test_the_nearest_root_counts(root: Path) -> None:
    write(root, "inner/sumesync.toml", "inner/x/file", text="")
    assert project.find(root / "inner" / "x").root == root / "inner"


def test_through_a_link_it_is_the_real_folder(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert project.find(tmp_path / "link").root == root


def test_where_there_is_none_init_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as fault:
        project.find(tmp_path)
    assert fault.value.hint == "make one with: sumesync init"
    assert fault.value.code is Exit.USAGE


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        project.find(tmp_path / "a" / "b")


def test_facts_stand_in_gits_folder_and_the_sandboxs_with_its_world(root: Path, git: Git) -> None:
    git(root, "init", "-q")
    home = project.home(root)
    assert (home.in_git, home.state(SUME)) == (True, root / ".git" / "sumesync")
    assert home.state(SANDBOX) == root / ".sume" / "sandbox"
    assert home.config == root / "sumesync.toml"


def test_a_look_begins_after_its_own_making_of_the_private_folder(root: Path) -> None:
    """Otherwise it would look as though somebody wrote while we looked, and a first look would be forgotten."""
    home = project.home(root)
    for _ in range(20):  # most of the time both fall into one tick of the disk's clock
        began = project.began(home)
        assert began is not None
        assert began > signs.newest(signs.of(os.lstat(home.private)))
        shutil.rmtree(home.cache)


def test_outside_git_they_stand_in_a_folder_that_ignores_itself(root: Path) -> None:
    home = project.home(root)
    assert (home.in_git, home.state(SUME)) == (False, root / ".sume")
    project.make_private(home)
    project.make_private(home)
    assert (root / ".sume" / ".gitignore").read_text().endswith("\n*\n")


# --- Its specs -------------------------------------------------------------------------------------


def test_outside_git_every_spec_but_those_in_hidden_folders(root: Path) -> None:
    write(
        root,
        "b.sume.toml",
        "a/c.sume.toml",
        ".hidden/d.sume.toml",
        "node_modules/e.sume.toml",
        "a/x.toml",
        "a/.f.sume.toml",
    )
    assert project.spec_paths(root) == ["a/.f.sume.toml", "a/c.sume.toml", "b.sume.toml"]


def test_in_git_what_it_does_not_ignore(root: Path, git: Git) -> None:
    git(root, "init", "-q")
    write(root, "a.sume.toml", "drafts/b.sume.toml", "é/c.sume.toml", "gone.sume.toml", ".hidden/d.sume.toml")
    (root / ".gitignore").write_text("drafts/\n")
    git(root, "add", "-A")
    (root / "gone.sume.toml").unlink()
    assert project.spec_paths(root) == ["a.sume.toml", "é/c.sume.toml"]


@pytest.mark.parametrize("in_git", [True, False])
def test_a_nested_project_is_another_one(root: Path, git: Git, in_git: bool) -> None:
    if in_git:
        git(root, "init", "-q")
    write(root, "a.sume.toml", "inner/b.sume.toml", "inner/deep/c.sume.toml", "innerly/d.sume.toml")
    write(root, "inner/sumesync.toml", text="")
    assert project.spec_paths(root) == ["a.sume.toml", "innerly/d.sume.toml"]
    assert project.spec_paths(root / "inner") == ["b.sume.toml", "deep/c.sume.toml"]


def test_a_project_is_read_with_its_prompts_and_defaults(root: Path) -> None:
    write(root, "sumesync.toml", text='[defaults.image]\naspect_ratio = "4:5"\n')
    write(root, "launch/a.sume.toml", text='prompt_file = "../prompts/a.md"\n')
    write(root, "prompts/a.md", text="A cup\n")
    (wanted,) = read(root).wanted
    assert wanted.request == {"aspect_ratio": "4:5", "prompt": "A cup"}


def test_what_is_wrong_is_told_for_every_spec_and_the_rest_is_read(root: Path) -> None:
    write(root, "good.sume.toml")
    write(root, "a.sume.toml", text="prompt = \n")
    write(root, "b.sume.toml", text='prompt_file = "none.md"\n')
    found = read(root)
    assert [wanted.key.path for wanted in found.wanted] == ["good.sume.toml"]
    assert told(root) == [
        ("a.sume.toml:1:10", "not valid TOML: invalid value"),
        ("b.sume.toml:1:1", "prompt_file: there is no file none.md"),
    ]
    assert found.spec_paths == {"a.sume.toml", "b.sume.toml", "good.sume.toml"}


def test_a_spec_that_is_a_link_is_refused(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "outside.toml")
    (root / "a.sume.toml").symlink_to(tmp_path / "outside.toml")
    assert told(root) == [("a.sume.toml", "a.sume.toml is a symbolic link")]


@pytest.mark.parametrize("where", ["p.md", "linked/p.md"])
def test_a_prompt_file_behind_a_link_is_refused(root: Path, tmp_path: Path, where: str) -> None:
    write(tmp_path, "secret/p.md", text="secret")
    (root / "p.md").symlink_to(tmp_path / "secret" / "p.md")
    (root / "linked").symlink_to(tmp_path / "secret")
    write(root, "a.sume.toml", text=f'prompt_file = "{where}"\n')
    ((_, what),) = told(root)
    assert what.startswith("prompt_file: ")
    assert what.endswith(" is a symbolic link")


def test_a_pipe_is_no_file_and_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "p.md")
    write(root, "a.sume.toml", text='prompt_file = "p.md"\n')
    assert told(root) == [("a.sume.toml:1:1", "prompt_file: p.md is not a file")]


def test_a_folder_is_no_prompt(root: Path) -> None:
    write(root, "a.sume.toml", text='prompt_file = "d"\n')
    (root / "d").mkdir()
    ((_, what),) = told(root)
    assert what.startswith("prompt_file: d ")


def test_huge_files_are_not_read(root: Path) -> None:
    write(root, "a.sume.toml", text="#" * ((1 << 20) + 1))
    assert told(root) == [("a.sume.toml", "a.sume.toml has more than 262,144 bytes")]


def test_a_file_that_may_not_be_read_is_told(forbidden: Path) -> None:
    assert project.read_bytes(forbidden, "there", 10) == "there cannot be read: Permission denied"


def test_the_quick_way_of_reading_says_what_the_slow_one_says(root: Path, tmp_path: Path) -> None:
    write(root, "a/plain", "a/long", "empty", text="0123456789")
    (root / "empty").write_text("")
    (root / "a" / "long").write_text("01234567890")
    (root / "folder").mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "a" / "link").symlink_to(root / "a" / "plain")
    os.mkfifo(root / "pipe")
    above = "project/sumesync.toml"
    paths = [
        "a/plain",
        "a/long",
        "empty",
        "folder",
        "link",
        f"link/{above}",
        "a/link",
        "pipe",
        "none",
        "none/x",
        "a/none",
    ]
    paths += ["a/plain/x", "a/../empty", "..", "", "a//plain", "a/", "/etc/passwd", "a/\0", "x" * 300]
    proved: set[str] = set()
    for path in [*paths, *reversed(paths)]:
        assert project.read_bytes(root, path, 10, proved) == project.read_bytes(root, path, 10), path
    assert project.read_bytes(root, "a/plain", 10, proved) == b"0123456789"
    assert not [folder for folder in proved if "link" in folder]


def test_settings_that_are_a_link_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "other.toml", text='endpoint = "sandbox"\n')
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "sumesync.toml").symlink_to(tmp_path / "other.toml")
    config, problems = project.read_settings(project.home(tmp_path / "p"), SCHEMAS)
    assert config.endpoint == SUME
    assert [problem.what for problem in problems] == ["sumesync.toml is a symbolic link"]


def test_a_name_that_is_not_text_is_told_and_stops_nothing(root: Path) -> None:
    write(root, "good.sume.toml")
    try:
        (Path(os.fsdecode(os.fsencode(root) + b"/b\xff.sume.toml"))).write_text('prompt = "A"')
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    ((where, what),) = told(root)
    assert where == "b\\udcff.sume.toml"
    assert "undecodable" in what
    assert len(read(root).wanted) == 1


@pytest.mark.parametrize("path", ["a", "a/b", "new/x"])
def test_a_path_inside_is_a_path_inside(root: Path, path: str) -> None:
    write(root, "a/b")
    assert project.inside(root, path) == root / path


@pytest.mark.parametrize("path", ["link", "link/x", "a/link/x/y"])
def test_a_link_among_the_folders_is_refused(root: Path, tmp_path: Path, path: str) -> None:
    (root / "a").mkdir()
    for folder in (root, root / "a"):
        (folder / "link").symlink_to(tmp_path)
    with pytest.raises(LocalStateError, match="symbolic link"):
        project.inside(root, path)
