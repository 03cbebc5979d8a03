"""``resolve``: settle a paid request whose outcome is unknown. A person's word, never a guess."""

from __future__ import annotations

import datetime
from typing import Any

import click

from sumesync.answers import JobView
from sumesync.apply.paid import recent_jobs
from sumesync.cli import options, scope, verdicts, wiring
from sumesync.cli.options import Common
from sumesync.cli.session import Place, Session
from sumesync.cli.talk import Quit
from sumesync.core.decide import quoted
from sumesync.core.echo import text_of
from sumesync.core.recover import recover
from sumesync.core.text import count, printable
from sumesync.errors import Exit, LocalStateError, SumesyncError, UsageError
from sumesync.model import Submission
from sumesync.render import human, machine

_SHOWN = 60
"""Characters of a candidate's prompt in a table; a program is told more."""
_TOLD = 300


@click.command()
@click.argument("spec", required=False, type=click.Path(), shell_complete=options.complete_specs)
@click.option("--adopt", metavar="JOB_ID", help="It created this job: take it, for free.")
@click.option("--force", is_flag=True, help="Adopt it although it was asked for something else.")
@click.option("--not-created", is_flag=True, help="It created none: the next apply pays again.")
@click.option("--undo", is_flag=True, help="Take back what was said: its outcome is unknown again.")
@click.option("--lost", metavar="JOB_ID", help="Sume has this job in flight no more: give it up, for free.")
@click.option("--request", "prefix", metavar="KEY", help="Which request, where a spec has several.")
@options.locks
@options.connects
@options.common
def resolve(
    common: Common,
    spec: str | None,
    adopt: str | None,
    force: bool,
    not_created: bool,
    undo: bool,
    lost: str | None,
    prefix: str | None,
) -> None:
    """Settle a paid request whose outcome is unknown: the connection broke after it was sent.

    Alone it shows what is open, and the jobs at Sume that could be it. Look at them there, then say
    which it was. sumesync never guesses: a job that looks alike could be last month's. A job that plainly was asked
    for something else is adopted only with --force.

    --undo takes back an --adopt or a --not-created that was wrong, as long as the request was not paid for again
    since. Nothing is paid for by that; say then what is right.

    --lost is for a job in flight that Sume answers with "not found" again and again. It is asked once more; after
    that the job counts as one that expired.

    Exits 4 while anything is open.
    """
    given = {"--adopt": adopt, "--not-created": not_created, "--undo": undo, "--lost": lost}
    said = [name for name, value in given.items() if value]
    if len(said) > 1:
        raise UsageError(f"{' and '.join(said)} are different things", "say one of them")
    if force and not adopt:
        raise UsageError("--force is said of a job that is adopted", "name the job, too: --adopt JOB_ID")
    place = wiring.find(common, (spec,) if spec else ())
    if not said:
        _show(common, place, spec)
        return
    compared: dict[str, Any] = {}
    with wiring.holding(common, place.home, "resolve"):
        session = wiring.look(place, without_lock=True)
        if lost:
            key = verdicts.give_up(common, session, lost, scope.one_spec(common, session, spec) if spec else None)
        elif undo:
            submission = _one(_matching(common, session, spec, session.journal.settled()), prefix, "was decided on")
            key = submission.entry
            verdicts.take_back(common, session, submission)
        else:
            submission = _one(_matching(common, session, spec, _open(session)), prefix, "is open")
            key = submission.entry
            if adopt:
                compared = {"compared": verdicts.adopt(common, session, submission, adopt, force)}
            else:
                verdicts.not_created(common, session, submission)
    if common.talk.as_json:
        answer: dict[str, Any] = {**machine.key(key), "adopted": adopt, "not_created": not_created, **compared}
        answer |= {"lost": lost} if lost else {"undone": True} if undo else {}
        common.talk.out(machine.dump(answer))


def _open(session: Session) -> tuple[Submission, ...]:
    unknown = {submission.key for submission in session.state.unknown}
    return tuple(s for s in recover(session.journal.list(), session.state.facts).unknown if s.key in unknown)


