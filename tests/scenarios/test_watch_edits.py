"""Watch driven through hundreds of random edits: it ends where a cold plan has nothing to do, and each content was
paid for at most once. ``HYPOTHESIS_PROFILE=deep`` makes sessions of 500 edits."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from .stage import Stage, Sume
from .watcher import Session

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
EDITS, SESSIONS = (500, 10) if DEEP else (30, 3)
DEEDS = 30
NAMES = ("one", "two", "deep/three", "deep/four", "deep/er/five")
PROMPTS = ("A jar.", "A lid.", "A hand.", "A shelf.", "A door.", "A cup.")
PAUSES = (0.0, 0.1, 0.2, 1.0, 2.9, 3.5, 8.0, 61.0)


class Author:
    """What people do to a project. Each deed says which paths a watcher would hear of."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.deeds: list[Callable[[str, str], list[str]]] = [
            self.save,
            self.save,
            self.save,
            self.save_atomically,
            self.type_half,
            self.note,
            self.delete,
            self.rename,
            self.copy,
            self.move_folder,
            self.use_prompt_file,
            self.edit_prompt_file,
            self.edit_defaults,
            self.break_settings,
            self.checkout,
            self.revert_lock,
            self.delete_media,
            self.delete_metadata,
            self.git_begins,
            *[self.git_ends] * 3,
            self.jobs_are_slow,
            *[self.jobs_end] * 2,
            self.lose_the_key,
            *[self.find_the_key] * 3,
            self.apply_by_hand,
        ]

    def spec(self, name: str) -> Path:
        return self.stage.path(f"{name}.sume.toml")

    def there(self, name: str) -> bool:
        return self.spec(name).exists()

    def save(self, name: str, prompt: str) -> list[str]:
        self.stage.spec(name, prompt)
        return [f"{name}.sume.toml"]

    def save_atomically(self, name: str, prompt: str) -> list[str]:
        self.stage.write(f"{name}.sume.toml~", f"prompt = {json.dumps(prompt)}\n")
        self.stage.path(f"{name}.sume.toml~").replace(self.spec(name))
        return [f"{name}.sume.toml~", f"{name}.sume.toml"]

    def type_half(self, name: str, prompt: str) -> list[str]:
        self.stage.write(f"{name}.sume.toml", f'prompt = "{prompt[:4]}')
        return [f"{name}.sume.toml"]

    def note(self, name: str, prompt: str) -> list[str]:
        if self.there(name):
            self.spec(name).write_bytes(f"# {prompt}\n".encode() + self.spec(name).read_bytes())
        return [f"{name}.sume.toml"]

    def delete(self, name: str, _prompt: str) -> list[str]:
        self.spec(name).unlink(missing_ok=True)
        return [f"{name}.sume.toml"]

    def rename(self, name: str, prompt: str) -> list[str]:
        other = NAMES[PROMPTS.index(prompt) % len(NAMES)]
        if self.there(name) and not self.there(other):
            self.spec(other).parent.mkdir(parents=True, exist_ok=True)
            self.spec(name).rename(self.spec(other))
        return [f"{name}.sume.toml", f"{other}.sume.toml"]

    def copy(self, name: str, prompt: str) -> list[str]:
        other = NAMES[PROMPTS.index(prompt) % len(NAMES)]
        if self.there(name) and other != name:
            self.stage.write(f"{other}.sume.toml", self.spec(name).read_bytes())
        return [f"{other}.sume.toml"]

    def move_folder(self, _name: str, _prompt: str) -> list[str]:
        for old, new in (("deep/er", "er"), ("er", "deep/er")):
            if self.stage.has(old) and not self.stage.has(new):
                self.stage.path(new).parent.mkdir(exist_ok=True)
                self.stage.path(old).rename(self.stage.path(new))
                return [old, new]
        return []

    def use_prompt_file(self, name: str, prompt: str) -> list[str]:
        if not self.stage.has("prompts.md"):
            self.stage.write("prompts.md", prompt)
        self.stage.write("one.sume.toml", 'prompt_file = "prompts.md"\n')
        return ["one.sume.toml", "prompts.md"]

    def edit_prompt_file(self, _name: str, prompt: str) -> list[str]:
        self.stage.write("prompts.md", f"{prompt}\n")
        return ["prompts.md"]

    def edit_defaults(self, _name: str, prompt: str) -> list[str]:
        ratio = ("1:1", "4:5", "9:16")[PROMPTS.index(prompt) % 3]
        self.stage.write("sumesync.toml", f'[defaults.image]\naspect_ratio = "{ratio}"\n')
        return ["sumesync.toml"]

    def break_settings(self, _name: str, _prompt: str) -> list[str]:
        self.stage.write("sumesync.toml", "[defaults.im")
        return ["sumesync.toml"]

    def checkout(self, _name: str, prompt: str) -> list[str]:
        self.git_ends("", "")
        self.stage.git("add", "-A")
        self.stage.git("commit", "-q", "--allow-empty", "-m", "a step")
        self.stage.git("checkout", "-q", "main" if PROMPTS.index(prompt) % 2 else "side")
        return ["sume.lock", *(f"{name}.sume.toml" for name in NAMES)]

    def revert_lock(self, _name: str, _prompt: str) -> list[str]:
        self.git_ends("", "")
        self.stage.git("checkout", "-q", "HEAD", "--", "sume.lock")
        return ["sume.lock"]

    def delete_media(self, name: str, _prompt: str) -> list[str]:
        self.stage.path(f"{name}.png").unlink(missing_ok=True)
        return [f"{name}.png"]

    def delete_metadata(self, name: str, _prompt: str) -> list[str]:
        self.stage.path(f"{name}.sume.json").unlink(missing_ok=True)
        return [f"{name}.sume.json"]

    def git_begins(self, _name: str, prompt: str) -> list[str]:
        name = ("index.lock", "MERGE_HEAD", "rebase-merge")[PROMPTS.index(prompt) % 3]
        self.stage.path(f".git/{name}").write_text("")
        return []

    def git_ends(self, _name: str, _prompt: str) -> list[str]:
        for name in ("index.lock", "MERGE_HEAD", "rebase-merge"):
            self.stage.path(f".git/{name}").unlink(missing_ok=True)
        return []

    def jobs_are_slow(self, _name: str, _prompt: str) -> list[str]:
        self.stage.slow()
        return []

    def jobs_end(self, _name: str, _prompt: str) -> list[str]:
        self.stage.later()
        return []

    def lose_the_key(self, _name: str, _prompt: str) -> list[str]:
        self.stage.faults({"answer": {"status": 401}})
        return []

    def find_the_key(self, _name: str, _prompt: str) -> list[str]:
        self.stage.faults()
        return []

    def apply_by_hand(self, _name: str, _prompt: str) -> list[str]:
        self.stage.here("apply", "--yes", "--keep-going", "--no-wait")
        return ["sume.lock"]

    def come_to_rest(self) -> None:
        """Whatever was begun is ended, and what is wrong is mended."""
        self.git_ends("", "")
        self.find_the_key("", "")
        self.jobs_end("", "")
        self.edit_defaults("", PROMPTS[0])
        for full in self.stage.root.rglob("*.sume.toml"):
            if full.read_text().count('"') % 2:
                full.unlink()
        for full in self.stage.root.rglob("*.sume.toml"):
            if "prompt_file" in full.read_text() and not full.with_name("prompts.md").exists():
                full.with_name("prompts.md").write_text(PROMPTS[1])


