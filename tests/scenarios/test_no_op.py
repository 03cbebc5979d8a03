"""Nothing has changed: that is said at once, and only where it is so."""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sumesync.cli.main import run as run_click
from sumesync.disk import ahead, memory, observe, signs
from tests.builders import examples

from .stage import Result, Stage, Sume

COMMANDS = (("plan", "--json", "--offline"), ("plan", "--offline"), ("check",), ("status",), ("validate",))
MAY_IMPORT = {
    "sumesync",
    "sumesync.__main__",
    "sumesync.cli",
    "sumesync.cli.entry",
    "sumesync.cli.voice",
    "sumesync.disk",
    "sumesync.disk.asking",
    "sumesync.disk.memory",
    "sumesync.disk.signs",
}
"""All of ours that a plan with nothing to do loads. Each module here costs every such plan its loading."""
NEVER = {
    "click",
    "json",
    "re",
    "typing",
    "subprocess",
    "dataclasses",
    "pathlib",
    "hashlib",
    "urllib3",
    "jsonschema",
    "tomli",
}


def story(stage: Stage) -> None:
    """A chain, a matrix, a prompt file and a file that is taken, all made."""
    stage.write(".gitignore", "*.draft.md\n")
    stage.spec("hero", "A jar.")
    stage.write("texts/film.md", "It turns.\n")
    stage.write(
        "film.sume.toml",
        'kind = "video"\nprompt_file = "texts/film.md"\nreference_image_urls = [{ from = "hero.sume.toml" }]\n',
    )
    stage.write("deep/card.sume.toml", 'prompt = "A {size} card."\n[matrix]\nsize = ["small", "large"]\n')
    stage.write("refs/bottle.png", b"\x89PNG\r\n\x1a\nbottle")
    stage.write("deep/er/ad.sume.toml", 'prompt = "Ad."\nreference_image_urls = [{ file = "../../refs/bottle.png" }]\n')
    stage.here("apply", "--yes", code=0)
    stage.commit()


def asked(stage: Stage, *command: str, times: int = 3) -> Result:
    """What is said to ``command``, the same whoever answers: whoever remembers, or whoever reads every file."""
    fresh = stage.here(*command, "--no-cache")
    for _ in range(times):
        told = stage.here(*command)
        assert (told.code, told.out, told.err) == (fresh.code, fresh.out, fresh.err)
    return fresh


