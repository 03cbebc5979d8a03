"""Who opens a pull request writes specs, settings, the lock, names and links. Whatever they write: the exit code of the
table, one clear error, nothing charged, nothing touched outside the project, no secret said."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from sumesync.core import toml
from tests.scenarios.conftest import Maker
from tests.scenarios.deeds import Deed, all_of, edit, link, write
from tests.scenarios.stage import Result, Stage


@dataclass(frozen=True)
class Case:
    """What the pull request does, and how ``plan`` and ``apply`` answer."""

    name: str
    attack: Deed
    code: int
    says: str


def outside(stage: Stage) -> dict[str, bytes]:
    """Everything around the project: the home and what lies beside it."""
    found = {}
    for full in sorted(stage.root.parent.rglob("*")):
        if full.is_file() and stage.root not in full.parents:
            found[str(full)] = full.read_bytes()
    return found


def output(**fields: str) -> Deed:
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    return write("new.sume.toml", 'prompt = "a"\n[output]\n' + "\n".join(lines) + "\n")


def in_lock(before: str, after: str) -> Deed:
    return edit("sume.lock", before, after)


SPEC = write("new.sume.toml", 'prompt = "a"\n')
CASES = [
    # --- Targets that lead elsewhere -----------------------------------------------------------------------
    *(
        Case(f"dir {folder!r}", output(dir=folder), 64, "new.sume.toml:3:1")
        for folder in (
            *("..", "../x", "a/../../x", "/tmp/x", "//host/x", "~/x", "~root", "C:/x", "c:x", "..\\x", "\\\\host\\x"),
            *(".git", ".git/hooks", ".GIT", ".Git/x", "x/.gIt/y", "git~1", "GIT~2/x", ".git ", ".git.", ".git::$DATA"),
            *(".g\u200cit", ".gi\ufefft", ".\u202egit", ".github", ".GitHub/workflows", ".sume", ".SUME/sandbox"),
            *("aux", "CON/x", "nul.txt", "com1", "LPT¹", "a\u0000b", "a\nb", "x.", "x ", " x", "a:b", "a?b", "a|b"),
            *("x" * 300, "\u2028", "\ud7ff/\u0085"),
        )
        if folder != ".."
    ),
    *(
        Case(f"name {name!r}", output(name=name), 64, "new.sume.toml:3:1")
        for name in ("../x", "a/b", ".git", "aux", "CON.png", "a\\b", "x\u202egnp", "", ".", "..", "a\x1b[2J", "/x")
    ),
    Case("dir through a link", all_of(link("media", "../..", True), output(dir="media")), 64, "symbolic link"),
    Case("dir below a link", all_of(link("media", "/tmp", True), output(dir="media/x")), 64, "symbolic link"),
    Case("same name in other case", all_of(SPEC, write("NEW.sume.toml", 'prompt = "b"\n')), 64, "same files"),
    Case(
        "same name in another Unicode form",
        all_of(write("caf\u00e9.sume.toml", 'prompt = "a"\n'), write("cafe\u0301.sume.toml", 'prompt = "b"\n')),
        64,
        "same files",
    ),
    Case("a spec of a reserved name", write("aux.sume.toml", 'prompt = "a"\n'), 64, "Windows reserves"),
    Case("a spec whose name hides", write("a\u202egnp.sume.toml", 'prompt = "a"\n'), 64, "\\u202e"),
    Case("a spec that is a link", link("new.sume.toml", "/etc/passwd"), 64, "symbolic link"),
    # --- Prompts that are somebody's secrets -----------------------------------------------------------------
    *(
        Case(f"prompt_file {path!r}", write("new.sume.toml", f"prompt_file = {json.dumps(path)}\n"), 64, ":1:1")
        for path in ("../home/secret", "/etc/passwd", ".env", "x/../.env", ".git/config", "/proc/self/environ", "a\x00")
    ),
    Case(
        "prompt_file behind a link",
        all_of(link("p.md", "/proc/self/environ"), write("new.sume.toml", 'prompt_file = "p.md"\n')),
        64,
        "symbolic link",
    ),
    Case(
        "prompt_file below a link",
        all_of(link("d", "..", True), write("new.sume.toml", 'prompt_file = "d/home/secret"\n')),
        64,
        "symbolic link",
    ),
    Case(
        "prompt_file that git ignores",
        all_of(write(".gitignore", "*.local\n"), write("db.local", "hunter2"),
               write("new.sume.toml", 'prompt_file = "db.local"\n')),
        64,
        "git ignores db.local",
    ),
    # --- Where the key would go ------------------------------------------------------------------------------
    *(
        Case(f"settings {line!r}", all_of(SPEC, write("sumesync.toml", line + "\n")), 64, "sumesync.toml:1")
        for line in (
            'endpoint = "https://evil.example/api/v1"',
            'endpoint = "http://127.0.0.1:1"',
            'base_url = "https://evil.example"',
            'api_base_url = "https://evil.example"',
            'SUME_API_BASE_URL = "https://evil.example"',
            'proxy = "http://evil.example"',
            'api_key = "x"',
        )
    ),
    Case("an extra origin", write("new.sume.toml", 'prompt = "a"\n[extra]\nworkspace_id = "w"\n'), 64, ":3:1"),
    # --- The lock --------------------------------------------------------------------------------------------
    *(
        Case(f"lock output {path!r}", in_lock('path = "good.png"', f"path = {json.dumps(path)}"), 3, "sume.lock")
        for path in (
            *("../good.png", "/etc/x.png", ".git/x.png", ".github/x.png", ".sume/x.png", "a/../../x.png"),
            *("x.sh", "aux.png", "good.sume.toml", "sume.lock", "C:x.png", "a\\x.png", ".g\u200cit/x.png"),
        )
    ),
    Case("lock job id", in_lock('id = "job_', 'id = "../job_'), 3, "not a job id"),
    Case("lock variant", in_lock('kind = "image"', 'kind = "image"\nvariant = "../x"'), 3, "not a variant"),
    Case("lock spec", in_lock('path = "good.sume.toml"', 'path = "../good.sume.toml"'), 3, "not a spec"),
    Case("lock says terminal codes", in_lock('kind = "image"', 'kind = "image"\nvariant = "\\u001b[2J/"'), 3, "\\x1b"),
    Case("lock is a link", link("sume.lock", "../home/secret"), 3, "symbolic link"),
    # --- Large, deep, long -----------------------------------------------------------------------------------
    Case("spec of 100 MB", lambda s: sparse(s.path("new.sume.toml"), 100 << 20), 64, "more than 262,144 bytes"),
    Case(
        "prompt of 100 MB",
        all_of(lambda s: sparse(s.path("p.md"), 100 << 20), write("new.sume.toml", 'prompt_file = "p.md"\n')),
        64,
        "more than 262,144 bytes",
    ),
    Case("settings of 100 MB", lambda s: sparse(s.path("sumesync.toml"), 100 << 20), 64, "more than 262,144 bytes"),
    Case("key of 20,000 parts", write("new.sume.toml", "a." * 20_000 + "a = 1\n"), 64, "new.sume.toml"),
    Case("header of 20,000 parts", write("new.sume.toml", "[" + "a." * 20_000 + "a]\n"), 64, "new.sume.toml"),
    Case("arrays 10,000 deep", write("new.sume.toml", "a = " + "[" * 10_000 + "]" * 10_000), 64, "new.sume.toml"),
    Case("tables 10,000 deep", write("new.sume.toml", "a = " + "{a = " * 10_000 + "1" + "}" * 10_000), 64, "new"),
    Case("lock 10,000 deep", write("sume.lock", "a = " + "[" * 10_000 + "]" * 10_000), 3, "sume.lock"),
    Case("settings 10,000 deep", write("sumesync.toml", "a = " + "[" * 10_000 + "]" * 10_000), 64, "sumesync.toml"),
    Case("a number of 100,000 digits", write("new.sume.toml", "take = " + "9" * 100_000), 64, "new.sume.toml:"),
    # --- Our own folders, and git's --------------------------------------------------------------------------
    Case(
        "the sandbox's ledger is a device",
        all_of(write("sumesync.toml", 'endpoint = "sandbox"\n'), link(".sume/sandbox/ledger.jsonl", "/dev/zero")),
        3,
        "ledger.jsonl",
    ),
    Case(
        "the sandbox's folder is a link",
        all_of(write("sumesync.toml", 'endpoint = "sandbox"\n'), link(".sume", "../home", True)),
        3,
        "symbolic link",
    ),
    Case(
        "the sandbox's journal is garbage",
        all_of(write("sumesync.toml", 'endpoint = "sandbox"\n'), write(".sume/sandbox/journal/x.json", "[" * 50_000)),
        3,
        "cannot be read",
    ),
]  # fmt: skip


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def attacked(make: Maker, attack: Deed) -> tuple[Stage, dict[str, bytes]]:
    """A project of one applied spec, and then the pull request."""
    stage = make()
    stage.spec("good", "A good one.")
    stage.here("apply", "--yes", code=0)
    (stage.home / "secret").write_text("hunter2-of-the-home")
    attack(stage)
    return stage, outside(stage)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_attack_comes_to_nothing(make: Maker, case: Case) -> None:
    stage, before = attacked(make, case.attack)
    tree = set(stage.tree())
    for args in (("plan",), ("apply", "--yes", "--prune")):
        keyless = {"SUME_API_KEY": None} if args == ("plan",) else {}
        result = stage.here(*args, env=keyless, code=case.code)
        assert case.says in result.text, str(result)
        one_clear_error(result)
        assert "hunter2" not in result.text
    assert len(stage.charges()) == 1
    assert outside(stage) == before
    assert set(stage.tree()) == tree


def one_clear_error(result: Result) -> None:
    """Nothing on the terminal that it would obey, and no line that nobody reads to its end."""
    for line in result.text.splitlines():
        assert line.isprintable(), line
        assert len(line) < 1_500, line[:200]
    assert result.err.count("error: ") <= 1, result.err


def test_the_table_names_each_attack_once() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_a_repository_that_a_pull_request_brings_along_runs_nothing(make: Maker) -> None:
    """git takes a folder with HEAD, objects and refs for a repository, and its config names programs."""
    stage = make(project=False)
    stage.here("init", "camp", code=0)
    ran = stage.root.parent / "ran"
    for name in ("objects", "refs"):
        stage.path(f"camp/{name}").mkdir()
    stage.write("camp/HEAD", "ref: refs/heads/main\n")
    worktree = stage.path("camp")
    core = f"repositoryformatversion = 0\n\tbare = false\n\tworktree = {worktree}"
    stage.write("camp/config", f'[core]\n\t{core}\n\tfsmonitor = "touch {ran}; false"\n')
    stage.write("camp/a.sume.toml", 'prompt_file = "p.md"\n')
    stage.write("camp/p.md", "A jar.")
    stage.git("-C", "camp", "ls-files", "--others")
    assert ran.exists(), "git itself must fall for it, else this proves nothing"
    ran.unlink()
    stage.run("plan", cwd="camp", code=3)
    assert not ran.exists()


def test_a_key_in_a_file_that_is_only_linked_into_the_project_is_read_where_it_is(make: Maker) -> None:
    """The other way round, a link outside that leads into the project, is a file of the project."""
    stage = make()
    stage.write("key.txt", "sume_live_decoydecoydecoy\n")
    (stage.home / "key.txt").symlink_to(stage.path("key.txt"))
    result = stage.here("me", "--api-key-file", str(stage.home / "key.txt"), code=64)
    assert "inside the project" in result.err
    stage.path("key.txt").unlink()


def test_the_key_goes_to_the_configured_origin_and_nowhere_else(make: Maker) -> None:
    """Every URL that a pull request can write leads to one listener; nobody ever connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}"
        stage = make()
        stage.write(
            "hero.sume.toml",
            f'prompt = "like {url}/x"\nreference_image_urls = ["https://127.0.0.1:{trap.getsockname()[1]}/x.png"]\n'
            f'[extra]\nwebhook_url = "{url}/hook"\n[meta]\nsource = "{url}"\n',
        )
        stage.write(".env", f"SUME_API_BASE_URL={url}\n")
        stage.write(".netrc", f"machine 127.0.0.1 login a password {url}\n")
        stage.here("plan", code=0)
        stage.here("apply", "--yes", code=0)
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert stage.seen("POST", "/images/generations")


