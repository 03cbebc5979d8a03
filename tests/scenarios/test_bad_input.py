"""One table of bad input: exit code, a message that says where, nothing charged, bytes untouched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.canaries import WORKSPACE

from .conftest import Maker
from .deeds import Deed, all_of, edit, remove, write
from .stage import png


@dataclass(frozen=True)
class Case:
    """What is done to a project of one applied spec, what is run then, and what must come of it."""

    name: str
    spoil: Deed
    code: int
    says: tuple[str, ...]
    args: tuple[str, ...] = ("apply", "--yes")
    env: Mapping[str, str | None] = field(default_factory=dict)
    posts: int = 0
    """Paid requests that may be sent, each of them refused."""


def spec(path: str, prompt: str, **fields: Any) -> Deed:
    return lambda stage: stage.spec(path, prompt, **fields)


def settings(**changes: Any) -> Deed:
    return lambda stage: stage.settings(**changes)


NEW = spec("new", "A new one.")
CASES = [
    # --- Specs -----------------------------------------------------------------------------------------
    Case("invalid-toml", write("new.sume.toml", 'prompt = "open\n'), 64, ("new.sume.toml:1:",)),
    Case("toml-twice", write("new.sume.toml", 'prompt = "a"\nprompt = "b"\n'), 64, ("new.sume.toml:2",)),
    Case("not-utf-8", write("new.sume.toml", b'prompt = "\xff"\n'), 64, ("new.sume.toml:1", "UTF-8")),
    Case("unknown-field", write("new.sume.toml", 'prompt = "a"\naspct_ratio = "1:1"\n'), 64,
         ("new.sume.toml:2:1", "aspct_ratio", "did you mean aspect_ratio?")),
    Case("unknown-kind", write("new.sume.toml", 'kind = "vidoe"\nprompt = "a"\n'), 64, ("new.sume.toml:1", "video")),
    Case("bad-ratio", write("new.sume.toml", 'prompt = "a"\naspect_ratio = "wide"\n'), 64, ("new.sume.toml:2", "wide")),
    Case("too-long", write("new.sume.toml", 'kind = "video"\nprompt = "a"\nduration = 16\n'), 64,
         ("new.sume.toml:3", "15")),
    Case("wrong-type", write("new.sume.toml", "prompt = 5\n"), 64, ("new.sume.toml:1",)),
    *(
        Case(f"identity-{name}", write("new.sume.toml", f'prompt = "a"\n{name} = "x"\n'), 64, ("new.sume.toml:2", name))
        for name in ("workspace_id", "user_id", "email")
    ),
    Case("identity-in-extra", write("new.sume.toml", 'prompt = "a"\n[extra]\nuser_id = "x"\n'), 64,
         ("new.sume.toml:3", "user_id")),
    Case("identity-in-defaults", all_of(NEW, write("sumesync.toml", '[defaults.image]\nworkspace_id = "x"\n')), 64,
         ("sumesync.toml:2", "workspace_id")),
    Case("empty-prompt", write("new.sume.toml", 'prompt = ""\n'), 64, ("new.sume.toml:1",)),
    Case("blank-prompt", write("new.sume.toml", 'prompt = "  \\n "\n'), 64, ("new.sume.toml:1",)),
    Case("no-prompt", write("new.sume.toml", 'aspect_ratio = "1:1"\n'), 64, ("new.sume.toml", "no prompt")),
    Case("prompt-file-missing", write("new.sume.toml", 'prompt_file = "no.md"\n'), 64,
         ("new.sume.toml:1", "no.md")),
    Case("prompt-file-empty", all_of(write("no.md", "\n\n"), write("new.sume.toml", 'prompt_file = "no.md"\n')), 64,
         ("new.sume.toml:1", "empty")),
    Case("prompt-file-outside", write("new.sume.toml", 'prompt_file = "../../etc/passwd"\n'), 64,
         ("new.sume.toml:1", "outside the project")),
    Case("prompt-file-absolute", write("new.sume.toml", 'prompt_file = "/etc/passwd"\n'), 64, ("new.sume.toml:1",)),
    Case("prompt-twice", all_of(write("p.md", "x"), write("new.sume.toml", 'prompt = "a"\nprompt_file = "p.md"\n')), 64,
         ("new.sume.toml:2",)),
    Case("key-in-a-spec", write("new.sume.toml", 'prompt = "sume_live_abcdefghijklmnop"\n'), 64,
         ("new.sume.toml:1", "key")),
    Case("output-outside", write("new.sume.toml", 'prompt = "a"\n[output]\ndir = "../.."\n'), 64,
         ("new.sume.toml:3", "outside")),
    Case("output-in-git", write("new.sume.toml", 'prompt = "a"\n[output]\ndir = ".git/hooks"\n'), 64,
         ("new.sume.toml:3", ".git")),
    Case("output-reserved", write("new.sume.toml", 'prompt = "a"\n[output]\nname = "aux"\n'), 64,
         ("new.sume.toml:3", "aux")),
    Case("same-output", all_of(NEW, write("other.sume.toml", 'prompt = "b"\n[output]\nname = "New"\n')), 64,
         ("new.sume.toml:1:1", "other.sume.toml:1:1", "same files")),
    Case("foreign-output", all_of(NEW, write("new.png", png("mine"))), 64, ("new.sume.toml", "new.png", "accept")),
    Case("foreign-output-of-another-kind", all_of(NEW, write("new.JPG", b"mine")), 64, ("new.sume.toml", "new.JPG")),
    Case("foreign-metadata", all_of(NEW, write("new.sume.json", "{}\n")), 64, ("new.sume.toml", "new.sume.json")),
    Case("all-at-once", all_of(NEW, write("a.sume.toml", "prompt = 1\nx = 2\n"), write("b.sume.toml", "=\n")), 64,
         ("a.sume.toml:1", "a.sume.toml:2", "b.sume.toml:1")),
    Case("validate-tells-too", write("new.sume.toml", "prompt = 1\n"), 64, ("new.sume.toml:1",), ("validate",)),
    Case("plan-tells-too", write("new.sume.toml", "prompt = 1\n"), 64, ("new.sume.toml:1",), ("plan",)),
    Case("check-tells-too", write("new.sume.toml", "prompt = 1\n"), 64, ("new.sume.toml:1",), ("check",)),
    Case("no-such-spec", NEW, 64, ("nwe", "did you mean new.sume.toml?"), ("apply", "--yes", "nwe.sume.toml")),
    Case("no-such-tag", NEW, 64, ("autumn",), ("apply", "--yes", "--tag", "autumn")),
    # --- Settings and guards ---------------------------------------------------------------------------
    Case("settings-invalid", all_of(NEW, write("sumesync.toml", "[aply]\n")), 64, ("sumesync.toml:1", "aply")),
    Case("settings-name-an-origin", all_of(NEW, write("sumesync.toml", 'endpoint = "https://x.example"\n')), 64,
         ("sumesync.toml:1", "SUME_API_BASE_URL")),
    Case("guard-of-the-settings", all_of(NEW, write("sumesync.toml", "[apply]\nmax_jobs = 0\n")), 3,
         ("1 paid job", "--max-jobs 1")),
    Case("guard-of-the-command", all_of(NEW, spec("two", "Two.")), 3, ("2 paid jobs", "--max-jobs 2"),
         ("apply", "--yes", "--max-jobs", "1")),
    Case("not-a-saved-plan", all_of(NEW, write("p.json", "{}")), 64, ("p.json",), ("apply", "p.json")),
    Case("no-such-saved-plan", NEW, 64, ("p.json",), ("apply", "p.json")),
    Case("no-such-command", NEW, 64, ("aply", "did you mean apply?"), ("aply",)),
    Case("no-such-option", NEW, 64, ("--force",), ("apply", "--force")),
    # --- The lock ----------------------------------------------------------------------------------------
    Case("lock-with-markers", all_of(NEW, edit("sume.lock", "[[entry]]", "<<<<<<< a\n=======\n>>>>>>> b\n[[entry]]")),
         3, ("sume.lock:6", "merge conflict", "lock resolve")),
    Case("lock-of-a-newer-version", all_of(NEW, edit("sume.lock", "format_version = 1", "format_version = 2")), 3,
         ("sume.lock", "format 2", "update sumesync")),
    Case("lock-garbage", all_of(NEW, write("sume.lock", b"\x00\xff\x00")), 3, ("sume.lock", "lock rebuild")),
    Case("lock-empty", all_of(NEW, write("sume.lock", "")), 3, ("sume.lock", "lock rebuild")),
    Case("lock-truncated", all_of(NEW, edit("sume.lock", '"\nsize', "")), 3, ("sume.lock:", "lock rebuild")),
    Case("lock-with-an-entry-twice", all_of(NEW, lambda s: s.write("sume.lock", s.read("sume.lock") + "\n" +
         s.read("sume.lock")[s.read("sume.lock").index("[[entry]]"):])), 3, ("sume.lock", "two entries")),
    Case("lock-leads-outside", all_of(NEW, edit("sume.lock", 'path = "good.png"', 'path = "../good.png"')), 3,
         ("sume.lock", "../good.png")),
    Case("lock-missing", all_of(NEW, remove("sume.lock")), 3, ("sume.lock is missing", "lock rebuild")),
    Case("lock-missing-plan", all_of(NEW, remove("sume.lock")), 3, ("sume.lock is missing",), ("plan",)),
    Case("lock-newer-is-not-rebuilt", edit("sume.lock", "format_version = 1", "format_version = 2"), 3,
         ("format 2",), ("lock", "rebuild")),
    # --- Key, workspace, account -------------------------------------------------------------------------
    Case("another-workspace", all_of(NEW, settings(workspace_id=f"{WORKSPACE}_other")), 3, ("another workspace",)),
    Case("no-key", NEW, 64, ("SUME_API_KEY",), env={"SUME_API_KEY": None}),
    Case("empty-key", NEW, 64, ("SUME_API_KEY",), env={"SUME_API_KEY": "  "}),
    Case("key-of-two-lines", NEW, 64, ("key",), env={"SUME_API_KEY": "sume_live_a\r\nX-Evil: 1"}),
    Case("wrong-key", NEW, 1, ("SUME_API_KEY",), env={"SUME_API_KEY": "sume_live_wrongwrongwrong"}),
    Case("key-file-in-the-project", all_of(NEW, write("key.txt", "sume_live_decoydecoydecoy\n")), 64,
         ("key.txt", "inside the project"), ("apply", "--yes", "--api-key-file", "key.txt")),
    Case("key-file-missing", NEW, 64, ("no-key.txt",), ("apply", "--yes", "--api-key-file", "../no-key.txt")),
    Case("no-credits", all_of(NEW, settings(credits=4)), 1, ("new.sume.toml", "insufficient_credits", "add credits"),
         posts=1),
    Case("no-credits-stops-the-batch", all_of(*(spec(f"n{i}", f"N {i}.") for i in range(20)), settings(credits=4)), 1,
         ("insufficient_credits", "not submitted"), posts=4),
    Case("http-origin", NEW, 64, ("SUME_API_BASE_URL", "http"), env={"SUME_API_BASE_URL": "http://sume.example/api/v1"}),
    Case("origin-with-a-query", NEW, 64, ("SUME_API_BASE_URL",),
         env={"SUME_API_BASE_URL": "https://sume.example/api/v1?key=secret"}),
    # --- Commands that change one thing ------------------------------------------------------------------
    Case("accept-without-media", NEW, 64, ("new.sume.toml", "no media"), ("accept", "new")),
    Case("retake-of-an-invalid-spec", write("new.sume.toml", "prompt = 1\n"), 64, ("new.sume.toml:1",),
         ("retake", "new")),
    Case("new-over-a-spec", NEW, 3, ("new.sume.toml", "already"), ("new", "image", "new")),
    Case("new-of-no-kind", NEW, 64, ("vidoe", "video"), ("new", "vidoe", "clip")),
    Case("new-outside", NEW, 64, ("outside the project",), ("new", "image", "../x")),
    Case("init-twice", NEW, 64, ("sumesync.toml",), ("init",)),
    Case("resolve-nothing", NEW, 64, ("no paid request is open",), ("resolve", "new", "--not-created")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(make: Maker, case: Case) -> None:
    stage = make(git=False)
    stage.spec("good", "A good one.")
    stage.here("apply", "--yes", code=0)
    case.spoil(stage)
    before, posts = stage.tree(), stage.posts()

    result = stage.here(*case.args, code=case.code, env=case.env)
    for word in case.says:
        assert word in result.text, f"{word!r} is not said:\n{result}"
    assert stage.tree() == before
    assert len(stage.charges()) == 1
    assert stage.posts() - posts <= case.posts
    assert not stage.journal()


def test_the_table_names_each_case_once() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_bad_input_is_told_by_the_real_command_as_well(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", 'prompt = "a"\naspct_ratio = "1:1"\n')
    result = stage.run("apply", "--yes", code=64)
    assert "hero.sume.toml:2:1" in result.text
    assert not stage.world.requests


def test_no_project_here(make: Maker, tmp_path: Path) -> None:
    stage = make(project=False)
    for args in (("plan",), ("apply", "--yes"), ("status",), ("new", "image", "x"), ("check",), ("lock", "rebuild")):
        assert "sumesync init" in stage.here(*args, code=64).err, args
    assert stage.tree() == {}


def test_the_others_are_applied_with_keep_going(make: Maker) -> None:
    stage = make()
    stage.spec("good", "A good one.")
    stage.write("bad.sume.toml", "prompt = 1\n")
    stage.here("apply", "--yes", code=64)
    assert not stage.posts()
    result = stage.here("apply", "--yes", "--keep-going", code=64)
    assert "bad.sume.toml:1" in result.text
    assert stage.paid() == ["A good one."]
    stage.all_there("good")


def test_a_lost_lock_is_made_again_for_nothing(make: Maker) -> None:
    for git in (True, False):
        stage = make(git=git)
        stage.spec("hero", "A jar.")
        stage.here("apply", "--yes", code=0)
        stage.spec("hero", "Another jar.")
        stage.spec("launch/demo", "A hand.")
        stage.here("apply", "--yes", code=0)
        before, tree = stage.lock(), stage.tree()
        stage.path("sume.lock").unlink()
        stage.here("apply", "--yes", code=3)
        stage.here("lock", "rebuild", code=0)
        assert stage.lock() == before
        assert stage.tree() == tree, "the header, too, is what it was"
        assert "Nothing to do" in stage.here("apply", "--yes", code=0).out
        assert len(stage.charges()) == 3


def test_a_lost_lock_in_a_fresh_clone_is_made_again_for_nothing(make: Maker) -> None:
    """No ledger and no journal: metadata alone."""
    stage = make()
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.spec("hero", "Another jar.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    clone = stage.elsewhere(stage.root.parent / "clone")
    stage.git("clone", "-q", str(stage.root), str(clone.root))
    before = clone.lock()
    clone.path("sume.lock").unlink()
    clone.here("plan", code=3)
    clone.here("lock", "rebuild", code=0)
    assert clone.lock() == before
    assert "Nothing to do" in clone.here("apply", "--yes", code=0).out
    clone.spec("hero", "A jar.")
    clone.here("apply", "--yes", code=0)
    clone.all_there()
    assert len(stage.charges()) == 2


def test_merge_markers_in_the_header_are_mended_by_rebuild(make: Maker) -> None:
    stage = make()
    for name in ("one", "two", "three"):
        stage.spec(name, f"Picture {name}.")
    stage.here("apply", "--yes", code=0)
    before = stage.lock()
    blocks = stage.read("sume.lock").split("\n[[entry]]\n")
    stage.write(
        "sume.lock",
        f"{blocks[0]}\n<<<<<<< HEAD\n[[entry]]\n{blocks[1]}\n=======\n[[entry]]\n{blocks[2]}\n>>>>>>> side\n"
        f"\n[[entry]]\n{blocks[3]}",
    )
    marked = stage.path("sume.lock").read_bytes()
    for args in (("plan",), ("apply", "--yes"), ("status",), ("check",), ("accept", "one")):
        assert "merge conflict" in stage.here(*args, code=3).err, args
        assert stage.path("sume.lock").read_bytes() == marked
    stage.here("lock", "rebuild", code=0)
    assert stage.lock() == before
    stage.here("plan", "--exit-code", code=0)
    assert stage.path(".sume/sume.lock.before-rebuild").read_bytes() == marked
    assert len(stage.charges()) == 3
