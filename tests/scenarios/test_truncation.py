"""Every prefix of every file that is kept reads, or is refused with the command that mends it; its bytes stay."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sumesync.core import metadata
from sumesync.core.lock import LockFault
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import LockFile
from sumesync.errors import LocalStateError

from .conftest import Maker
from .stage import Stage

KEPT = {
    "sume.lock": lambda root: LockFile(root).read(),
    ".sume/journal": lambda root: LocalJournal(root / ".sume").list(),
    ".sume/ledger.jsonl": lambda root: LocalLedger(root / ".sume", LocalJournal(root / ".sume")).list(),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a finished spec, one in flight and one unknown."""
    from .stage import Sume

    base = tmp_path_factory.mktemp("kept")
    (base / "home").mkdir()
    (base / "project").mkdir()
    sume = Sume.serve({"method": "POST", "prompt": "unclear", "drop": "after-creating"})
    stage = Stage((base / "project").resolve(), base / "home", sume)
    stage.here("init", code=0)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.spec("hero", "Another jar.")
    stage.here("apply", "--yes", code=0)
    stage.slow()
    stage.spec("film", "A lid.", kind="video")
    stage.here("apply", "--yes", "--no-wait", code=5)
    stage.spec("lost", "An unclear one.")
    stage.here("apply", "--yes", "--no-wait", code=4)
    yield stage.root
    stage.close()


def refusal(read: Callable[[], object]) -> str:
    """The hint of the refusal; empty where it reads."""
    try:
        read()
    except (LockFault, LocalStateError) as error:
        return error.hint
    return ""


def prefixes(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    return (data[:end] for end in range(len(data)))


@pytest.mark.parametrize("name", KEPT)
def test_every_prefix_reads_or_is_refused_with_what_mends_it(kept: Path, tmp_path: Path, name: str) -> None:
    read: Callable[[Path], object] = KEPT[name]
    shutil.copytree(kept, tmp_path / "copy", symlinks=True)
    root = tmp_path / "copy"
    found = [root / name] if (root / name).is_file() else sorted((root / name).glob("*.json"))
    assert found
    for path in found:
        whole, refused = path.read_bytes(), 0
        for prefix in prefixes(path):
            path.write_bytes(prefix)
            hint = refusal(lambda: read(root))
            refused += bool(hint)
            assert not hint or "sumesync lock rebuild" in hint, prefix[-40:]
            assert path.read_bytes() == prefix
        path.write_bytes(whole)
        assert read(root) is not None
        # A ledger ends wherever a killed append left it; half a line was never durable.
        assert refused > 0 or name == ".sume/ledger.jsonl"


def test_every_prefix_of_metadata_is_only_not_ours(kept: Path) -> None:
    path = kept / "hero.sume.json"
    assert metadata.read(path.read_text()).ours
    cut = [prefix for prefix in prefixes(path) if prefix != path.read_bytes().rstrip()]
    assert not [prefix for prefix in cut if metadata.read(prefix.decode("utf-8", "replace")).ours]


def lines_of(path: Path) -> Iterator[bytes]:
    """Every prefix that ends with a whole line: what still reads, and says less."""
    lines = path.read_bytes().splitlines(keepends=True)
    return (b"".join(lines[:count]) for count in range(len(lines)))


def settled(stage: Stage) -> None:
    """Mended as the messages say; nothing is paid for, and all is as it was."""
    result = stage.here("plan", "--json")
    if result.code == 3:
        assert "sumesync lock rebuild" in result.err, str(result)
        stage.here("lock", "rebuild", code=0)
        result = stage.here("plan", "--json", code=0)
    told = json.loads(result.out)
    assert told["paid_jobs"] == 0, str(result)


@pytest.mark.parametrize("name", ["sume.lock", ".git/sumesync/ledger.jsonl", "a.sume.json"])
def test_what_reads_and_says_less_costs_nothing(make: Maker, name: str) -> None:
    stage = make()
    for spec in ("a", "b"):
        stage.spec(spec, f"Picture {spec}.")
    stage.here("apply", "--yes", code=0)
    before = stage.tree(), stage.ledger()
    path = stage.path(name)
    whole = path.read_bytes()
    for prefix in lines_of(path):
        path.write_bytes(prefix)
        settled(stage)
        for relative, data in before[0].items():
            stage.write(relative, data)
        stage.write(".git/sumesync/ledger.jsonl", before[1])
        assert path.read_bytes() == whole
    stage.here("plan", "--exit-code", code=0)
    assert len(stage.charges()) == 2


def test_a_lock_that_was_cut_short_costs_nothing_on_a_machine_that_never_paid(make: Maker) -> None:
    """A clone has no ledger: only the metadata beside the specs still know of the jobs."""
    stage = make()
    for spec in ("a", "b"):
        stage.spec(spec, f"Picture {spec}.")
    stage.here("apply", "--yes", code=0)
    shutil.rmtree(stage.state_folder())
    tree = stage.tree()
    for prefix in lines_of(stage.path("sume.lock")):
        stage.write("sume.lock", prefix)
        settled(stage)
        if stage.state_folder().exists():
            shutil.rmtree(stage.state_folder())
        for relative, data in tree.items():
            stage.write(relative, data)
    assert len(stage.charges()) == 2
