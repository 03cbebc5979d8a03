"""``lock``: rebuild makes sume.lock again from what is there; merge and resolve have a file of their own. Free."""

from __future__ import annotations

import itertools
from pathlib import Path

import click

from sumesync.cli import options, wiring
from sumesync.cli.merge import merge, resolve
from sumesync.cli.options import Common
from sumesync.core import paths
from sumesync.core.rebuild import count_jobs, known_as, rebuild, salvage
from sumesync.core.text import count
from sumesync.disk import atomic, observe
from sumesync.disk import project as projects
from sumesync.disk.journal import LocalJournal
from sumesync.disk.ledger import LocalLedger
from sumesync.disk.lockfile import MAX_BYTES, LockFile, new_lineage
from sumesync.errors import LocalStateError
from sumesync.render import machine


@click.group(short_help="Merge sume.lock, or make it again from what is there.")
def lock() -> None:
    """Work on sume.lock itself."""


lock.add_command(merge)
lock.add_command(resolve)


@lock.command("rebuild")
@options.locks
@options.project
@options.common
def rebuild_(common: Common) -> None:
    """Make sume.lock again, for free, from metadata and what still reads of the old one.

    For a lock that was lost, damaged, or left with merge markers. Of a conflict both sides' jobs are kept.
    What only this machine's ledger knows stays known there. The old file is kept in .sume/.
    """
    place = wiring.find(common)
    home = place.home
    with wiring.holding(common, home, "lock rebuild"):
        specs = projects.spec_paths(home.root)  # before anything in .sume is believed
        projects.make_private(home)
        locks = LockFile(home.root)
        data = projects.read_bytes(home.root, paths.LOCK_NAME, MAX_BYTES) if locks.exists() else b""
        if isinstance(data, str):
            raise LocalStateError(data, "make it a plain file, or remove it, then run this again")
        old = salvage(data.decode("utf-8", "replace"))
        folder = home.state(place.endpoint)
        journal = LocalJournal(folder)
        ledger = LocalLedger(folder, journal)
        torn = ledger.salvage()
        facts = ledger.list()
        if data:
            atomic.write(_backup(home), data)
        known = observe.find_metadata(home.root, specs)
        described = [fact.entry for _, fact in sorted(known.items()) if fact.entry is not None]
        lineage, workspace = known_as(old, journal.list(), facts)
        made = rebuild(lineage or new_lineage(), workspace, [*described, *old.entries])
        locks.replace(made)
    talk = common.talk
    if talk.as_json:
        talk.out(machine.dump({"entries": len(made.entries), "jobs": count_jobs(made), "unreadable": old.lost + torn}))
    talk.say(f"Made sume.lock again: {count(len(made.entries), 'entry', 'entries')}, {count(count_jobs(made), 'job')}.")
    if old.lost or torn:
        lost = f"{count(old.lost, 'entry', 'entries')} of the old lock and {count(torn, 'line')} of the ledger"
        talk.warn(f"{lost} did not read.")
    talk.say("Look at what is left to do: sumesync plan")


def _backup(home: projects.Home) -> Path:
    """Where the old lock is kept: never in the place of an older one."""
    names = (home.private / f"sume.lock.before-rebuild{'' if n == 1 else f'-{n}'}" for n in itertools.count(1))
    return next(path for path in names if not path.exists())
