"""``retake``: another generation of the same request. Free itself; the next apply pays."""

from __future__ import annotations

import click

from sumesync.cli import options, scope, wiring
from sumesync.cli.options import Common
from sumesync.core.paid import index
from sumesync.core.takes import next_take, with_take
from sumesync.disk import atomic
from sumesync.disk import project as projects
from sumesync.render import machine


@click.command()
@click.argument("spec", type=click.Path(), shell_complete=options.complete_specs)
@options.locks
@options.project
@options.common
def retake(common: Common, spec: str) -> None:
    """Ask for another generation of the same request: raises take in SPEC. The next apply pays for it.

    Comments and layout of the file stay as they are.
    """
    place = wiring.find(common, (spec,))
    with wiring.holding(common, place.home, "retake"):
        session = wiring.look(place)
        wanted = scope.one_wanted(common, session, spec)
        state = session.state
        take = next_take(wanted, index(state.lock, state.facts, state.journal, session.place.endpoint))
        full = projects.inside(session.place.home.root, wanted.key.path)
        atomic.write(full, with_take(wanted.key.path, full.read_bytes(), take))
    if common.talk.as_json:
        common.talk.out(machine.dump({"path": wanted.key.path, "take": take}))
    common.talk.say(f"{wanted.key}: take = {take}. The next apply pays for one more job.")
