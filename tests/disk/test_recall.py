"""What is remembered of specs and metadata: never more than their signs vouch for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sumesync.core import document, metadata
from sumesync.core.config import Config
from sumesync.core.lock import render
from sumesync.core.view import Project
from sumesync.disk import described, project, specs
from sumesync.disk.described import Described
from sumesync.disk.facts import Facts
from sumesync.disk.lockfile import LockFile
from sumesync.disk.project import home
from sumesync.model import Entry, EntryKey
from tests.builders import SCHEMAS, lock
from tests.values import HERO, HERO_DONE, RED, RED_DONE

LATER = 1 << 62
"""A look that began long after all files were written."""
CHAIN = 'kind = "video"\nprompt = "It turns."\nreference_image_urls = [{ from = "hero.sume.toml" }]\n'
FACES = """
prompt = "A {size} jar, {n}."
[matrix]
size = ["small", "large"]
n = [1, 2]
[meta]
tags = ["a"]
day = 2026-01-02
"""


class Desk:
    """A project, and looks at its specs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "cache").mkdir()
        (root / "sumesync.toml").write_text("")
        self.read: list[str] = []

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def look(self, began: int | None = LATER, stamp: str = "", instead: dict[str, bytes] | None = None) -> Project:
        """What the specs say, checked against a look that remembers nothing. ``read``: those that were read."""
        facts, found = Facts(self.root / "cache/specs.json", began, stamp), project.spec_paths(self.root)
        real, self.read = document.open_spec, []

        def opened(path: str, *args: Any) -> object:
            self.read.append(path)
            return real(path, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(specs, "open_spec", opened)
            told = specs.read_project(home(self.root), found, Config(), (), SCHEMAS, instead or {}, facts=facts)
        facts.keep()
        assert told == specs.read_project(home(self.root), found, Config(), (), SCHEMAS, instead or {})
        return told


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("text", ['prompt = "A jar."\n', CHAIN, FACES])
def test_what_a_spec_says_stays_known_until_it_is_written_again(desk: Desk, text: str) -> None:
    desk.write("hero.sume.toml", 'prompt = "A jar."\n')
    desk.write("it.sume.toml", text)
    desk.look()
    assert desk.read == ["hero.sume.toml", "it.sume.toml"]
    desk.look()
    assert desk.read == []
    desk.write("it.sume.toml", text.replace("jar", "lid").replace("turns", "falls"))
    desk.look()
    assert desk.read == ["it.sume.toml"]


def test_of_a_chain_that_is_remembered_faults_are_told_where_they_are(desk: Desk) -> None:
    desk.write("hero.sume.toml", 'prompt = "A jar."\n')
    desk.write("film.sume.toml", f"# a film\n{CHAIN}")
    assert not desk.look().problems
    (desk.root / "hero.sume.toml").unlink()
    (problem,) = desk.look().problems
    assert desk.read == []
    assert (problem.path, problem.line) == ("film.sume.toml", 4)


def _prompt(desk: Desk) -> None:
    desk.write("a/text.md", "Another.")


def _no_prompt(desk: Desk) -> None:
    (desk.root / "a/text.md").unlink()


def _folder_behind_a_link(desk: Desk) -> None:
    (desk.root / "a").rename(desk.root / "b")
    (desk.root / "a").symlink_to(desk.root / "b")


def _no_folder(desk: Desk) -> None:
    (desk.root / "media").write_text("a file")


def _another_project(desk: Desk) -> None:
    desk.write("media/sumesync.toml", "")


def _a_link(desk: Desk) -> None:
    (desk.root / "it.sume.toml").rename(desk.root / "other")
    (desk.root / "it.sume.toml").symlink_to(desk.root / "other")


READ = ["it.sume.toml"]


@pytest.mark.parametrize(
    ("deed", "read"),
    [
        (_prompt, READ),
        (_no_prompt, READ),
        (_folder_behind_a_link, READ),
        (_no_folder, READ),
        (_another_project, READ),
        (_a_link, []),  # what is no file is told without looking into it
    ],
)
def test_what_it_hangs_on_counts(desk: Desk, deed: Callable[[Desk], None], read: list[str]) -> None:
    desk.write("it.sume.toml", 'prompt_file = "a/text.md"\n[output]\ndir = "media"\n')
    desk.write("a/text.md", "A jar.")
    desk.look()
    desk.look()
    assert desk.read == []
    deed(desk)
    desk.look()
    assert desk.read == read


def test_a_prompt_file_that_git_ignores_now(desk: Desk) -> None:
    desk.write("it.sume.toml", 'prompt_file = "text.md"\n')
    desk.write("text.md", "A jar.")
    os.system(f"git init -q {desk.root}")
    desk.look()
    desk.look()
    assert desk.read == []
    desk.write(".gitignore", "*.md\n")
    assert desk.look().problems


def test_what_takes_a_file_is_read_each_time(desk: Desk) -> None:
    desk.write("a.png", "\x89PNG")
    (desk.root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nbottle")
    desk.write("it.sume.toml", 'prompt = "x"\nreference_image_urls = [{ file = "a.png" }]\n')
    for _ in range(2):
        assert desk.look().wanted
        assert desk.read == ["it.sume.toml"]


@pytest.mark.parametrize(
    "text",
    [
        'prompt = "as https://a.example/x.png?sig=1"\n',
        'prompt = "x"\n[meta]\nseen = "https://a.example/x.png?sig=1"\n',
        f"# https://a.example/x.png?sig=1\n{CHAIN}",
    ],
)
def test_what_may_hold_a_signature_is_written_nowhere(desk: Desk, text: str) -> None:
    desk.write("hero.sume.toml", 'prompt = "A jar."\n')
    desk.write("it.sume.toml", text)
    for _ in range(2):
        desk.look()
    assert desk.read == ["it.sume.toml"]
    assert "sig=1" not in (desk.root / "cache/specs.json").read_text()


def test_what_is_wrong_is_read_each_time(desk: Desk) -> None:
    desk.write("it.sume.toml", "prompt = 5\n")
    for _ in range(2):
        assert desk.look().problems
        assert desk.read == ["it.sume.toml"]


def test_what_a_spec_would_say_is_not_what_it_says(desk: Desk) -> None:
    desk.write("it.sume.toml", 'prompt = "A jar."\n')
    would = {"it.sume.toml": b'prompt = "A lid."\n'}
    for _ in range(2):
        assert desk.look(instead=would).wanted[0].request == {"prompt": "A lid."}
    assert desk.look().wanted[0].request == {"prompt": "A jar."}


def test_other_settings_and_other_versions_read_anew(desk: Desk) -> None:
    desk.write("it.sume.toml", 'prompt = "A jar."\n')
    desk.look(stamp="one")
    desk.look(stamp="two")
    assert desk.read == ["it.sume.toml"]
    desk.look(stamp="two")
    assert desk.read == []


def test_what_was_written_in_the_tick_of_the_look_is_not_remembered(desk: Desk) -> None:
    desk.write("it.sume.toml", 'prompt_file = "text.md"\n')
    desk.write("text.md", "A jar.")
    os.utime(desk.root / "it.sume.toml", ns=(1, 1))
    newest = max(os.lstat(desk.root / name).st_ctime_ns for name in ("it.sume.toml", "text.md"))
    for began in (newest, newest, None):
        desk.look(began)
        assert desk.read == ["it.sume.toml"]
    desk.look(newest + 1)
    desk.look(newest + 1)
    assert desk.read == []


@pytest.mark.parametrize(
    "told",
    [
        [],
        [5],
        [{}, 5],
        [[], []],
        [{}, [[]]],
        [{}, [[[], [], ""]]],
        [{}, [[["", "image", 1, {}, "", "", "it", 5], [], ""]]],
        [{}, [[["", "image", 1, {}, "", "", "it", {}], [5], ""]]],
        [{"text.md": 5}, []],
        [{"../x": [1, 2, 3, 4, 5]}, []],
    ],
)
def test_a_line_that_we_did_not_write_is_as_good_as_none(desk: Desk, told: list[object]) -> None:
    desk.write("it.sume.toml", 'prompt = "A jar."\n')
    desk.look()
    file = desk.root / "cache/specs.json"
    kept = json.loads(file.read_text())
    kept["files"]["it.sume.toml"] = [kept["files"]["it.sume.toml"][0], *told]
    file.write_text(json.dumps(kept))
    desk.look()
    assert desk.read == ["it.sume.toml"]


def test_every_prefix_of_it_is_as_good_as_none(desk: Desk) -> None:
    desk.write("it.sume.toml", 'prompt = "A jar."\n')
    desk.look()
    file = desk.root / "cache/specs.json"
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        desk.look()
        assert desk.read == ["it.sume.toml"]


# --- Metadata ---------------------------------------------------------------------------------------------


AGAIN = EntryKey("launch/red.sume.toml")
RED_AGAIN, AGAIN_DONE = replace(RED, key=AGAIN), replace(RED_DONE, key=AGAIN)
"""One with a history."""


class Papers:
    """Metadata beside a lock, and looks at them."""

    def __init__(self, root: Path) -> None:
        self.root, self.reads = root, 0
        (root / "cache").mkdir()

    def lock(self, *entries: Entry) -> None:
        (self.root / "sume.lock").write_text(render(lock(*entries)))

    def look(self, path: str, entry: Entry | None) -> metadata.MetadataFact | None:
        locks, facts = LockFile(self.root), Facts(self.root / "cache/metadata.json", LATER)
        locks.read()
        real, self.reads = described.read, 0

        def read(*args: Any) -> object:
            self.reads += 1
            return real(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(described, "read", read)
            told = Described(self.root, facts, locks.blocks, set()).of(path, entry)
        facts.keep()
        assert told == described.read(self.root, path, None, entry)
        return told


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    found = Papers(tmp_path)
    (tmp_path / "launch").mkdir()
    found.lock(HERO_DONE, AGAIN_DONE)
    for wanted, entry in ((HERO, HERO_DONE), (RED_AGAIN, AGAIN_DONE)):
        (tmp_path / metadata.path_of(entry.key)).write_text(metadata.render(wanted, entry))
    return found


def test_metadata_that_say_what_the_lock_says_stay_known(papers: Papers) -> None:
    path = metadata.path_of(HERO_DONE.key)
    papers.look(path, HERO_DONE)
    assert papers.reads == 1
    papers.look(path, HERO_DONE)
    assert papers.reads == 0
    (papers.root / path).write_text("{}")
    papers.look(path, HERO_DONE)
    assert papers.reads == 1


def test_metadata_of_what_the_entry_was_before_are_read(papers: Papers) -> None:
    path = metadata.path_of(HERO_DONE.key)
    papers.look(path, HERO_DONE)
    later = Entry(HERO_DONE.key, HERO_DONE.fingerprint, "image", HERO_DONE.endpoint, (), HERO_DONE.outputs)
    papers.lock(later)
    papers.look(path, later)
    assert papers.reads == 1


def test_metadata_with_a_history_or_without_an_entry_are_read_each_time(papers: Papers) -> None:
    for _ in range(2):
        papers.look(metadata.path_of(AGAIN), AGAIN_DONE)
        assert papers.reads == 1
        papers.look(metadata.path_of(HERO_DONE.key), None)
        assert papers.reads == 1


@pytest.mark.parametrize("told", [[], [1, 1, {}, {}], ["", True, {}, {}], ["", 1, [], {}], ["", 1, {}, None]])
def test_metadata_lines_that_we_did_not_write_are_as_good_as_none(papers: Papers, told: list[object]) -> None:
    path = metadata.path_of(HERO_DONE.key)
    papers.look(path, HERO_DONE)
    file = papers.root / "cache/metadata.json"
    kept = json.loads(file.read_text())
    known = kept["files"][path]
    kept["files"][path] = [known[0], *([known[1], *told[1:]] if told and told[0] == "" else told)]
    file.write_text(json.dumps(kept))
    papers.look(path, HERO_DONE)
    assert papers.reads == 1
