"""``history``: what was paid for before, for one spec."""

from __future__ import annotations

import click

from sumesync.cli import options, scope, wiring
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core import metadata
from sumesync.core.taken import Taken, takes
from sumesync.core.text import count
from sumesync.render import history as render
from sumesync.render import machine


@click.command()
@click.argument("spec", type=click.Path(), shell_complete=options.complete_specs)
@options.project
@options.common
def history(common: Common, spec: str) -> None:
    """List what was paid for, for SPEC: every job, what it cost and made, and how its request differs from now.

    The latest first. Anything in the list can be had back for free: sumesync restore SPEC JOB. Needs no key.
    """
    place = wiring.find(common, (spec,))
    session = wiring.look(place, recalling=True)
    if session.keep is not None:  # no plan is made that would do it
        session.keep()
    named = scope.one_spec(common, session, spec)
    found = of(session, named)
    if common.talk.as_json:
        common.talk.out(machine.dump({"takes": render.as_json(found)}))
        return
    if not found:
        common.talk.say(f"Nothing was paid for yet for {named}.")
        return
    keys = list(dict.fromkeys(taken.key for taken in found))
    for key in keys:
        mine = [taken for taken in found if taken.key == key]
        common.talk.out(f"{key}: {count(len(mine), 'job')}\n{render.history(mine, common.talk.style)}")


def of(session: Session, named: scope.Scope) -> tuple[Taken, ...]:
    """The takes of all variants that ``named`` means, by variant."""
    wanted = {each.key: each for each in session.project.wanted}
    entries = sorted((key, entry) for key, entry in session.state.lock.entries.items() if named.covers(key))
    facts = session.observed.metadata
    return tuple(
        taken for key, entry in entries for taken in takes(entry, facts.get(metadata.path_of(key)), wanted.get(key))
    )
