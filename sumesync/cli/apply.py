"""``apply`` and ``fetch``: look, plan, show, ask, then let the loop do it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import click

from sumesync.apply.run import Outcome
from sumesync.cli import access, options, scope, wiring
from sumesync.cli.execution import How, execute
from sumesync.cli.options import Common
from sumesync.cli.plan import read_saved, replanned, view
from sumesync.cli.session import Session
from sumesync.cli.talk import Quit, can_ask
from sumesync.core.action import Action, Plan, Verb
from sumesync.core.paths import SPEC_SUFFIX
from sumesync.core.text import count, printable
from sumesync.errors import Exit, LocalStateError, UsageError, first_of
from sumesync.host import Stop
from sumesync.model import SANDBOX
from sumesync.render import human, machine


@click.command()
@options.some
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed where nobody can answer.")
@click.option("--max-jobs", type=click.IntRange(min=0), metavar="N", help="Refuse a plan of more paid jobs than N.")
@click.option("--keep-going", is_flag=True, help="Apply the valid specs although others are invalid.")
@click.option("--retry-failed", is_flag=True, help="Pay again for jobs that failed, were canceled or expired.")
@click.option("--replace-edited", is_flag=True, help="Let changed specs replace media that were edited by hand.")
@click.option("--regenerate", multiple=True, metavar="SPEC", help="Pay again for a spec whose result is gone.")
@click.option("--prune", is_flag=True, help="Drop entries whose spec is gone, and their unchanged media.")
@click.option("--no-wait", is_flag=True, help="Submit and leave; run apply again to collect.")
@click.option("--deadline", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait at most this long for jobs.")
@options.locks
@options.connects
@options.common
def apply(
    common: Common,
    paths: tuple[str, ...],
    tags: tuple[str, ...],
    yes: bool,
    max_jobs: int | None,
    no_wait: bool,
    deadline: float | None,
    **asked: Any,
) -> None:
    """Make the media match the specs: pay for what is new or changed, download it, record it in sume.lock.

    What was paid for once is never paid for again unasked: not after a rename, a copy, a revert, a lost
    connection or a crash. Ctrl-C is safe; run apply again to go on. PATHS are specs or folders; or one
    plan saved with plan --out, which is refused when anything has changed since.

    \b
    Exit codes: 0 done · 1 something failed · 3 refused (a guard, a stale plan, another workspace)
    4 a paid request's outcome is unknown · 5 jobs still run · 64 a spec or the command is wrong · 130 interrupted
    """
    saved = _saved(common, paths, [*tags, *(name for name, value in asked.items() if value)])
    named = () if saved else paths
    given = {**asked, "paths": list(named), "tags": list(tags), **(saved["options"] if saved else {})}
    if deadline is not None and not math.isfinite(deadline):
        raise UsageError("--deadline is not a number of seconds")
    place = wiring.find(common, named)
    stop = Stop()
    with wiring.holding(common, place.home, "apply"):
        session = wiring.look(place)
        session.journal.sweep()
        plan_ = _agreed(common, session, given, saved)
        _show(common, session, plan_, bool(given.get("keep_going")))
        guard(session, plan_, max_jobs, bool(given.get("keep_going")))
        if not plan_.work and not plan_.collects and not session.journal.list() and not _prunes(plan_, given):
            session.media.sweep(session.observed, session.project.spec_paths)
            _idle(common, plan_)
            return
        access.check_access(common, place)
        if plan_.work or plan_.unknown or _prunes(plan_, given):
            consent(common, plan_, yes, bool(saved), session.endpoint)

        def again(fresh: Session) -> Plan:
            return replanned(common, fresh, given)

        policy = session.policy(prune=bool(given.get("prune")), replace_edited=bool(given.get("replace_edited")))
        how = How(policy, wait=not no_wait, deadline=deadline)
        result, left = execute(common, session, plan_, again, stop, how)
    finish(common, result, left)


def _saved(common: Common, paths: tuple[str, ...], shaping: list[str]) -> dict[str, Any] | None:
    """The saved plan, when PATHS is one: a file that is no spec. ``shaping``: options that would make another plan."""
    named = [path for path in paths if (common.folder / path).is_file() and not path.endswith(SPEC_SUFFIX)]
    if not named:
        return None
    if len(paths) > 1 or shaping:
        raise UsageError(
            "a saved plan is applied alone, exactly as it was saved",
            "give the other paths and options to: sumesync plan --out FILE",
        )
    return read_saved(common.folder / named[0])


def _agreed(common: Common, session: Session, given: dict[str, Any], saved: dict[str, Any] | None) -> Plan:
    """The plan now; of a saved one exactly what was saved, or nothing."""
    if saved is None:
        return replanned(common, session, given)
    try:
        plan_ = replanned(common, session, given)
        same = machine.digest(machine.plan(plan_, session.endpoint), saved["options"]) == saved["digest"]
    except UsageError:  # a path or tag of the plan is not there any more
        same = False
    if not same:
        raise LocalStateError(
            "the saved plan is stale: specs, lock, media or jobs have changed since it was made",
            "look at the new one: sumesync plan --out FILE",
        )
    return plan_


def _show(common: Common, session: Session, plan_: Plan, keep_going: bool) -> None:
    talk = common.talk
    if talk.as_json:
        talk.out(machine.line({"event": "plan", **machine.plan(plan_, session.endpoint)}))
    elif not talk.quiet:
        talk.out(human.plan(plan_, view(common, session, keep_going)), newline=False)


def _prunes(plan_: Plan, given: dict[str, Any]) -> bool:
    return bool(given.get("prune")) and bool(plan_.orphans)


def guard(session: Session, plan_: Plan, max_jobs: int | None, keep_going: bool) -> None:
    """What stands between a plan and any money."""
    if plan_.invalid and not keep_going:
        raise UsageError(
            f"{count(len({p.path for p in plan_.invalid}), 'spec')} invalid; nothing was submitted",
            "mend them, or apply the others with --keep-going",
        )
    most = session.config.max_jobs if max_jobs is None else max_jobs
    if plan_.pays > most:
        raise LocalStateError(
            f"the plan has {count(plan_.pays, 'paid job')}, more than the {most:,} allowed; nothing was submitted",
            f"if that is what you want: sumesync apply --max-jobs {plan_.pays}",
        )
    if session.endpoint == SANDBOX and plan_.replaces_other:
        raise LocalStateError(
            f"the sandbox would replace {count(len(plan_.replaces_other), 'file')} paid for at Sume "
            f"({plan_.replaces_other[0]})",
            "to try prompts in the sandbox, copy the specs alone to another folder and run: sumesync init --sandbox",
        )


def consent(common: Common, plan_: Plan, yes: bool, saved: bool, endpoint: str) -> None:
    """Ask, where somebody can answer; else ``--yes``, or a plan that was saved and reviewed, must have said so."""
    if yes or saved:
        return
    if not can_ask():
        raise UsageError("apply asks before it acts, and there is no terminal to ask on", "say so beforehand: --yes")
    what = f"Pay for {count(plan_.pays, 'job')}" if plan_.pays else "Do this (nothing is paid for)"
    if plan_.unknown:
        # Where Sume documents it as safe the request goes out once more, under the same key.
        what += f" and settle {count(len(plan_.unknown), 'request')} whose outcome is unknown"
    where = " in the sandbox" if endpoint == SANDBOX else ""
    if not click.confirm(f"{what}{where}?", err=True):
        common.talk.say("Declined; nothing was done.")
        raise Quit(Exit.FAILED)


def _idle(common: Common, plan_: Plan) -> None:
    """Nothing to do; what earlier runs left undecided still shows in the exit code."""
    codes = plan_.codes() - {Exit.PENDING}
    if plan_.of(Verb.ATTENTION) and Exit.ATTENTION not in codes:
        codes.add(Exit.FAILED)
    code = first_of(codes)
    if common.talk.as_json:
        common.talk.out(machine.line(machine.outcome(Outcome(), int(code))))
    if code is not Exit.DONE:
        raise Quit(code)


def finish(common: Common, result: Outcome, plan_: Plan) -> None:
    """Say how it ended, and end with its exit code."""
    told = {submission.key for submission in result.unknown}
    result.unknown += [submission for submission in plan_.unknown if submission.key not in told]
    codes = result.codes()
    if plan_.invalid:
        codes.add(Exit.USAGE)
    left = [action for action in plan_.of(Verb.ATTENTION) if not action.unknown]
    if left:
        codes.add(Exit.FAILED)
    if any(action.unknown for action in plan_.of(Verb.ATTENTION)):
        codes.add(Exit.ATTENTION)
    code = first_of(codes)
    talk = common.talk
    if talk.as_json:
        talk.out(machine.line(machine.outcome(result, int(code))))
    else:
        talk.out("\n" + human.outcome(result, talk.style), newline=False)
        if left:
            talk.out(f"{count(len(left), 'spec')} left for your decision (see the plan above).")
    if code is not Exit.DONE:
        raise Quit(code)


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
        result, _ = execute(common, session, plan_, narrow, stop, How(policy, pays=False))
    finish(common, result, replace(plan_, unknown=()))


def _brings_back(action: Action) -> bool:
    """Media that are missing in their place: downloaded, or copied from where the same bytes stand."""
    return action.verb is Verb.FETCH or (action.verb in (Verb.MOVE, Verb.COPY) and action.twin is None)