class Counted:
    """How often what was remembered answered."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.hits, real = 0, memory.holds

        def holds(of: memory.Memory, root: str) -> bool:
            held = real(of, root)
            self.hits += held
            return held

        patch.setattr(memory, "holds", holds)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def kept(stage: Stage) -> dict[str, Any]:
    """What looks remember of files, by the names under which they do."""
    cache = stage.root / ".sume" / "cache"
    return {name: json.loads((cache / name).read_text()) for name in ("specs.json", "metadata.json", "hashes.json")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is copied here")
@pytest.mark.parametrize("command", [("plan", "--offline"), ("check",), ("status",)])
def test_a_child_may_read_and_remember(
    stage: Stage, counted: Counted, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    story(stage)
    stage.here(*command)
    alone, fork, made = kept(stage), os.fork, list[int]()
    shutil.rmtree(stage.root / ".sume" / "cache")

    def copied() -> int:
        if pid := fork():
            made.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", copied)
    monkeypatch.setattr(ahead, "_MANY", 2)
    monkeypatch.setattr(ahead, "_may_copy", lambda: True)  # pytest's workers have a thread of their own
    fresh = stage.here(*command, "--no-cache")
    assert len(made) == 1, "it read"
    told = stage.here(*command)
    assert len(made) == 3, "it read, and it remembered"
    assert kept(stage) == alone
    before = counted.hits
    again = stage.here(*command)
    assert counted.hits == before + 1
    assert (told.out, told.err) == (again.out, again.err) == (fresh.out, fresh.err)


def test_a_look_without_a_plan_remembers_what_it_read(stage: Stage) -> None:
    story(stage)
    stage.here("history", "hero.sume.toml", code=0)
    assert "hero.sume.toml" in kept(stage)["specs.json"]["files"]


def test_it_is_said_again_until_something_changes(stage: Stage, counted: Counted) -> None:
    story(stage)
    for number, command in enumerate(COMMANDS):
        stage.here(*command)
        before = counted.hits
        asked(stage, *command)
        assert counted.hits > before, number
    stage.spec("hero", "Another jar.")
    assert stage.here("plan", "--exit-code", "--offline").code == 2
    asked(stage, "plan", "--exit-code", "--offline")
    stage.spec("hero", "A jar.")
    assert stage.here("plan", "--exit-code", "--offline").code == 0


def test_another_folder_another_option_another_answer(stage: Stage, counted: Counted) -> None:
    story(stage)
    whole = stage.here("status").out
    for _ in range(2):
        part = stage.here("status", str(stage.path("deep"))).out
        assert len(part) < len(whole)
        assert stage.here("status").out == whole
        assert stage.here("status", str(stage.path("none"))).code == 64
    assert counted.hits
    assert stage.run("status", "hero", cwd="deep").code == 64


def test_a_balance_is_asked_for_each_time(stage: Stage) -> None:
    story(stage)
    stage.spec("new", "A lid.")
    for _ in range(3):
        stage.here("plan")
    assert len(stage.seen("GET", "/credits")) >= 3


def test_what_was_saved_is_saved_again(stage: Stage) -> None:
    story(stage)
    for _ in range(3):
        stage.here("plan", "--out", "plan.json", code=0)
        stage.path("plan.json").unlink()


def test_a_memory_that_came_with_a_commit_is_refused(stage: Stage) -> None:
    story(stage)
    for _ in range(3):
        stage.here("check", code=0)
    stage.git("add", "-f", ".sume/cache/said")
    assert "git tracks" in stage.here("check", code=3).err


def test_a_key_that_was_remembered_in_words_is_not_said(stage: Stage, counted: Counted) -> None:
    """Somebody's prompt is somebody else's key."""
    stage.spec("hero", "sume_test_a-key-in-a-prompt-0123456789")
    for _ in range(3):
        stage.here("plan", "--offline", "--json", env={"SUME_API_KEY": "other-key-0123456789"})
    hits = counted.hits
    told = stage.here("plan", "--offline", "--json", env={"SUME_API_KEY": "key-in-a-prompt-0123456789"})
    assert "key-in-a-prompt-0123456789" not in told.out
    assert counted.hits == hits or "key-in-a-prompt" not in told.out


def test_a_project_that_cannot_be_written_is_planned_all_the_same(stage: Stage) -> None:
    story(stage)
    shutil.rmtree(stage.path(".sume"), ignore_errors=True)
    stage.write(".sume", "a file")
    for command in COMMANDS:
        asked(stage, *command)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_somebody_who_closed_a_stream(stage: Stage, closed: str) -> None:
    stage.spec("hero", "A jar.")
    for _ in range(2):
        command = f"{shlex.quote(sys.executable)} -m sumesync plan --offline --exit-code {closed}"
        done = subprocess.run(
            ["sh", "-c", command], cwd=stage.root, env=stage.environment(), capture_output=True, text=True, check=False
        )
        assert (done.returncode, "fault" in done.stderr) == (2, False)


def test_what_is_written_while_we_look_is_seen_by_the_next(stage: Stage) -> None:
    """Its sign is taken after the look, which read the words before."""
    story(stage)
    real = observe.observe

    def meanwhile(*args: Any) -> Any:
        seen = real(*args)
        stage.spec("hero", "Written meanwhile.")
        return seen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observe, "observe", meanwhile)
        assert stage.here("plan", "--exit-code", "--offline").code == 0
    assert stage.here("plan", "--exit-code", "--offline").code == 2


def test_what_is_paid_for_is_what_the_spec_says_not_what_is_remembered_of_it(stage: Stage) -> None:
    facts = stage.forged()
    stage.here("plan", "--offline", "--json", "hero")
    assert "A lid." in facts.read_text()  # it was believed, for a look
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == ["A cup.", "A jar."]


def test_nothing_remembered_outlives_its_loss(stage: Stage) -> None:
    story(stage)
    for damage in (b"", b"sumesync said 1 ", b"\0" * 4096):
        for _ in range(3):
            stage.here("check", code=0)
        for file in stage.path(".sume/cache").iterdir():
            file.write_bytes(damage)
    asked(stage, "check")


# --- Whatever people do -----------------------------------------------------------------------------------


class People:
    """Deeds that a stat cache could miss."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.kept: dict[str, tuple[bytes, int]] = {}

    def deeds(self) -> list[Callable[[int], object]]:
        return [
            lambda n: self.stage.spec(f"new{n % 2}", f"Prompt {n % 3}."),
            lambda n: self.stage.spec("hero", "A jar." if n % 2 else "A lid."),
            lambda n: self.gone(f"new{n % 2}.sume.toml"),
            lambda _: self.touched("hero.sume.toml"),
            lambda _: self.touched("hero.png"),
            lambda n: self.other_bytes("hero.png", n),
            lambda n: self.other_bytes("refs/bottle.png", n),
            lambda n: self.other_bytes("deep/card-small.sume.json", n),
            lambda n: self.other_bytes("sume.lock", n),
            lambda _: self.gone("deep/card-large.png"),
            lambda _: self.gone("film.mp4"),
            lambda _: self.stage.git("checkout", "-q", "--", "."),
            lambda _: self.stage.git("add", "-A"),
            lambda n: self.stage.write("texts/film.md", f"It turns {n % 3} times.\n"),
            lambda n: self.stage.write(".gitignore", "texts/\n" if n % 2 else "*.draft.md\n"),
            lambda n: self.stage.write(
                "sumesync.toml", f'[defaults.image]\naspect_ratio = "{("1:1", "4:5")[n % 2]}"\n'
            ),
            lambda _: self.behind_a_link("deep"),
            lambda _: self.renamed("deep/er", "deep/est"),
            lambda _: self.stage.write("deep/sumesync.toml", ""),
            lambda _: self.gone("deep/sumesync.toml"),
            lambda _: self.stage.write("deep/er/x.draft.md", ""),
            lambda n: self.stage.here(*COMMANDS[n % len(COMMANDS)]),
            lambda _: self.stage.here("apply", "--yes", "--keep-going"),
            lambda n: self.stage.here("accept", "hero") if n % 2 else None,
        ]

    def gone(self, path: str) -> None:
        self.stage.path(path).unlink(missing_ok=True)

    def touched(self, path: str) -> None:
        if self.stage.path(path).exists():
            os.utime(self.stage.path(path), ns=(1, 1))

    def other_bytes(self, path: str, number: int) -> None:
        """Of the same length, with the old time; or the first ones again."""
        file = self.stage.path(path)
        if not file.exists():
            return
        data, status = file.read_bytes(), os.lstat(file)
        first, _ = self.kept.setdefault(path, (data, status.st_mtime_ns))
        file.write_bytes(first if number % 2 else data[:-1] + bytes([(data[-1] + 1) % 128]))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    def behind_a_link(self, path: str) -> None:
        folder = self.stage.path(path)
        if folder.is_symlink():
            folder.unlink()
            self.stage.path(f"{path}-moved").rename(folder)
        elif folder.is_dir():
            folder.rename(self.stage.path(f"{path}-moved"))
            folder.symlink_to(self.stage.path(f"{path}-moved"))

    def renamed(self, one: str, other: str) -> None:
        for source, target in ((one, other), (other, one)):
            if self.stage.path(source).is_dir() and not self.stage.path(target).exists():
                self.stage.path(source).rename(self.stage.path(target))
                return


