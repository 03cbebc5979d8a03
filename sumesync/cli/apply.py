"""``apply``: look, plan, show, ask, then let the loop do it."""

from __future__ import annotations

import math
from typing import Any

import click

from sumesync.answers import Credits
from sumesync.cli import access, contract, money, options, pointers, wiring
from sumesync.cli.execution import How, Met, execute, finish, meet
from sumesync.cli.options import Common
from sumesync.cli.plan import read_saved, replanned, view
from sumesync.cli.session import Session
from sumesync.cli.talk import Quit, can_ask
from sumesync.core import budget
from sumesync.core.action import Plan, Verb
from sumesync.core.cost import Quote
from sumesync.core.outcome import Outcome
from sumesync.core.paths import SPEC_SUFFIX
from sumesync.core.text import amount, count, in_credits
from sumesync.errors import Exit, LocalStateError, UsageError, first_of
from sumesync.host import Stop
from sumesync.model import SANDBOX
from sumesync.render import human, machine


@click.command()
@options.some
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Needed where nobody can answer.")
@click.option("--max-jobs", type=click.IntRange(min=0), metavar="N", help="Refuse a plan of more paid jobs than N.")
@click.option(
    "--max-credits", type=click.FloatRange(min=0), metavar="N", help="Begin nothing that would make this run cost more."
)
@click.option("--keep-going", is_flag=True, help="Apply the valid specs although others are invalid.")
@click.option("--retry-failed", is_flag=True, help="Pay again for jobs that failed, were canceled or expired.")
@click.option("--replace-edited", is_flag=True, help="Let changed specs replace media that were edited by hand.")
@click.option("--regenerate", multiple=True, metavar="SPEC", help="Pay again for a spec whose result is gone.")
@click.option("--refresh", is_flag=True, help="Make searches again, unchanged ones too. Free.")
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
    max_credits: float | None,
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
    _finite("--deadline is not a number of seconds", deadline)
    _finite("--max-credits is not a number of credits", max_credits)
    place = wiring.find(common, named)
    stop = Stop()
    with wiring.holding(common, place.home, "apply"):
        session = wiring.look(place, recalling=True)
        session.journal.sweep()
        plan_ = _agreed(common, session, given, saved)
        if plan_.work or plan_.collects or session.journal.list() or _prunes(plan_, given):
            # What is acted on, or settled, is read, not remembered.
            session = wiring.look(place)
            plan_ = _agreed(common, session, given, saved)
        quote = money.quote(session, plan_)
        _show(common, session, plan_, quote, bool(given.get("keep_going")))
        guard(session, plan_, max_jobs, bool(given.get("keep_going")))
        if not given.get("keep_going"):
            pointers.refuse(session, plan_)
        within(quote, max_credits, max_jobs is not None)
        if not plan_.work and not plan_.collects and not session.journal.list() and not _prunes(plan_, given):
            session.media.sweep(session.observed, session.project.spec_paths)
            _idle(common, plan_)
            return
        access.check_access(common, place)
        agreed = yes or bool(saved) or not (plan_.work or plan_.unknown or _prunes(plan_, given))
        answerable(agreed)

        def again(fresh: Session) -> Plan:
            return replanned(common, fresh, given)

        policy = session.policy(prune=bool(given.get("prune")), replace_edited=bool(given.get("replace_edited")))
        how = How(policy, True, not no_wait, deadline, max_credits, max_jobs is not None)
        with wiring.connected(common, place, deadline) as api:
            met = meet(common, session, api)
            _affordable(common, quote, met, how)
            consent(common, plan_, agreed, place.endpoint)
            result, left = execute(common, session, plan_, again, stop, how, api, met)
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
        same = machine.digest(machine.plan(plan_, session.place.endpoint), saved["options"]) == saved["digest"]
    except UsageError:  # a path or tag of the plan is not there any more
        same = False
    if not same:
        raise LocalStateError(
            "the saved plan is stale: specs, lock, media or jobs have changed since it was made",
            "look at the new one: sumesync plan --out FILE",
        )
    return plan_


def _finite(what: str, value: float | None) -> None:
    if value is not None and not math.isfinite(value):
        raise UsageError(what)


def _show(common: Common, session: Session, plan_: Plan, quote: Quote, keep_going: bool) -> None:
    talk = common.talk
    warnings = contract.of_plan(common, session, plan_)
    contract.tell(common, warnings)
    if talk.as_json:
        told = {**machine.plan(plan_, session.place.endpoint, quote), **contract.as_json(warnings)}
        talk.out(machine.line({"event": "plan", **told}))
    elif not talk.quiet:
        talk.out(human.plan(plan_, view(common, session, keep_going, quote)), newline=False)


def _prunes(plan_: Plan, given: dict[str, Any]) -> bool:
    return bool(given.get("prune")) and bool(plan_.orphans)


def guard(session: Session, plan_: Plan, max_jobs: int | None, keep_going: bool) -> None:
    """What stands between a plan and any money."""
    if plan_.invalid and not keep_going:
        raise UsageError(
            f"{count(len({p.path for p in plan_.invalid}), 'spec')} invalid; nothing was submitted",
            "mend them, or apply the others with --keep-going",
        )
    most = session.place.config.max_jobs if max_jobs is None else max_jobs
    if plan_.pays > most:
        raise LocalStateError(
            f"the plan has {count(plan_.pays, 'paid job')}, more than the {most:,} allowed; nothing was submitted",
            f"if that is what you want: sumesync apply --max-jobs {plan_.pays}",
        )
    if session.place.endpoint == SANDBOX and plan_.replaces_other:
        raise LocalStateError(
            f"the sandbox would replace {count(len(plan_.replaces_other), 'file')} paid for at Sume "
            f"({plan_.replaces_other[0]})",
            "to try prompts in the sandbox, copy the specs alone to another folder and run: sumesync init --sandbox",
        )


def within(quote: Quote, max_credits: float | None, blind: bool, readable: bool = True) -> None:
    """What ``--max-credits`` refuses before anything is begun."""
    why = budget.refusal(quote.total, max_credits, blind, readable) if max_credits is not None else ""
    if why:
        hint = f"if that is what you want: sumesync apply --max-credits {quote.total.known:g}"
        if readable is False:
            jobs = quote.total.unknown + quote.total.priced
            hint = f"to buy them all the same: sumesync apply --max-credits {max_credits:g} --max-jobs {jobs}"
        raise LocalStateError(f"{why}; nothing was submitted", hint)


def _affordable(common: Common, quote: Quote, met: Met, how: How) -> None:
    """What the balance says of the plan, before anybody agrees to it."""
    within(quote, how.max_credits, how.blind, readable=met.balance is not None)
    if money.with_balance(quote, met.credits or Credits()).short:
        common.talk.warn(
            f"The plan is likely to cost {in_credits(quote.total.known)} or more: "
            f"more than the {amount(met.balance or 0)} there are. What they do not cover is refused by Sume."
        )


def answerable(agreed: bool) -> None:
    """Where nobody can answer, ``--yes``, or a plan that was saved and reviewed, must have said so."""
    if not agreed and not can_ask():
        raise UsageError("apply asks before it acts, and there is no terminal to ask on", "say so beforehand: --yes")


def consent(common: Common, plan_: Plan, agreed: bool, endpoint: str) -> None:
    """Ask, unless it was ``agreed`` to before."""
    if agreed:
        return
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
