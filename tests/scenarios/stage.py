"""A stage for scenario tests: a project in a temporary folder, a Sume on loopback, and the real command.

Time at the Sume of a stage is moved by hand, so a job runs exactly until its test says otherwise. Nothing sleeps:
a ``Gate`` holds a request where a script asks for a delay, tells the test so and waits for its word. Nor does a
command in this process wait for time to pass (``hopping.py``).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import operator
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import tomllib
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

# What a command imports when it is used. Here, so that a forked one finds all of it.
import filelock
import pytest
import tomlkit

import sumesync.api.client
import sumesync.cli.accept
import sumesync.cli.account
import sumesync.cli.apply
import sumesync.cli.fetch
import sumesync.cli.jobs
import sumesync.cli.library
import sumesync.cli.lock
import sumesync.cli.plan
import sumesync.cli.resolve
import sumesync.cli.retake
import sumesync.cli.sandbox
import sumesync.cli.schema
import sumesync.cli.start
import sumesync.cli.status
import sumesync.sandbox.media
from sumesync.cli.entry import run as run_main
from sumesync.disk import memory, signs
from sumesync.sandbox import clips, pictures
from sumesync.sandbox.jobs import Job
from sumesync.sandbox.kinds import Piece
from sumesync.sandbox.media import Shelf, draw
from sumesync.sandbox.script import Script
from sumesync.sandbox.server import Running, start
from sumesync.sandbox.settings import Settings
from sumesync.sandbox.world import Charge, Seen, World
from tests import canaries
from tests.canaries import KEY, WORKSPACE

from .hopping import hopping

LOADED = (filelock, tomlkit, sumesync)
# What the rules of faults are about.
POST = {"method": "POST", "route": "/images/generations"}
POLL = {"method": "GET", "route": "/jobs/*"}
RESULT = {"method": "GET", "route": "/jobs/*/result"}
MEDIA = {"method": "GET", "route": "media"}
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is forked")
LONG = 600.0
"""Seconds that a slow job runs; ``Stage.later`` is longer."""
PATIENCE = 300.0
"""Seconds until something is taken to hang, however busy the machine."""
_LARGEST = 4 << 20
"""Bytes of a file that is searched for canaries: we write none that is larger, only attackers do."""
KILLED = 99
"""Exit code of a process that ``Stage.crash`` ended."""
_QUERY = re.compile(rb"https?://[^\s\"'<>]*\?[^\s\"'<>]+")


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self) -> str:
        return f"sumesync {' '.join(self.args)} -> {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Hands:
    """The clock of a stage's Sume."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


same_tool = functools.cache(memory.tool)
"""Of one process: to look through all its code and libraries again takes a fifth of a look."""


class Gate:
    """Stands for every scripted delay: the request stays there until ``open`` is called."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, _seconds: float) -> None:
        self._reached.set()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    def reached(self) -> None:
        """Until a request stands at the gate."""
        assert self._reached.wait(PATIENCE), "no request came to the gate"

    def open(self) -> None:
        self._open.set()


class Sketches(Shelf):
    """A shelf of small pictures and clips, each of its own job. Drawing large ones takes long."""

    def fetch(self, job: Job, piece: Piece) -> bytes:
        return sketch(job, piece)


def sketch(job: Job, piece: Piece) -> bytes:
    """In the place of ``draw``."""
    text = f"{job.id}/{piece.name}"
    if piece.media_type == "video/mp4":
        return mp4(text)
    return png(text) if piece.media_type == "image/png" else draw(job, replace(piece, size=(16, 16)))


@functools.cache
def _film() -> bytes:
    return clips.mp4(clips.Clip(pictures.Scene("A film.", "", "", (32, 32)), 1, False))


def mp4(text: str) -> bytes:
    """A real clip of one second that bears a text."""
    data = text.encode()
    return _film() + struct.pack(">I", 8 + len(data)) + b"free" + data


def png(text: str) -> bytes:
    """A real PNG of one pixel that bears a text."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"tEXt", b"job\0" + text.encode()), chunk(b"IDAT", zlib.compress(b"\0\x7f")))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


