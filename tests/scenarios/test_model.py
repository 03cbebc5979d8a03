"""A model of a project's life: people write, rename, copy, edit and check out; applies run, and some are killed.

Whatever the order: no prompt is paid for twice, nothing that was paid for and no byte of a person's is lost, and
one last apply leaves nothing to do.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sumesync.sandbox.settings import Idempotency

from .stage import KILLED, Stage, Sume, png

EXAMPLES = 2000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 15
NAMES = st.sampled_from(["one", "two", "deep/three", "deep/four"])
PROMPTS = st.sampled_from(["A jar.", "A lid.", "A hand.", "A shelf."])
BRANCHES = st.sampled_from(["main", "side"])


class Life(RuleBasedStateMachine):
    """One project in git, before a Sume that honours the Idempotency-Key."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="sumesync-life-")
        base = Path(self.folder.name).resolve()
        for name in ("project", "home"):
            (base / name).mkdir()
        sume = Sume.serve(idempotency=Idempotency.DOCUMENTED, echo_keys=True)
        self.stage = Stage(base / "project", base / "home", sume)
        self.stage.git("init", "-q", "-b", "main", "--template=")
        self.stage.here("init", code=0)
        self.stage.commit()
        self.stage.git("branch", "side")
        self.ever: set[str] = set()
        """Prompts that some spec asked for while an apply ran."""
        self.hand: dict[str, str] = {}
        """sha256 of each picture that a person made, and its text."""
        self.crashed = self.flying = self.accepted = False
        self.count = 0
        self.write("one", "A jar.")
        self.write("deep/three", "A lid.")
        self.apply(())

    # --- What people do -----------------------------------------------------------------------------

    def spec(self, name: str) -> Path:
        return self.stage.path(f"{name}.sume.toml")

    @rule(name=NAMES, prompt=PROMPTS)
    def write(self, name: str, prompt: str) -> None:
        self.stage.spec(name, prompt)

    @rule(name=NAMES)
    def note(self, name: str) -> None:
        if self.spec(name).exists():
            self.spec(name).write_bytes(b"# a note\r\n" + self.spec(name).read_bytes())

    @rule(name=NAMES, other=NAMES)
    def rename(self, name: str, other: str) -> None:
        if self.spec(name).exists() and not self.spec(other).exists():
            self.spec(other).parent.mkdir(exist_ok=True)
            self.spec(name).rename(self.spec(other))

    @rule(name=NAMES, other=NAMES)
    def copy(self, name: str, other: str) -> None:
        if self.spec(name).exists():
            self.stage.write(f"{other}.sume.toml", self.spec(name).read_bytes())

    @rule(name=NAMES, other=NAMES)
    def swap(self, name: str, other: str) -> None:
        if self.spec(name).exists() and self.spec(other).exists():
            one, two = self.spec(name).read_bytes(), self.spec(other).read_bytes()
            self.spec(name).write_bytes(two)
            self.spec(other).write_bytes(one)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.spec(name).unlink(missing_ok=True)

    @rule(name=NAMES)
    def edit_media(self, name: str) -> None:
        if self.stage.has(f"{name}.png"):
            self.count += 1
            data = png(f"by hand {self.count}")
            self.hand[hashlib.sha256(data).hexdigest()] = f"by hand {self.count}"
            self.stage.write(f"{name}.png", data)

    @rule(name=NAMES, suffix=st.sampled_from([".png", ".sume.json"]))
    def delete_file(self, name: str, suffix: str) -> None:
        self.stage.path(f"{name}{suffix}").unlink(missing_ok=True)

    @rule(branch=BRANCHES)
    def checkout(self, branch: str) -> None:
        self.stage.git("add", "-A")
        self.stage.git("commit", "-q", "--allow-empty", "-m", "a step")
        self.stage.git("checkout", "-q", branch)

    @rule()
    def reset(self) -> None:
        self.stage.git("reset", "-q", "--hard")

    @rule()
    def clean(self) -> None:
        self.stage.git("clean", "-q", "-fdx")

    # --- What the tool does ----------------------------------------------------------------------------

    @rule()
    def slow(self) -> None:
        self.stage.slow()
        self.flying = True

    @rule()
    def later(self) -> None:
        self.stage.later()
        self.flying = False

    @rule(flags=st.sampled_from([(), (), ("--no-wait",), ("--prune",), ("deep",)]))
    def apply(self, flags: tuple[str, ...]) -> None:
        if flags == ("deep",) and not self.stage.path("deep").exists():
            flags = ()
        wait = ("--deadline", "0.1") if self.flying and flags != ("--no-wait",) else ()
        before = self.by_hand()
        self.asked()
        result = self.stage.here("apply", "--yes", *flags, *wait)
        assert result.code in self.allowed(flags), str(result)
        assert before <= self.by_hand(), f"a person's picture is gone\n{result}"
        if result.code == 0 and flags in ((), ("--prune",)):
            self.stands()

    @rule(name=NAMES, prompt=PROMPTS, flags=st.sampled_from([(), ("--no-wait",), ("--prune",)]))
    def write_and_apply(self, name: str, prompt: str, flags: tuple[str, ...]) -> None:
        self.write(name, prompt)
        self.apply(flags)

    def allowed(self, flags: tuple[str, ...]) -> set[int]:
        """The exit codes that this story can account for."""
        codes = {0}
        if self.hand or self.accepted:
            codes |= {1, 64}
        if self.flying or "--no-wait" in flags:
            codes.add(5)
        if self.crashed:
            codes.add(4)
        if flags == ("deep",):
            codes.add(64)  # no spec there
        return codes

    @precondition(lambda self: hasattr(os, "fork"))
    @rule(at=st.integers(1, 45), prune=st.booleans())
    def crash(self, at: int, prune: bool) -> None:
        before = self.by_hand()
        self.asked()
        self.crashed = True
        flags = (*(["--prune"] if prune else []), *(["--no-wait"] if self.flying else []))
        result = self.stage.crash(at, "apply", "--yes", *flags)
        assert result.code in {KILLED, *self.allowed(flags)}, str(result)
        assert before <= self.by_hand(), "a person's picture is gone"

    @rule(args=st.sampled_from([("plan", "--offline"), ("check",), ("status",), ("validate",), ("plan", "--json")]))
    def look(self, args: tuple[str, ...]) -> None:
        before, asked = self.stage.tree(), len(self.stage.world.requests)
        result = self.stage.here(*args)
        assert result.code in {0, 2, 4, 64}, str(result)
        assert self.stage.tree() == before
        assert all(seen.path == "/credits" for seen in self.stage.world.requests[asked:])
        assert args == ("plan", "--json") or len(self.stage.world.requests) == asked

    @rule(name=NAMES)
    def accept(self, name: str) -> None:
        if self.spec(name).exists() and self.stage.has(f"{name}.png"):
            self.stage.here("accept", name, code=0)
            self.accepted = True
            self.hand.setdefault(self.stage.sha256(f"{name}.png"), "accepted")

    # --- What always holds ------------------------------------------------------------------------------

    def asked(self) -> None:
        for full in self.stage.root.rglob("*.sume.toml"):
            self.ever.add(full.read_text().split('prompt = "')[1].split('"')[0])

    def by_hand(self) -> set[str]:
        """Hashes of the pictures of people that stand somewhere in the project."""
        there = {hashlib.sha256(full.read_bytes()).hexdigest() for full in self.stage.root.rglob("*.png")}
        return there & set(self.hand) if not self.accepted else there & {k for k, v in self.hand.items() if v[0] == "b"}

    def stands(self) -> None:
        """Every entry of a spec has its outputs, but for those that a person made or took away."""
        lock = self.stage.lock()
        for full in self.stage.root.rglob("*.sume.toml"):
            path = full.relative_to(self.stage.root).as_posix()
            outputs = self.stage.outputs(path)
            assert outputs, lock[path]
            for output in outputs:
                assert self.stage.sha256(output["path"]) in {output["sha256"], *self.hand}, path

    @invariant()
    def nothing_twice_and_nothing_lost(self) -> None:
        if hasattr(self, "stage"):
            self.stage.lock()
            paid = self.stage.paid()
            assert len(paid) == len(set(paid)), "a prompt was paid for twice"
            assert set(paid) <= self.ever

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        try:
            self.end_well()
            self.stage.no_secret()
        finally:
            self.stage.close()
            self.folder.cleanup()

    def end_well(self) -> None:
        """People take their pictures away and answer what is asked; then one apply does all that is left."""
        stage = self.stage
        stage.later()
        for full in stage.root.rglob("*.png"):
            if hashlib.sha256(full.read_bytes()).hexdigest() in self.hand:
                full.unlink()
        self.asked()
        stage.here("apply", "--yes", "--keep-going")
        made = {charge.idempotency_key: charge.job_id for charge in stage.charges()}
        for step in stage.journal():
            assert step["key"] not in made, "Sume echoes our key: it needs nobody's help to find the job"
            stage.here("resolve", "--not-created", "--request", step["key"], code=0)
        again = [f"--regenerate={path}" for path in stage.lock() if stage.has(path)]
        stage.here("apply", "--yes", "--prune", *again, code=0)
        stage.here("plan", "--exit-code", code=0)
        paid = stage.paid()
        assert len(paid) == len(set(paid)), "a prompt was paid for twice"
        stage.nothing_lost()
        assert not stage.journal()
        self.stands()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None)


def test_the_model_can_fail() -> None:
    """A machine whose Sume forgets keys and makes a second job is caught."""
    life = Life()
    life.begin()
    try:
        life.write("one", "A jar.")
        life.apply(())
        life.stage.world.create("image", {"prompt": "A jar."}, "another-key")
        with pytest.raises(AssertionError, match="paid for twice"):
            life.nothing_twice_and_nothing_lost()
    finally:
        life.stage.close()
        life.folder.cleanup()