def _one(found: list[Submission], prefix: str | None, state: str) -> Submission:
    """The one request that is meant. Raises UsageError rather than guess."""
    if prefix:
        found = [s for s in found if s.key.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no paid request {state} there", "see what is: sumesync resolve")
    shown = ", ".join(f"{s.entry} {s.key[:12]}" for s in found)
    raise UsageError(f"each of several paid requests {state}: {printable(shown)}", "name one: SPEC, and --request KEY")


def _matching(
    common: Common, session: Session, spec: str | None, submissions: tuple[Submission, ...]
) -> list[Submission]:
    found = list(submissions)
    if spec is None:
        return found
    exact = [s for s in found if spec in (s.entry.path, str(s.entry))]
    if exact:
        return exact
    meant = scope.one_spec(common, session, spec)
    return [s for s in found if meant.covers(s.entry)]


def _show(common: Common, place: Place, spec: str | None) -> None:
    session = wiring.look(place, without_lock=True)
    found = _matching(common, session, spec, _open(session))
    if not found and session.state.sending:
        raise LocalStateError(
            f"a paid request is being sent at this moment: {session.holder}",
            "wait for it; nothing needs to be decided before it ends",
        )
    talk = common.talk
    jobs, why = _candidates(common, session) if found else ((), "")
    if talk.as_json:
        talk.out(machine.dump({"open": [_table(s, jobs) for s in found]}))
    elif not found:
        talk.say("No paid request is open.")
    else:
        talk.out(_text(found, jobs, why), newline=False)
    if found:
        raise Quit(Exit.ATTENTION)


def _candidates(common: Common, session: Session) -> tuple[tuple[JobView, ...], str]:
    """The newest jobs of the workspace that no entry of ours knows, and why there are none."""
    known = {fact.job.id for fact in session.state.facts if not fact.retracted}
    try:
        with wiring.connected(common, session.place) as api:
            return tuple(job for job in recent_jobs(api) if job.id not in known), ""
    except SumesyncError as error:
        return (), error.what


def _text(found: list[Submission], jobs: tuple[JobView, ...], why: str) -> str:
    blocks = []
    for submission in found:
        blocks.append(
            f"{submission.entry}: {_article(submission.kind)} request was sent at {_time(submission.sent_at)}, "
            f"and its outcome is unknown.\n  {printable(submission.detail) or 'The run ended before an answer came.'}\n"
            f"  request {submission.key[:12]}, attempt {submission.attempt}"
        )
    if jobs:
        blocks.append("Jobs at Sume that no spec here has:\n" + _jobs(jobs[:20]).rstrip())
    else:
        blocks.append(f"Candidates cannot be shown: {why}." if why else "Sume lists no job that is not known here.")
    spec = quoted(str(found[0].entry))
    blocks.append(
        f"If one of them is it:      sumesync resolve {printable(spec)} --adopt JOB_ID\n"
        f"If you know there is none: sumesync resolve {printable(spec)} --not-created\n"
        f"({count(len(found), 'request')} open; a job that is not listed may still exist.)"
    )
    return "\n\n".join(blocks) + "\n"


def _jobs(jobs: tuple[JobView, ...]) -> str:
    """With what they were asked for, where any tells it."""
    told = any(text_of(job.asked) for job in jobs)
    rows = []
    for job in jobs:
        row = (job.id, job.type or "-", job.status, job.created_at or "-")
        rows.append((*row, printable(text_of(job.asked), _SHOWN) or "-") if told else row)
    return human.table(("JOB", "TYPE", "STATUS", "CREATED", *(["PROMPT"] if told else [])), rows)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _table(submission: Submission, jobs: tuple[JobView, ...]) -> dict[str, Any]:
    return {
        **machine.key(submission.entry),
        "kind": submission.kind,
        "request": submission.key,
        "attempt": submission.attempt,
        "sent_at": submission.sent_at,
        "what": submission.detail,
        "candidates": [_candidate(job) for job in jobs],
    }


def _candidate(job: JobView) -> dict[str, Any]:
    told = {"job": job.id, "type": job.type, "status": job.status, "created_at": job.created_at}
    return {**told, "prompt": printable(text_of(job.asked), _TOLD)}