@dataclass
class Sume:
    """A world that is served, its clock and its scripted delays."""

    world: World
    running: Running
    clock: Hands
    gate: Gate

    @classmethod
    def serve(cls, *rules: Any, drawn: bool = False, **settings: Any) -> Sume:
        clock, gate = Hands(), Gate()
        usual: dict[str, Any] = {"workspace_id": WORKSPACE, "capacity": 8, "seconds": {"image": 0, "video": 0}}
        world = World(Settings(**{**usual, **settings}), now=clock, key=KEY)
        if not drawn:
            world.shelf = Sketches(None)
        return cls(world, start(world, faults=Script.parse(rules), sleep=gate), clock, gate)

    def rest(self) -> None:
        """Until it has ended what a dead client left: whoever connected before this does is being served, or was."""
        for origin in self.running._origins:
            with socket.create_connection(("127.0.0.1", origin.server_address[1]), timeout=PATIENCE) as knock:
                knock.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while knock.recv(65536):
                    pass
            with origin._guard:
                rested = origin._guard.wait_for(functools.partial(operator.not_, origin._open), PATIENCE)
            assert rested, "Sume does not come to rest"

    def close(self) -> None:
        self.gate.open()
        self.running.close()


@dataclass
class Stage:
    """One project folder before one Sume."""

    root: Path
    home: Path
    sume: Sume
    said: list[str] = field(default_factory=list)
    """Everything that any command said, for the canaries."""
    others: list[Path] = field(default_factory=list)
    """Further folders that the story made."""
    ended: list[subprocess.Popen[str]] = field(default_factory=list)

    # --- The world --------------------------------------------------------------------------------

    @property
    def world(self) -> World:
        return self.sume.world

    def charges(self) -> tuple[Charge, ...]:
        return self.world.charges()

    def paid(self) -> list[str]:
        """The prompts that were paid for, in order."""
        return [str(charge.body["prompt"]) for charge in self.charges()]

    def posts(self) -> int:
        """Paid requests that came in, whatever became of them."""
        return sum(seen.method == "POST" for seen in self.world.requests)

    def slow(self) -> None:
        """Jobs that are made from now on run until ``later``."""
        self.world.settings = replace(self.world.settings, seconds={"image": LONG, "video": LONG})

    def later(self) -> None:
        """Time passes: what runs has ended, and new jobs take no time."""
        self.sume.clock.at += 2 * LONG
        self.world.settings = replace(self.world.settings, seconds={"image": 0, "video": 0})

    def tick(self) -> None:
        """The disk's clock goes on: what was written until now is older than a look that begins now."""
        file = str(self.root.parent / "tick")
        first = signs.now(file)
        while signs.now(file) == first:
            pass

    def forged(self) -> Path:
        """What is remembered of specs, where a spec says "A jar." and "A lid." is remembered of it."""
        self.spec("first", "A cup.")
        self.here("apply", "--yes", code=0)  # a first run looks again anyway, when it knows its workspace
        self.spec("hero", "A jar.")
        self.tick()
        self.here("plan", "--offline")
        facts = self.path(".sume/cache/specs.json")
        facts.write_text(facts.read_text().replace("A jar.", "A lid."))
        return facts

    def settings(self, **changes: Any) -> None:
        self.world.settings = replace(self.world.settings, **changes)

    def faults(self, *rules: Any) -> None:
        """From now on these; none, and all is well again."""
        script = Script.parse(rules)
        for origin in self.sume.running._origins:
            origin.script = script

    def seen(self, method: str, route: str) -> list[Seen]:
        return [seen for seen in self.world.requests if seen.method == method and re.fullmatch(route, seen.path)]

    # --- Files ------------------------------------------------------------------------------------

    def path(self, path: str) -> Path:
        return self.root / path

    def write(self, path: str, text: str | bytes) -> Path:
        full = self.path(path)
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text.encode() if isinstance(text, str) else text)
        return full

    def spec(self, path: str, prompt: str, **fields: Any) -> Path:
        """A spec ``path.sume.toml``."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in {"prompt": prompt, **fields}.items()]
        return self.write(f"{path}.sume.toml", "\n".join(lines) + "\n")

    def read(self, path: str) -> str:
        return self.path(path).read_bytes().decode()

    def has(self, path: str) -> bool:
        return self.path(path).exists()

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.path(path).read_bytes()).hexdigest()

    def tree(self) -> dict[str, bytes]:
        """Every file of the project, but for git's and the caches."""
        return {
            full.relative_to(self.root).as_posix(): full.read_bytes()
            for full in sorted(self.root.rglob("*"))
            if full.is_file() and not {".git", ".sume"} & set(full.relative_to(self.root).parts)
        }

    # --- What was recorded, read without sumesync ----------------------------------------------------

    def lock(self) -> dict[str, dict[str, Any]]:
        """The entries of sume.lock by path."""
        return {entry["path"]: entry for entry in tomllib.loads(self.read("sume.lock")).get("entry", [])}

    def outputs(self, spec: str) -> list[dict[str, Any]]:
        """What the lock says stands for a spec."""
        return _outputs_of(self.lock()[spec])

    def state_folder(self) -> Path:
        """Where ledger, journal and mutex stand."""
        marker = self.root / ".git"
        if marker.is_file():
            named = Path(marker.read_text().removeprefix("gitdir:").strip())
            return named.parent.parent / "sumesync"
        return marker / "sumesync" if marker.is_dir() else self.root / ".sume"

    def journal(self) -> list[dict[str, Any]]:
        folder = self.state_folder() / "journal"
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]

    def ledger(self) -> str:
        path = self.state_folder() / "ledger.jsonl"
        return path.read_text() if path.exists() else ""

    def nothing_lost(self) -> None:
        """Every job that was paid for is in the lock or the ledger, and no key was charged twice."""
        known = self.ledger() + (self.read("sume.lock") if self.has("sume.lock") else "")
        lost = [charge.job_id for charge in self.charges() if charge.job_id not in known]
        assert not lost, f"paid for and forgotten: {lost}"
        keys = [charge.idempotency_key for charge in self.charges()]
        assert len(keys) == len(set(keys)), "a submission was charged twice"

    def all_there(self, *specs: str) -> None:
        """Each spec (by its path without the suffix; all of them unless named) has its completed entry, verified
        media, and metadata that agree with both."""
        lock = self.lock()
        every = [path.relative_to(self.root).as_posix() for path in self.root.rglob("*.sume.toml")]
        chosen = [f"{spec}.sume.toml" for spec in specs] or every
        charges = {charge.job_id: charge for charge in self.charges()}
        assert chosen, "a story without specs"
        for path in chosen:
            entry = lock[path]
            assert [job["state"] for job in entry["jobs"]][-1] == "completed", path
            outputs = _outputs_of(entry)
            assert outputs, path
            for output in outputs:
                data = self.path(output["path"]).read_bytes()
                assert (hashlib.sha256(data).hexdigest(), len(data)) == (output["sha256"], output["size"]), path
                assert data[:4] == b"\x89PNG" or data[4:8] == b"ftyp", path
            told = json.loads(self.read(path.removesuffix(".toml") + ".json"))
            assert told["fingerprint"] == entry["fingerprint"], path
            assert [job.get("outputs") for job in told["jobs"]] == [job.get("outputs") for job in entry["jobs"]], path
            fields = tomllib.loads(self.read(path))
            if "prompt" in fields:
                assert told["request"]["prompt"] == fields["prompt"], path
            charge = charges[entry["jobs"][-1]["id"]]
            assert _as_sent(told["request"], dict(charge.body)) == dict(charge.body), path

    # --- The command --------------------------------------------------------------------------------

    def environment(self, **changes: str | None) -> dict[str, str]:
        """Nothing from outside but where programs are. None takes a variable away."""
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if name in os.environ}
        values: dict[str, str | None] = {
            **kept,
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "SUME_API_KEY": KEY,
            "SUME_API_BASE_URL": self.sume.running.base_url,
            **changes,
        }
        return {name: value for name, value in values.items() if value is not None}

    def run(
        self,
        *args: str,
        code: int | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: str = "",
        cwd: str = "",
    ) -> Result:
        """The real command, in a process of its own, in the project."""
        done = subprocess.run(
            [sys.executable, "-m", "sumesync", *args],
            cwd=self.root / cwd,
            env=self.environment(**(env or {})),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=2 * PATIENCE,
            check=False,
        )
        return self._ended(Result(args, done.returncode, done.stdout, done.stderr), code)

    def here(self, *args: str, code: int | None = None, env: Mapping[str, str | None] | None = None) -> Result:
        """The same command in this process: ten times as fast."""
        out, err = io.StringIO(), io.StringIO()
        with self._played(out, err, env or {}):
            ended = int(run_main([*args, "-C", str(self.root)]))
        return self._ended(Result(args, ended, out.getvalue(), err.getvalue()), code)

    @contextlib.contextmanager
    def _played(self, out: Any, err: Any, env: Mapping[str, str | None]) -> Iterator[None]:
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in set(os.environ):
                patch.delenv(name)
            for name, value in self.environment(**env).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO())
            hopping(patch)
            patch.setattr(memory, "tool", same_tool)
            if isinstance(self.world.shelf, Sketches):
                patch.setattr(sumesync.sandbox.media, "draw", sketch)
            yield

    def _ended(self, result: Result, code: int | None) -> Result:
        self.said += [result.out, result.err]
        assert "Traceback" not in result.err or "--debug" in result.args, str(result)
        assert "a fault in sumesync itself" not in result.err, str(result)
        assert code is None or result.code == code, str(result)
        return result

    def begin(self, *args: str) -> subprocess.Popen[str]:
        """The real command, under way."""
        process = subprocess.Popen(
            [sys.executable, "-m", "sumesync", *args],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.ended.append(process)
        return process

    def end(self, process: subprocess.Popen[str], code: int | None = None) -> Result:
        """Until a process that was begun has ended by itself."""
        out, err = process.communicate(timeout=PATIENCE)
        args = process.args[3:]  # type: ignore[index]  # the list that ``begin`` made
        return self._ended(Result(tuple(map(str, args)), process.returncode, out, err), code)

    def crash(self, at: int, *args: str) -> Result:
        """The command in a forked process that dies, as by kill -9, at its ``at``-th step on the disk (an fsync, a
        rename, a link, a removal; each of them not done). A process that ends before keeps its own exit code."""
        log = self.home / "crash.txt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads; ours only wait for requests
            child = os.fork()
        if child == 0:
            self._be_crashed(at, args, log)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return self._ended(Result(args, ended, log.read_text(), ""), None)

    def _be_crashed(self, at: int, args: Sequence[str], log: Path) -> NoReturn:
        code = 98
        try:
            with log.open("w", buffering=1) as file, self._played(file, file, {}), dying(at):
                code = int(run_main([*args, "-C", str(self.root)]))
        finally:
            os._exit(code)

    # --- git ------------------------------------------------------------------------------------------

    def git(self, *args: str) -> str:
        who = ["-c", "user.name=Story", "-c", "user.email=story@localhost", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *who, *args],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(args)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def commit(self, *paths: str) -> None:
        """Commit these paths, or everything."""
        self.git("add", *(paths or ("-A",)))
        self.git("commit", "-q", "-m", "a step of the story")

    def worktree(self, name: str, *args: str) -> Stage:
        """A second worktree of the same repository."""
        root = self.root.parent / name
        self.git("worktree", "add", "-q", *args, str(root))
        return self.elsewhere(root)

    def elsewhere(self, root: Path) -> Stage:
        """Another folder before the same Sume."""
        self.others.append(root)
        return replace(self, root=root)

    # --- The canaries ----------------------------------------------------------------------------------

    def no_secret(self) -> None:
        """Neither the files nor their names nor anything said holds a canary in any encoding, or a URL's query."""
        nets = canaries.nets([*canaries.PLANTED, *_sandbox_keys(self.root)])
        for name, data in self._everything():
            found = canaries.caught(data, nets) + canaries.caught(name.encode("utf-8", "replace"), nets)
            assert not found, f"{name} holds {found}"
            query = _QUERY.search(data)
            assert query is None, f"{name} holds the query of {query[0]!r}"
        assert not self.world.leaks, "the media host was sent the key"

    def _everything(self) -> Iterator[tuple[str, bytes]]:
        yield "what was said", "\n".join(self.said).encode()
        for root in (self.root, *self.others):
            for full in sorted(root.rglob("*")):
                parts = full.relative_to(root).parts
                if not full.is_file() or parts[:2] == (".sume", "sandbox"):
                    continue
                if full.stat().st_size <= _LARGEST and (parts[0] != ".git" or parts[1:2] == ("sumesync",)):
                    yield str(full), full.read_bytes()

    def close(self) -> None:
        self.sume.close()
        for process in self.ended:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=PATIENCE)


