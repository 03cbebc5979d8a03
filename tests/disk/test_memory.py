"""What was said is said again only of the same world, and a foreign file in its place does nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sumesync.disk import asking, git, memory, signs
from sumesync.disk.memory import Memory

from .conftest import Git

SAID = (2, [(False, "data\n"), (True, "talk\n")])


def remembered(root: Path, *folders: str, asked: list[memory.Question] | None = None) -> Memory:
    """A memory of ``folders`` as they are, and of the specs that git tells."""
    places = [str(root), *(str(root / folder) for folder in folders)]
    digests, _ = memory.newest(places, str(root))
    common = asking.common_folder(str(root))
    if asked is None:
        asked = [answer(root, asking.SPECS)] if common else []
    return Memory(memory.tool(), common, digests, asked, {"key": SAID})


def answer(root: Path, arguments: tuple[str, ...], given: bytes = b"") -> memory.Question:
    with git.heard() as heard:
        git.ask(root, arguments, "fails", given, none=1)
    return arguments, given, memory.answered(heard[0].answer, heard[0].code)


def holds(of: Memory, root: Path) -> bool:
    return memory.holds(of, str(root))


def keep(of: Memory, root: Path) -> Path:
    file = root / memory.NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(memory.rendered(of))
    return file


def same(one: Memory | None, other: Memory) -> bool:
    return one is not None and one.same_world(other) and one.answers == other.answers


@pytest.fixture
def project(tmp_path: Path, git: Git) -> Path:
    repository = (tmp_path / "project").resolve()
    repository.mkdir()
    git(repository, "init", "-q")
    (repository / "clips").mkdir()
    (repository / "clips/hero.sume.toml").write_text('prompt = "A jar."\n')
    (repository / "clips/hero.png").write_bytes(b"picture")
    git(repository, "add", ".")
    return repository


def test_what_did_not_change_holds(project: Path) -> None:
    of = remembered(project, "clips", "none")
    assert holds(of, project)
    assert holds(of, project)
    assert same(memory.read(str(keep(of, project).parent.parent.parent)), of)


def test_every_folder_counts_in_one_process_or_three(project: Path) -> None:
    """From some number of folders on, two more processes look at them."""
    names = [f"f{number}" for number in range(memory.MANY + 3)]
    for name in names:
        (project / name).mkdir()
    of = remembered(project, "clips", *names)
    assert holds(of, project)
    for name in (names[0], names[len(names) // 2], names[-1]):
        (project / name / "x.png").write_bytes(b"")
        assert not holds(of, project)
        (project / name / "x.png").unlink()
        assert holds(of, project)


def test_more_than_a_pipe_holds_goes_to_git_and_comes_back(project: Path) -> None:
    names = "".join(f"clips/{'long' * 20}{number}.md\0" for number in range(5000)).encode()
    (project / ".gitignore").write_text("*.md\n")
    of = remembered(project, "clips", asked=[answer(project, asking.SPECS), answer(project, asking.IGNORED, names)])
    assert holds(of, project)
    (project / ".git/info/exclude").parent.mkdir(exist_ok=True)
    (project / ".git/info/exclude").write_text("!*.md\n*.txt\n")
    assert holds(of, project)  # .gitignore has the last word
    (project / ".gitignore").write_text("*.txt\n")
    assert not holds(of, project)


def test_whatever_it_comes_to_no_process_is_left_behind(project: Path) -> None:
    names = [f"f{number}" for number in range(memory.MANY)]
    for name in names:
        (project / name).mkdir()
    long = "".join(f"clips/{'long' * 20}{number}.md\0" for number in range(100)).encode()
    asked = [answer(project, asking.SPECS), answer(project, asking.IGNORED, long)]
    of = remembered(project, "clips", *names, asked=asked)
    strange = Memory(of.tool, of.common, of.folders, [(*asked[0][:2], "other"), asked[1]], of.answers)
    pid = os.fork()
    if pid == 0:
        left = 2
        try:
            holds(of, project)
            holds(strange, project)
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            left = 0
        finally:
            os._exit(left)
    assert os.waitpid(pid, 0)[1] == 0


def test_in_a_process_with_threads_it_copies_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"f{number}" for number in range(memory.MANY)]
    for name in names:
        (project / name).mkdir()
    short = answer(project, asking.IGNORED, b"clips/a.md\0")
    long = answer(project, asking.IGNORED, b"".join(b"clips/%d.md\0" % number for number in range(1000)))
    of = remembered(project, "clips", *names, asked=[answer(project, asking.SPECS), short])
    more = remembered(project, "clips", asked=[answer(project, asking.SPECS), long])

    def fork() -> int:
        raise AssertionError("a copy of a process with threads may hang")

    monkeypatch.setattr(os, "fork", fork)
    assert memory.holds(of, str(project), alone=False)
    assert not memory.holds(more, str(project), alone=False)
    (project / names[0] / "x.png").write_bytes(b"")
    assert not memory.holds(of, str(project), alone=False)


def test_what_git_says_counts(project: Path, git: Git) -> None:
    of = remembered(project, "clips")
    (project / ".git/info").mkdir(exist_ok=True)
    (project / ".git/info/exclude").write_text("later/\n")
    assert holds(of, project)
    (project / "new").mkdir()
    (project / "new/one.sume.toml").write_text("")
    assert not holds(of, project)
    (project / "new/one.sume.toml").unlink()
    git(project, "rm", "-q", "--cached", "clips/hero.sume.toml")
    assert not holds(of, project)


def test_another_version_another_repository_or_none(project: Path) -> None:
    of = remembered(project, "clips")
    assert not holds(Memory("other", of.common, of.folders, of.asked, of.answers), project)
    assert not holds(Memory(of.tool, "", of.folders, of.asked, of.answers), project)
    assert not holds(Memory(of.tool, of.common, of.folders, [], of.answers), project)
    (project / ".git").rename(project / "away")
    assert not holds(of, project)


def test_what_came_with_a_commit_is_not_believed(project: Path, git: Git) -> None:
    """Whoever can commit a memory can commit one in which that very answer stands."""
    of = remembered(project, "clips")
    keep(of, project)
    git(project, "add", "-f", ".sume")
    of = remembered(project, "clips", asked=[answer(project, asking.SPECS)])
    keep(of, project)
    assert not holds(of, project)
    assert (project / memory.NAME).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "alias.x=!touch ran", "x"),
        ("ls-files",),
        ("cat-file", "--batch-check=%(objectname) %(objecttype)", "--textconv"),
    ],
)
def test_git_is_asked_nothing_else_whatever_the_file_says(project: Path, arguments: tuple[str, ...]) -> None:
    of = remembered(project, "clips")
    asked = [*of.asked, (arguments, b"", memory.answered(b"", 0))]
    assert not holds(Memory(of.tool, of.common, of.folders, asked, of.answers), project)
    assert not (project / "ran").exists()


def test_the_code_that_answers_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = memory.tool()
    assert before == memory.tool()
    monkeypatch.setattr(sys, "version", "4.0")
    assert memory.tool() != before


def test_what_an_answer_depends_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = [memory.key(["plan"]), memory.key(["plan", "--json"]), memory.key(["plan--json"])]
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "SUME_API_BASE_URL", "SUME_API_KEY", "GIT_DIR"):
        monkeypatch.setenv(name, "something")
        keys.append(memory.key(["plan"]))
    monkeypatch.chdir(tmp_path)
    keys.append(memory.key(["plan"]))
    assert len(set(keys)) == len(keys)
    assert memory.key(["plan"]) == keys[-1]


def test_what_a_key_is_stands_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUME_API_KEY", "sume_live_one")
    one = memory.key(["plan"])
    monkeypatch.setenv("SUME_API_KEY", "sume_live_two")
    assert memory.key(["plan"]) == one


def test_answers_of_the_same_world_stay_and_the_oldest_give_way(project: Path) -> None:
    old = remembered(project, "clips")
    new = Memory(old.tool, old.common, old.folders, old.asked, {"other": SAID})
    assert list(memory.with_answer(old, new).answers) == ["key", "other"]
    for number in range(20):
        new = Memory(old.tool, old.common, old.folders, old.asked, {f"{number}": SAID})
        old = memory.with_answer(old, new)
    assert list(old.answers) == [str(number) for number in range(20 - memory.MOST_ANSWERS, 20)]
    long = (0, [(False, "x" * (memory.MOST_BYTES // 2 + 1))])
    for name in ("a", "b"):
        old = memory.with_answer(old, Memory(old.tool, old.common, old.folders, old.asked, {name: long}))
    assert list(old.answers) == ["b"]
    too_long = (0, [(False, "x" * (memory.MOST_BYTES + 1))])
    assert not memory.with_answer(None, Memory("", "", {}, [], {"a": too_long})).answers
    assert list(memory.with_answer(old, Memory("new", "", {}, [], {"a": SAID})).answers) == ["a"]


words = st.text(max_size=20)
memories = st.builds(
    Memory,
    words,
    words,
    st.dictionaries(words, words, max_size=4),
    st.lists(st.tuples(st.lists(words, max_size=3).map(tuple), st.binary(max_size=20), words), max_size=3),
    st.dictionaries(
        words, st.tuples(st.integers(0, 255), st.lists(st.tuples(st.booleans(), words), max_size=3)), max_size=3
    ),
)


@given(memories)
def test_whatever_is_written_is_read(of: Memory) -> None:
    assert same(memory.decoded(memory.rendered(of)), of)


@given(memories, st.data())
def test_what_is_cut_or_changed_is_as_good_as_none(of: Memory, data: st.DataObject) -> None:
    whole = memory.rendered(of)
    assert memory.decoded(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    assert memory.decoded(whole[:at] + bytes([other]) + whole[at + 1 :]) is None


@given(st.one_of(st.binary(max_size=200), st.text("0123456789:-ab", max_size=60).map(str.encode)))
def test_a_foreign_file_with_the_right_digest_is_read_or_not_and_nothing_else(text: bytes) -> None:
    head = memory.rendered(Memory("", "", {}, [], {}))[:16]
    memory.decoded(head + signs.digest(text).encode() + text)
    memory.decoded(text)


def test_a_link_or_nothing_in_its_place(project: Path) -> None:
    assert memory.read(str(project)) is None
    file = keep(remembered(project), project)
    file.rename(project / "elsewhere")
    file.symlink_to(project / "elsewhere")
    assert memory.read(str(project)) is None
    file.unlink()
    os.mkfifo(file)
    assert memory.read(str(project)) is None
