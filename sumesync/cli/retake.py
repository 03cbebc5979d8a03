"""``retake``: another generation of the same request. Free itself; the next apply pays."""

from __future__ import annotations

import click

from sumesync.cli import options, scope, wiring
from sumesync.cli.options import Common
from sumesync.core import chain
from sumesync.core.decide import quoted
from sumesync.core.paid import index
from sumesync.core.takes import next_take, with_take
from sumesync.disk import atomic
from sumesync.disk import project as projects
from sumesync.errors import UsageError
from sumesync.render import human, machine


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
        variants = scope.variants_of(common, session, spec)
        path = variants[0].key.path
        if scope.one_spec(common, session, spec).variant is not None:
            raise UsageError(f"take is of all variants of {path}", f"sumesync retake {quoted(path)}")
        state = session.state
        paid = index(state.lock, state.facts, state.journal, session.place.endpoint)
        take = max(next_take(wanted, paid) for wanted in variants)
        full = projects.inside(session.place.home.root, path)
        atomic.write(full, with_take(path, full.read_bytes(), take))
    if common.talk.as_json:
        common.talk.out(machine.dump({"path": path, "take": take}))
    kinds = session.place.schemas.kinds
    hang_on = chain.dependants(session.project.wanted, {wanted.key for wanted in variants})
    again = (*variants, *(wanted for wanted in session.project.wanted if wanted.key in hang_on))
    jobs = sum(kinds[wanted.kind].jobs(wanted.request) for wanted in again)
    more = "one more job" if jobs == 1 else f"{jobs} more jobs"
    if hang_on:
        takes = "takes" if len(hang_on) == 1 else "take"
        more += f" ({human.specs(hang_on)} {takes} its output)"
    common.talk.say(f"{path}: take = {take}. The next apply pays for {more}.")