def _outputs_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return entry.get("accepted") or [out for job in entry["jobs"] for out in job.get("outputs", [])]


def _as_sent(told: Any, sent: Any) -> Any:
    """A request as its metadata tell it, with what was sent in the place of each file and upstream output."""
    if isinstance(told, dict) and {"file", "from"} & set(told) and str(sent).startswith(("http://", "https://")):
        return sent
    if isinstance(told, dict) and isinstance(sent, dict):
        return {name: _as_sent(value, sent.get(name)) for name, value in told.items()}
    if isinstance(told, list) and isinstance(sent, list) and len(told) == len(sent):
        return [_as_sent(one, other) for one, other in zip(told, sent, strict=True)]
    return told


def _sandbox_keys(root: Path) -> list[str]:
    """The key of the embedded sandbox, where a story used it."""
    world = root / ".sume/sandbox/world.jsonl"
    return [json.loads(world.read_text().splitlines()[0])["key"]] if world.exists() else []


@contextlib.contextmanager
def dying(at: int) -> Iterator[None]:
    """The process ends at its ``at``-th step on the disk, whichever thread takes it."""
    steps = 0
    guard = threading.Lock()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            nonlocal steps
            with guard:
                steps += 1
                if steps == at:
                    os._exit(KILLED)
            return real(*args, **options)

        return step

    names = ("fsync", "replace", "rename", "link", "unlink", "remove")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(os, name, counted(getattr(os, name)))
        yield