MARKUP = (
    "\x1b[2J\x1b]0;title\x07 \u202eevil\u2066 \u200b <script>alert(1)</script> ``` [x](javascript:y) \x9b31m \r\nlast"
)


@pytest.mark.parametrize("args", [("plan",), ("plan", "-v"), ("plan", "--json"), ("apply", "--yes"), ("status",)])
def test_what_a_terminal_would_obey_is_escaped(make: Maker, args: tuple[str, ...]) -> None:
    stage = make()
    stage.spec("hero", f"A jar. {MARKUP}")
    stage.write(
        "two.sume.toml", 'prompt = "b"\n[meta]\ntitle = ' + json.dumps(MARKUP) + f"\ntags = [{json.dumps(MARKUP)}]\n"
    )
    result = stage.here(*args, code=0)
    shown = result.text.replace("\n", "")
    assert not [char for char in shown if not char.isprintable()]
    again = stage.here("plan", "--tag", "x\x1b[2J\u202e", code=64)
    one_clear_error(again)


def test_a_hundred_megabytes_of_small_files_cost_no_memory(make: Maker) -> None:
    """Each is capped; what is too large is told by its name and never held."""
    stage = make()
    for number in range(20):
        sparse(stage.path(f"s{number}.sume.toml"), toml.MAX_BYTES + 1 + (5 << 20))
    result = stage.here("plan", code=64)
    assert result.out.count("has more than") == 20


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_is_not_waited_for(make: Maker) -> None:
    stage = make(git=False)
    os.mkfifo(stage.path("new.sume.toml"))
    os.mkfifo(stage.path("good.sume.json"))
    stage.here("plan", code=64)
    for name in ("new.sume.toml", "good.sume.json"):
        stage.path(name).unlink()
