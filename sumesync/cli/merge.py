"""``lock merge`` and ``lock resolve``: what two branches know of paid work becomes one. Free, offline."""

from __future__ import annotations

from pathlib import Path

import click

from sumesync.cli import options, wiring
from sumesync.cli.options import Common
from sumesync.core import paths
from sumesync.core.merge import merge_lock_texts, merge_metadata_texts
from sumesync.core.rebuild import sides
from sumesync.core.text import count, printable
from sumesync.disk import atomic, git
from sumesync.disk import project as projects
from sumesync.disk.lockfile import MAX_BYTES
from sumesync.errors import LocalStateError, UsageError
from sumesync.render import machine

_EITHER = "neither side was changed; look at both and keep one, then git add it"


@click.command("merge")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.argument("path", required=False, default="")
@options.common
def merge(common: Common, base: Path, ours: Path, theirs: Path, path: str) -> None:
    """Merge sume.lock, or a NAME.sume.json, as git asks its merge drivers to: the result is written to OURS.

    git calls it as "sumesync lock merge %O %A %B %P" once "sumesync init --git" has told it to. No job that a
    side paid for is dropped: where both changed an entry, what is completed is what it is now, and the
    other goes to its history. Exits 3, OURS untouched, where a side cannot be read.
    """
    before, mine, other = (_read(common.folder / file) for file in (base, ours, theirs))
    name = path or str(ours)
    merged = _merged(name, before, mine, other)
    if merged != mine:
        atomic.write(common.folder / ours, merged.encode())
    common.talk.say(f"Merged {printable(name)}.")


@click.command("resolve")
@options.locks
@options.project
@options.common
def resolve(common: Common) -> None:
    """Settle a merge conflict in sume.lock and in metadata files; what both sides paid for is kept.

    For a merge that ran without the merge driver. Then: git add what it names.
    """
    place = wiring.find(common)
    home = place.home
    with wiring.holding(common, home, "lock resolve"):
        found = _conflicts(home)
        merged = {path: _merged(path, *texts) for path, texts in found.items()}
        for path, text in merged.items():
            atomic.write(projects.inside(home.root, path), text.encode())
    talk = common.talk
    if talk.as_json:
        talk.out(machine.dump({"resolved": sorted(merged)}))
    if not merged:
        talk.say("There is no conflict in sume.lock or in metadata.")
        return
    for path in sorted(merged):
        talk.say(f"merged {printable(path)}")
    talk.say(f"{count(len(merged), 'file')} merged. Next: git add them, then sumesync plan.")


def _conflicts(home: projects.Home) -> dict[str, tuple[str, str, str]]:
    """Every file of ours that is in conflict, with its base, ours and theirs: from git's index, else from the markers
    that stand in it."""
    patterns = [paths.LOCK_NAME, f"*{paths.METADATA_SUFFIX}"]
    found = git.conflicts(home.root, patterns) if home.in_git else {}
    text = _text_of(home, paths.LOCK_NAME)
    if paths.LOCK_NAME not in found and text is not None and (parted := sides(text)):
        found[paths.LOCK_NAME] = parted
    return found


def _text_of(home: projects.Home, path: str) -> str | None:
    if not (home.root / path).is_file():
        return None
    data = projects.read_bytes(home.root, path, MAX_BYTES)
    return None if isinstance(data, str) else data.decode("utf-8", "replace")


def _merged(name: str, base: str, ours: str, theirs: str) -> str:
    if not ours or not theirs:
        return ours or theirs  # one side removed the file, the other has news of it
    if name.endswith(paths.METADATA_SUFFIX):
        merged = merge_metadata_texts(base, ours, theirs)
        if merged is None:
            raise LocalStateError(f"{printable(name)}: a side of the merge does not read", _EITHER)
        return merged
    return merge_lock_texts(base, ours, theirs)


def _read(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{printable(str(file))} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise LocalStateError(f"{printable(str(file))} has more than {MAX_BYTES:,} bytes", _EITHER)
    return data.decode("utf-8", "replace")
