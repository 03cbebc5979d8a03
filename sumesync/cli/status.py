"""``status`` and ``check``: where everything stands, for people and for CI. Offline, without a key."""

from __future__ import annotations

from dataclasses import replace

import click

from sumesync.cli import options, scope, wiring
from sumesync.cli.options import Common
from sumesync.cli.remember import Looked, remembered
from sumesync.cli.session import Session
from sumesync.core import documents
from sumesync.core.action import Action, Plan, Verb, Why
from sumesync.core.decide import quoted
from sumesync.core.text import amount, count, in_credits, printable
from sumesync.errors import first_of
from sumesync.model import Entry, EntryKey, JobRecord, Output
from sumesync.render import human, machine

_STATES = {
    Verb.INVALID: "invalid",
    Verb.ATTENTION: "needs you",
    Verb.CREATE: "not made yet",
    Verb.UPDATE: "changed",
    Verb.RESUME: "running",
    Verb.FETCH: "media missing",
    Verb.MOVE: "moved",
    Verb.COPY: "shares a job",
    Verb.KEEP: "up to date",
}


@click.command()
@options.some
@options.project
@options.looks
@options.common
@remembered
def status(common: Common, paths: tuple[str, ...], tags: tuple[str, ...]) -> Looked:
    """Show where every spec stands: its state, its job, its media. Asks nobody but the disk."""
    session = wiring.look(wiring.find(common, paths), recalling=True)
    plan_ = scope.narrowed(common, session, session.policy(), paths, tags)
    entries = session.state.lock.entries
    talk = common.talk
    if talk.as_json:
        rows_ = [_row_json(action, entries.get(action.key), session) for action in plan_.actions]
        talk.out(machine.dump({"specs": rows_}))
        return Looked(session)
    if plan_.actions:
        rows = [_row(action, entries.get(action.key), session) for action in plan_.actions]
        talk.out(human.table(("SPEC", "STATE", "JOB", "CREDITS", "MEDIA"), rows, talk.style), newline=False)
    told = {action.key for action in plan_.actions} if paths or tags else set(entries)
    # Of specs that share a job it counts once.
    known = {job.id: job.credits for key in told & set(entries) for job in entries[key].jobs}
    spent = [credits_ for credits_ in known.values() if credits_ is not None]
    talk.say(f"\n{human.summary(plan_, _view(common, session))}")
    if spent:
        talk.say(f"What is here cost {in_credits(sum(spent))}.")
    return Looked(session)


def _view(common: Common, session: Session) -> human.View:
    from sumesync.cli.plan import view

    return view(common, session)


def _row(action: Action, entry: Entry | None, session: Session) -> tuple[str, str, str, str, str]:
    state = state_of(action, session)
    if action.verb is Verb.KEEP and action.edited:
        state = "edited by hand"
    elif action.reason.code is Why.SENDING:
        state = "being sent"
    jobs = _latest(jobs_of(entry, session))
    media = ", ".join(_shown(output, entry, session) for output in entry.outputs) if entry else ""
    cost = _cost(entry)
    return str(action.key), state, jobs or "-", "-" if cost is None else amount(cost), media or "-"


def _latest(jobs: tuple[JobRecord, ...]) -> str:
    """The jobs of the last attempt, in the room of one."""
    last = [job.id for job in jobs if job.attempt == jobs[-1].attempt]
    return f"{last[0]} +{len(last) - 1}" if len(last) > 1 else "".join(last)


def _cost(entry: Entry | None) -> float | None:
    """What the jobs of the present request cost; None where Sume told of none."""
    told = [job.credits for job in entry.jobs if job.credits is not None] if entry else []
    return sum(told) if told else None


def _job(job: JobRecord) -> dict[str, object]:
    return {"id": job.id, "state": str(job.state), "attempt": job.attempt, "credits": job.credits}


def state_of(action: Action, session: Session) -> str:
    """Where a variant stands, in a word or two."""
    kind = session.place.schemas.kinds.get(action.kind)
    if action.verb is Verb.FETCH and kind is not None and kind.document:
        return "result missing" if action.reason.code is Why.MISSING or not kind.free else "to be searched"
    return _STATES[action.verb]


def jobs_of(entry: Entry | None, session: Session) -> tuple[JobRecord, ...]:
    """The jobs of an entry: a search has none, whatever stands for it in the lock."""
    kind = session.place.schemas.kinds.get(entry.kind) if entry else None
    return entry.jobs if entry and not (kind and kind.free) else ()


