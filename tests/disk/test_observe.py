"""What is on disk: bytes by their hash, git-lfs pointers as what they name, links never."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sumesync.core import metadata
from sumesync.core.view import Project, State
from sumesync.disk import described
from sumesync.disk import observe as observing
from sumesync.disk.observe import find_metadata, names_in, observe
from sumesync.errors import LocalStateError
from sumesync.model import SUME, FileFact, FileKind
from tests.builders import OTHER, fact, file, lock, sha
from tests.values import HERO, HERO_DONE, TEASER, TEASER_DONE, TEASER_JOB

OID = sha("the hero")
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 8\n"


def look(root: Path, path: str) -> FileFact | None:
    """Both ways of looking, which must say the same."""
    found = observing.look(root, path)
    assert observing.look(root, path, proved=set()) == found
    return found


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("the hero")
    assert look(tmp_path, "a.png") == file("the hero")


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert look(tmp_path, "a.png") == file("")


def test_a_large_file_is_hashed_whole(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 5)
    (tmp_path / "a.png").write_bytes(data)
    found = look(tmp_path, "a.png")
    assert found is not None
    assert found.size == len(data)


@pytest.mark.parametrize(
    "text",
    [POINTER, POINTER.replace("oid", "ext-0-foo sha256:aa\noid"), POINTER.replace("size 8", "size 999999999999")],
)
def test_a_pointer_is_what_it_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.png").write_text(text)
    found = look(tmp_path, "a.png")
    assert found is not None
    assert (found.kind, found.sha256) == (FileKind.POINTER, OID)


@pytest.mark.parametrize(
    "text",
    [
        POINTER + "x\n",
        POINTER[:-1],
        POINTER.replace("\n", "\r\n"),
        POINTER.replace("size 8", "size -8"),
        POINTER.replace("sha256", "md5"),
        "x" + POINTER,
        POINTER.replace("size", "pad " + "x" * 1200 + "\nsize"),
    ],
)
def test_what_only_looks_like_a_pointer_is_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.png").write_bytes(text.encode())
    found = look(tmp_path, "a.png")
    assert found is not None
    assert (found.kind, found.sha256) == (FileKind.FILE, sha(text))


def _prepare(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_text("the hero")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "none")
    (tmp_path / "linked").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")


@pytest.mark.parametrize(
    "path", ["folder.png", "link.png", "dangling.png", "linked/real.png", "pipe.png", "real.png/below"]
)
def test_links_folders_and_pipes_are_never_ours(tmp_path: Path, path: str) -> None:
    _prepare(tmp_path)
    assert look(tmp_path, path) == OTHER


@pytest.mark.parametrize("path", ["none.png", "none/at/all.png"])
def test_nothing_is_nothing(tmp_path: Path, path: str) -> None:
    assert look(tmp_path, path) is None


def test_an_output_that_may_not_be_read_is_explained_and_not_taken_for_missing(forbidden: Path) -> None:
    with pytest.raises(LocalStateError, match="there"):
        look(forbidden, "there")


def test_names_are_those_of_media(tmp_path: Path) -> None:
    for name in ("a.png", "B.MP4", "c.txt", "d.sume.toml", "e"):
        (tmp_path / name).write_text("")
    assert names_in(tmp_path, "") == {"a.png", "B.MP4"}
    assert names_in(tmp_path, "none") == frozenset()
    (tmp_path / "linked").symlink_to(tmp_path)
    assert names_in(tmp_path, "linked") == frozenset()


def test_only_what_the_plan_asks_about_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "launch").mkdir()
    for name in ("hero.png", "teaser.mp4", "stranger.png"):
        (tmp_path / "launch" / name).write_text(name)
    (tmp_path / "launch" / "hero.sume.json").write_text(metadata.render(HERO, HERO_DONE))
    project = Project((HERO,), (), (), frozenset([HERO.key.path]))
    state = State(lock(HERO_DONE), (fact(TEASER, TEASER_JOB),))
    found = observe(tmp_path, project, state, SUME)
    assert found.files == {"launch/hero.png": file("hero.png"), "launch/teaser.mp4": file("teaser.mp4")}
    assert found.names == {"launch": {"hero.png", "stranger.png", "teaser.mp4"}}
    assert set(found.metadata) == {"launch/hero.sume.json"}
    assert found.metadata["launch/hero.sume.json"].entry == HERO_DONE
    nobody = observe(tmp_path, Project(), state, SUME)
    assert "launch/hero.sume.json" in nobody.looked_at, "of an entry that no spec asks for, too"


def test_a_metadata_file_that_is_a_link_or_a_folder_is_a_strangers(tmp_path: Path) -> None:
    (tmp_path / "a.sume.json").symlink_to(tmp_path / "x")
    (tmp_path / "b.sume.json").mkdir()
    for name in ("a.sume.json", "b.sume.json"):
        found = described.read(tmp_path, name)
        assert found is not None
        assert not found.ours
    assert described.read(tmp_path, "none.sume.json") is None


def test_all_metadata_of_the_project_are_found_to_make_a_lock_again(tmp_path: Path) -> None:
    texts = {
        "launch/hero.sume.json": metadata.render(HERO, HERO_DONE),
        "old/moved.sume.json": metadata.render(TEASER, TEASER_DONE),
        "stranger.sume.json": "{}",
        ".hidden/x.sume.json": metadata.render(HERO, HERO_DONE),
        "inner/x.sume.json": metadata.render(HERO, HERO_DONE),
        "inner/sumesync.toml": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert set(find_metadata(tmp_path, [HERO.key.path])) == {"launch/hero.sume.json", "old/moved.sume.json"}


def test_a_fact_says_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text(POINTER)
    assert look(tmp_path, "a.png") == FileFact(FileKind.POINTER, OID, 8)