DAY = 86_400 * 10**9
steps = st.lists(
    st.tuples(st.integers(0, 23), st.integers(0, 11), st.sampled_from(COMMANDS), st.sampled_from([0, 0, 0, DAY, -DAY])),
    min_size=4,
    max_size=10,
)


@given(steps)
@settings(max_examples=examples(2), deadline=None, phases=[Phase.explicit, Phase.generate])
def test_whatever_people_do_the_answer_is_that_of_who_reads_every_file(what: list[tuple[int, int, Any, int]]) -> None:
    """Edits, restores, touches, and a clock that stands a day off while a look is remembered."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        base = Path(folder).resolve()
        for name in ("project", "home"):
            (base / name).mkdir()
        stage = Stage(base / "project", base / "home", Sume.serve())
        try:
            stage.git("init", "-q", "-b", "main")
            stage.here("init", code=0)
            story(stage)
            people, real = People(stage), signs.now
            for deed, number, command, off in what:
                people.deeds()[deed](number)
                patch.setattr(signs, "now", lambda path, off=off: real(path) + off)
                asked(stage, *command, times=2)
        finally:
            stage.close()


# --- What it hangs on, and what it costs -------------------------------------------------------------------


def test_every_file_that_a_look_asks_for_is_one_that_is_remembered(stage: Stage) -> None:
    """Found by watching the calls: a file that only the look knows of could change unseen."""
    story(stage)
    stage.write("wrong.sume.toml", 'prompt = "x"\n[output]\ndir = "texts/film.md"\n')
    stage.write("gone.sume.toml", 'prompt_file = "nowhere/none.md"\n')
    stage.tick()
    looked: set[str] = set()

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(path: Any, *args: Any, **more: Any) -> Any:
            if isinstance(path, str | os.PathLike) and more.get("dir_fd") is None:
                looked.add(os.path.abspath(os.fspath(path)))
            return call(path, *args, **more)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for name in ("stat", "lstat", "open", "listdir", "scandir"):
            patch.setattr(os, name, watched(getattr(os, name)))
        patch.setattr(builtins, "open", watched(open))
        stage.here("plan", "--offline")
        known = memory.read(str(stage.root))
    assert known is not None
    inside = {path for path in looked if path.startswith(f"{stage.root}/")}
    assert len(inside) > 20
    ours = str(stage.root / ".sume/cache")
    missed = {path for path in inside if os.path.dirname(path) not in known.folders and path not in known.folders}
    git = str(stage.root / ".git")
    assert {path for path in missed if not path.startswith((ours, git))} == set()
    # Of git itself: where it is, which is asked again, and what lies in our own folder there.
    assert {path for path in missed if path.startswith(git)} <= {git, f"{git}/HEAD"}


def test_which_modules_a_plan_with_nothing_to_do_loads(stage: Stage) -> None:
    story(stage)
    for _ in range(3):
        stage.run("plan", code=0)
    shown = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    run = "sys.argv = ['sumesync', 'plan']; from sumesync.cli.entry import main; main()"
    # Without site: what a virtual environment's own hooks load is not ours.
    path = f"sys.path += {[place for place in sys.path if place]!r}; "
    done = subprocess.run(
        [sys.executable, "-S", "-c", shown + path + run],
        cwd=stage.root,
        env=stage.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Nothing to do" in done.stdout + done.stderr
    loaded = set(done.stderr.split())
    assert {name for name in loaded if name.split(".")[0] == "sumesync"} <= MAY_IMPORT
    assert not NEVER & loaded


def test_the_help_that_is_shown_at_once_is_the_help() -> None:
    """Made anew with: COLUMNS=80 sumesync --help > sumesync/cli/help.txt"""
    shown = help_at(None)
    assert shown == help_at("80") == help_at("200")
    assert shown != help_at("60")


def help_at(columns: str | None) -> str:
    """The help as click writes it, where ``columns`` are told; else as it is kept."""
    if columns is None:
        return (Path(memory.__file__).parent.parent / "cli/help.txt").read_text(encoding="utf-8")
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("COLUMNS", columns)
        run_click(["--help"])
    return out.getvalue()


@pytest.mark.parametrize("flag", ["--help", "-h", "--version"])
def test_help_and_version_load_nothing(stage: Stage, flag: str) -> None:
    for columns in (None, "40"):
        done = stage.run(flag, code=0, env={"COLUMNS": columns})
        assert done.err == ""
        assert done.out.startswith(("Usage: sumesync", "sumesync, version"))