Edit = tuple[int, str, str, float, bool]


def edits_of(data: bytes) -> list[Edit]:
    """Five bytes an edit: which, of what, with which words, how long before the next, and whether it is heard of."""
    return [
        (a % DEEDS, NAMES[b % len(NAMES)], PROMPTS[c % len(PROMPTS)], PAUSES[d % len(PAUSES)], e % 3 > 0)
        for a, b, c, d, e in zip(*(data[part::5] for part in range(5)), strict=True)
    ]


def live(edits: list[Edit]) -> None:
    """One session, from its first look to its rest."""
    with tempfile.TemporaryDirectory(prefix="sumesync-watch-") as folder:
        base = Path(folder).resolve()
        for name in ("project", "home"):
            (base / name).mkdir()
        stage = Stage(base / "project", base / "home", Sume.serve())
        try:
            _live(stage, edits)
        finally:
            stage.close()


def _live(stage: Stage, edits: list[Edit]) -> None:
    stage.git("init", "-q", "-b", "main", "--template=")
    stage.here("init", code=0)
    stage.commit()
    stage.git("branch", "side")
    author, session = Author(stage), Session(stage, max_jobs=10_000)
    assert len(author.deeds) == DEEDS
    for number, name, prompt, pause, is_heard in edits:
        heard = author.deeds[number](name, prompt)
        session.hear(*(heard if is_heard else []))
        session.later(pause)
        once(stage)
    author.come_to_rest()
    session.later(1500)
    decide(stage)
    session.later(200)
    ends_well(stage, session)


def decide(stage: Stage) -> None:
    """A picture that was moved with its folder, beside a spec that was changed at the same moment, is a person's to
    take away."""
    for action in stage.here("plan", "--json").json["actions"]:
        if action["reason"]["code"] == "taken":
            stage.path(action["path"].removesuffix(".sume.toml") + ".png").unlink()


def once(stage: Stage) -> None:
    bodies = [json.dumps(dict(charge.body), sort_keys=True) for charge in stage.charges()]
    assert len(bodies) == len(set(bodies)), "a content was paid for twice"


def ends_well(stage: Stage, session: Session) -> None:
    """The session is at rest, and a cold plan agrees."""
    requests, said = len(stage.world.requests), len(session.events)
    session.later(400)
    assert len(stage.world.requests) == requests, session.events[said:]
    plan = stage.here("plan", "--json").json
    assert [a for a in plan["actions"] if a["pending"]] == [], plan
    assert (plan["collects"], plan["unknown"], plan["problems"]) == ([], [], [])
    stage.nothing_lost()
    once(stage)
    assert not stage.journal()
    posts = stage.posts()
    stage.here("apply", "--yes", "--prune", code=0)
    assert "Nothing to do" in stage.here("plan", "--exit-code", code=0).out
    assert stage.posts() == posts
    stage.no_secret()


@settings(max_examples=SESSIONS, phases=[Phase.explicit, Phase.generate])  # to shrink a session would take hours
@given(st.binary(min_size=5 * EDITS, max_size=5 * EDITS))
def test_whatever_people_do_watch_ends_where_a_cold_plan_has_nothing_to_do(data: bytes) -> None:
    live(edits_of(data))


def test_the_session_can_fail() -> None:
    """A Sume that makes a second job for a content is caught."""
    with tempfile.TemporaryDirectory(prefix="sumesync-watch-") as folder:
        base = Path(folder).resolve()
        for name in ("project", "home"):
            (base / name).mkdir()
        stage = Stage(base / "project", base / "home", Sume.serve())
        try:
            for key in ("first", "second"):
                stage.world.create("image", {"prompt": "A jar."}, key)
            with pytest.raises(AssertionError, match="paid for twice"):
                once(stage)
        finally:
            stage.close()
