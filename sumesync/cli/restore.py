"""``restore``: an earlier request and its media, back in their places. Never pays."""

from __future__ import annotations

from dataclasses import replace

import click

from sumesync.cli import access, history, options, scope, wiring
from sumesync.cli.apply import answerable
from sumesync.cli.execution import How, execute, finish, meet
from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.cli.talk import Quit
from sumesync.core import chain
from sumesync.core.action import Action, Plan, Policy, Verb
from sumesync.core.changes import between
from sumesync.core.decide import quoted
from sumesync.core.plan import only
from sumesync.core.taken import Taken, asking_again
from sumesync.core.text import count, printable, suggest
from sumesync.disk import atomic
from sumesync.disk import project as projects
from sumesync.errors import Exit, LocalStateError, UsageError
from sumesync.host import Stop
from sumesync.model import SANDBOX, JobState, Wanted
from sumesync.render.changes import from_to

_FREE = (Verb.FETCH, Verb.MOVE, Verb.COPY, Verb.KEEP)


@click.command()
@click.argument("spec", type=click.Path(), shell_complete=options.complete_specs)
@click.argument("job")
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed where nobody can answer.")
@click.option("--force", is_flag=True, help="Also replace media that were edited by hand.")
@options.locks
@options.connects
@options.common
def restore(common: Common, spec: str, job: str, yes: bool, force: bool) -> None:
    """Make SPEC ask again for what JOB was made of, and bring its media back. Never pays for anything.

    JOB is one of: sumesync history SPEC. What SPEC asks for now stays in its history, and comes back the same way.
    Comments and layout of the file stay; a prompt file gives way to its words.
    """
    place = wiring.find(common, (spec,))
    stop = Stop()
    with wiring.holding(common, place.home, "restore"):
        session = wiring.look(place)
        wanted = _wanted(common, session, spec)
        taken = _taken(session, wanted, job)
        if taken.past.fingerprint == wanted.fingerprint:
            raise UsageError(
                f"{wanted.key} asks for what {printable(job)} was made of already",
                f"to have its media in place: sumesync fetch {quoted(str(wanted.key))}",
            )
        path = wanted.key.path
        full = projects.inside(place.home.root, path)
        before = full.read_bytes()
        after = asking_again(before, wanted, taken, place.schemas.kinds[taken.past.kind])
        there = wiring.look(place, instead={path: after})
        _same_request(there, taken, path)
        policy = replace(there.policy(replace_edited=force, restore_edited=force), store="git")
        plan_ = _plan(there, taken, policy)
        _tell(common, taken, wanted, plan_.actions[0])
        answerable(yes)
        _consent(common, yes)
        access.check_access(common, place)
        with wiring.connected(common, place) as api:
            met = meet(common, there, api)
            how = How(policy, pays=False)
            result, left = execute(common, there, plan_, lambda _fresh: Plan(), stop, how, api, met)
        if taken.key in result.done and full.read_bytes() == before:
            atomic.write(full, after)
            result.written.append(path)
        elif taken.key in result.done:
            raise LocalStateError(
                f"{path} was changed meanwhile", f"run it again: sumesync restore {quoted(path)} {job}"
            )
    hang_on = chain.dependants(session.project.wanted, {wanted.key})
    if hang_on and taken.key in result.done:
        common.talk.say(f"Other specs take its output ({count(len(hang_on), 'variant')}): sumesync plan")
    finish(common, result, left)


def _wanted(common: Common, session: Session, spec: str) -> Wanted:
    named = scope.one_spec(common, session, spec)
    found = scope.variants_of(common, session, named.path) if not named.variant else ()
    if named.variant or len(found) > 1 or found[0].key.variant:
        raise UsageError(
            f"{named.path} has a matrix: one text asks for all of its variants",
            "edit it to what it was: what was paid for then comes back for free with the next apply",
        )
    return found[0]


def _taken(session: Session, wanted: Wanted, job: str) -> Taken:
    """The job, if its request can be asked for again."""
    found = history.of(session, scope.Scope(wanted.key.path))
    taken = next((each for each in found if each.job.id == job), None)
    see = f"sumesync history {quoted(wanted.key.path)}"
    if taken is None:
        close = suggest(job, [each.job.id for each in found])
        raise UsageError(f"{wanted.key} has no job {printable(job, 80)}", f"{close} see: {see}".strip())
    if taken.job.state is not JobState.COMPLETED:
        raise UsageError(f"{printable(job)} made nothing: it {_ended(taken.job.state)}", f"see: {see}")
    if taken.past.endpoint != session.place.endpoint:
        where = "the sandbox" if taken.past.endpoint == SANDBOX else "Sume"
        raise UsageError(f"{printable(job)} was made by {where}, which is not the endpoint now", f"see: {see}")
    if taken.asked is None:
        raise LocalStateError(
            f"what {printable(job)} was asked for is not written down in the metadata",
            f"find it with: git log -p -- {quoted(wanted.key.path)}; "
            "where the spec asks for it again, apply brings its media back for free",
        )
    return taken


def _ended(state: JobState) -> str:
    return "runs still" if state.in_flight else f"is {state}"


def _same_request(there: Session, taken: Taken, path: str) -> None:
    """Whether the spec that would be written asks for the very request: nothing else brings its media back."""
    now = next((wanted for wanted in there.project.wanted if wanted.key == taken.key), None)
    if now is not None and now.fingerprint == taken.past.fingerprint:
        return
    problems = tuple(problem for problem in there.project.problems if problem.path == path)
    names = (
        ", ".join(change.field for change in between(taken.past.kind, taken.asked, now)) if now and taken.asked else ""
    )
    what = f": {printable(names)} would differ" if names else ""
    raise LocalStateError(
        f"{path} cannot be made to ask for what {taken.job.id} was made of{what}",
        "a default of sumesync.toml, a file or another spec that it takes is not what it was; nothing was changed",
        problems=problems,
    )


def _plan(there: Session, taken: Taken, policy: Policy) -> Plan:
    """The one free action that brings the media back. Raises LocalStateError for any other."""
    plan_ = only(there.plan(policy), lambda key: key == taken.key)
    action = next(iter(plan_.actions), None)
    if action is None or action.pays or action.verb not in _FREE:
        why = f": {action.reason.text}" if action else ""
        hint = (action and action.hint) or "nothing was changed"
        raise LocalStateError(f"{taken.job.id} cannot be brought back{why}", hint)
    return Plan(actions=(action,))


def _tell(common: Common, taken: Taken, wanted: Wanted, action: Action) -> None:
    common.talk.say(f"{wanted.key} will ask for what {taken.job.id} was made of; this costs nothing.")
    for change in taken.changes:
        common.talk.say(
            f"  {from_to(replace(change, before=change.after, after=change.before), common.talk.style_err)}"
        )
    for path in sorted({*action.replaces, *action.removes}):
        common.talk.say(f"  replaces {printable(path)}")


def _consent(common: Common, yes: bool) -> None:
    if not yes and not click.confirm("Restore it?", err=True):
        common.talk.say("Declined; nothing was done.")
        raise Quit(Exit.FAILED)