def _shown(output: Output, entry: Entry, session: Session) -> str:
    """The path of an output; what a document is, in a few words, and where it stands."""
    known = session.observed.metadata.get(output.path) if output.is_document else None
    if known is None or known.result is None:
        return output.path
    return f"{documents.told(entry.kind, known.result)} in {output.path}"


def _row_json(action: Action, entry: Entry | None, session: Session) -> dict[str, object]:
    jobs = jobs_of(entry, session)
    return {
        **machine.action(action),
        "state": state_of(action, session),
        "credits": _cost(entry),
        "jobs": [_job(job) for job in jobs],
        "media": [output.path for output in entry.outputs] if entry else [],
    }


@click.command()
@options.some
@click.option("--allow-pending", is_flag=True, help="What a later apply does by itself is no finding.")
@options.project
@options.looks
@options.common
@remembered
def check(common: Common, paths: tuple[str, ...], tags: tuple[str, ...], allow_pending: bool) -> Looked:
    """For CI: fail when specs, lock, metadata and media disagree, and name the command that mends each.

    \b
    Exit codes: 0 all agree · 2 something is out of step · 4 a paid request's outcome is unknown
    64 a spec is invalid · 3 the lock cannot be read
    """
    session = wiring.look(wiring.find(common, paths), recalling=True)
    plan_ = scope.narrowed(common, session, session.policy(), paths, tags)
    later = len(plan_.work) if allow_pending else 0
    if allow_pending:
        plan_ = needing_a_person(plan_)
    found = list(_findings(plan_))
    codes = plan_.codes()
    code = first_of(codes)
    talk = common.talk
    if talk.as_json:
        document = {
            "ok": not codes,
            "exit_code": int(code),
            "findings": [{"path": path, "what": what, "mend": mend} for path, what, mend in found],
        }
        talk.out(machine.dump(document))
    elif found:
        for path, what, mend in found:
            talk.out(f"{talk.style(printable(path), bold=True)}: {printable(what)}\n    {printable(mend)}")
    if codes:
        talk.say(f"\n{count(len(found), 'finding')}.")
        return Looked(session, code)
    if later:
        talk.say(f"Nothing wrong; {count(later, 'spec')} for a later apply (see: sumesync plan).")
        return Looked(session)
    kept = human.specs(action.key for action in plan_.actions)
    talk.say(f"All agree: {kept}, the lock, the metadata and the media.")
    return Looked(session)


def needing_a_person(plan_: Plan) -> Plan:
    """``plan_`` without what apply does by itself: what is left is wrong, or waits for a decision."""
    waiting = (action for action in plan_.actions if action.edited or not (action.pays or action.free))
    return replace(plan_, actions=tuple(waiting), orphans=(), collects=())


def _what(action: Action) -> str:
    """What is out of step, in a few words: the reason says it, for a new spec the state does."""
    new = action.reason.code is Why.NEW and action.verb is not Verb.FETCH
    return _STATES[action.verb] if new else action.reason.text


_MENDS = {
    Verb.CREATE: "sumesync apply",
    Verb.UPDATE: "sumesync apply",
    Verb.RESUME: "sumesync apply",
    Verb.FETCH: "sumesync fetch",
    Verb.MOVE: "sumesync apply",
    Verb.COPY: "sumesync apply",
    Verb.KEEP: "sumesync apply",
}


def _findings(plan_: Plan) -> list[tuple[str, str, str]]:
    """(where, what, the command that mends it) of everything that is out of step."""
    found = [(problem.where, problem.what, problem.hint or "mend the spec") for problem in plan_.invalid]
    for action in plan_.actions:
        if action.pending and action.verb is not Verb.INVALID:
            mend = action.hint or f"{_MENDS[action.verb]} {quoted(str(action.key))}"
            found.append((str(action.key), _what(action), mend))
    there = {action.key.path for action in plan_.actions}

    def gone(key: EntryKey) -> str:
        return f"in the lock, but its spec {'asks for it no more' if key.path in there else 'is gone'}"

    found += [
        (
            str(orphan.key),
            gone(orphan.key),
            "sumesync apply --prune, or restore the spec",
        )
        for orphan in plan_.orphans
    ]
    found += [(c.job.id, "a job in flight that no spec asks for now", "sumesync apply") for c in plan_.collects]
    shown = {action.fingerprint for action in plan_.actions}
    found += [
        (str(s.entry), "a paid request whose outcome is unknown", f"sumesync resolve {quoted(str(s.entry))}")
        for s in plan_.unknown
        if s.fingerprint not in shown
    ]
    return found
