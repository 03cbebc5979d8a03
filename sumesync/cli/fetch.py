"""``fetch``: bring missing media back, for free."""

from __future__ import annotations

from dataclasses import replace

import click

from sumesync.cli import access, options, scope, wiring
from sumesync.cli.execution import How, execute, finish, meet
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.core.action import Action, Plan, Verb
from sumesync.core.outcome import Outcome
from sumesync.core.text import count, printable
from sumesync.host import Stop
from sumesync.render import machine


@click.command()
@options.some
@click.option("--force", is_flag=True, help="Also put our media back where they were edited by hand.")
@options.locks
@options.connects
@options.common
def fetch(common: Common, paths: tuple[str, ...], tags: tuple[str, ...], force: bool) -> None:
    """Bring missing media back by job id. Never pays for anything.

    For a fresh clone of a project whose media are not committed, and for files that were deleted.
    With --force, media that were edited by hand are replaced by what Sume made; the edit is lost.
    """
    place = wiring.find(common, paths)
    stop = Stop()

    def narrow(session: Session) -> Plan:
        policy = replace(session.policy(restore_edited=force), store="git")
        accept = scope.chosen(common, session, paths, tags)
        whole = session.plan(policy)
        free = tuple(
            action for action in whole.actions if _brings_back(action) and (accept is None or accept(action.key))
        )
        return Plan(actions=free, unknown=whole.unknown)

    with wiring.holding(common, place.home, "fetch"):
        access.check_access(common, place)
        session = wiring.look(place)
        plan_ = narrow(session)
        if not plan_.actions:
            if common.talk.as_json:
                common.talk.out(machine.line(machine.outcome(Outcome(), 0)))
            common.talk.say("Nothing to fetch: all media are in place.")
            return
        common.talk.say(f"Fetching {count(len(plan_.actions), 'spec')}; this costs nothing.")
        for path in sorted({path for action in plan_.actions for path in (*action.replaces, *action.removes)}):
            common.talk.say(f"  in the place of {printable(path)}")
        policy = replace(session.policy(restore_edited=force), store="git")
        with wiring.connected(common, place) as api:
            met = meet(common, session, api)
            result, _ = execute(common, session, plan_, narrow, stop, How(policy, pays=False), api, met)
    finish(common, result, replace(plan_, unknown=()))


def _brings_back(action: Action) -> bool:
    """Media that are missing in their place: downloaded, or copied from where the same bytes stand."""
    return action.verb is Verb.FETCH or (action.verb in (Verb.MOVE, Verb.COPY) and action.twin is None)
