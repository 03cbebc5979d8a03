"""Plans, problems and ends of runs as text for people. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sumesync.core import cost
from sumesync.core.action import Action, Orphan, Plan, Verb
from sumesync.core.cost import Quote
from sumesync.core.decide import quoted
from sumesync.core.kinds import Kinds
from sumesync.core.outcome import Outcome
from sumesync.core.paths import parent
from sumesync.core.text import count, in_credits, printable
from sumesync.errors import Problem
from sumesync.model import EntryKey, Wanted
from sumesync.render.changes import from_to
from sumesync.render.style import Style, plain

_MARKS: dict[Verb, tuple[str, str]] = {
    Verb.INVALID: ("✗", "red"),
    Verb.ATTENTION: ("!", "magenta"),
    Verb.CREATE: ("+", "green"),
    Verb.UPDATE: ("~", "yellow"),
    Verb.RESUME: ("…", "cyan"),
    Verb.FETCH: ("↓", "cyan"),
    Verb.MOVE: ("→", "cyan"),
    Verb.COPY: ("=", "cyan"),
    Verb.KEEP: ("·", ""),
}
# Beyond so many of one sort a list is no longer read; so many of them are shown then.
_MANY, _SOME = 60, 20
_BASES = 8
_SHORT = "What is known of the cost is more than the balance."
_FEW = 4
"""So many variants of one spec are shown one by one."""


@dataclass(frozen=True, slots=True)
class View:
    """What a plan is shown with."""

    name: str
    endpoint: str
    wanted: Mapping[EntryKey, Wanted]
    kinds: Kinds
    max_jobs: int
    style: Style = plain
    verbose: bool = False
    keep_going: bool = False
    quote: Quote = field(default_factory=Quote)


def plan(plan_: Plan, view: View) -> str:
    """The whole plan: head, one line an action with its reason and changes, and the sum."""
    return "\n\n".join([_head(plan_, view), *_body(plan_, view), summary(plan_, view)]) + "\n"


def news(plan_: Plan, view: View) -> str:
    """A part of a plan that is new to who watches: the actions, and what they are likely to cost."""
    words = [cost.in_words(view.quote.total)] if plan_.pays else []
    words += [view.style(_SHORT, fg="yellow")] if view.quote.short else []
    return "\n\n".join(filter(None, [*_body(plan_, view), "\n".join(words)])) + "\n"


def _body(plan_: Plan, view: View) -> list[str]:
    shown = [action for action in plan_.actions if view.verbose or action.verb is not Verb.KEEP or action.pending]
    shown.sort(key=lambda action: (list(Verb).index(action.verb), action.key))
    blocks = []
    lines = list(_actions(shown, view))
    told = {action.fingerprint for action in plan_.actions if action.unknown}
    for submission in plan_.unknown:
        if submission.fingerprint not in told:
            text = f"an earlier paid request's outcome is unknown; sumesync resolve {quoted(str(submission.entry))}"
            lines.append(_line("!", "attention", str(submission.entry), text, "magenta", view))
    there = {action.key.path for action in plan_.actions}
    lines += [line for orphan in plan_.orphans for line in _orphan(orphan, orphan.key.path in there, view)]
    lines += [
        _line("…", "collect", collect.job.id, "in flight; no spec asks for it now", "cyan", view)
        for collect in plan_.collects
    ]
    if lines:
        blocks.append("\n".join(lines))
    if plan_.invalid:
        blocks.append(problems(plan_.invalid, view.style))
    return blocks


def _actions(shown: list[Action], view: View) -> Iterator[str]:
    """A line or more an action, or a group of variants; of a great many of one sort the first ones, and how many more
    there are."""
    groups = _grouped(shown, view)
    width = _width(groups)
    for verb in Verb:
        same = [group for group in groups if group[0].verb is verb]
        most = len(same) if view.verbose or len(same) <= _MANY else _SOME
        for group in same[:most]:
            yield from _action(group[0], view, width) if len(group) == 1 else _group(group, view, width)
        if len(same) > most:
            mark, colour = _MARKS[verb]
            left = [action for group in same[most:] for action in group]
            folders = count(len({parent(action.key.path) for action in left}), "folder")
            text = f"and {len(left)} more in {folders} (--verbose shows all)"
            yield _line(mark, str(verb), text, "", colour, view)


def _grouped(shown: list[Action], view: View) -> list[list[Action]]:
    """Variants of one spec with one action for one reason, together where they are many."""
    groups: dict[tuple[object, ...], list[Action]] = {}
    for action in shown:
        alike = () if action.key.variant and not view.verbose else (action.key.variant,)
        groups.setdefault((action.verb, action.key.path, action.reason.code, *alike), []).append(action)
    return [part for group in groups.values() for part in ([group] if len(group) > _FEW else [[a] for a in group])]


def _group(group: list[Action], view: View, width: int) -> list[str]:
    """One line for all, then every file that is lost; what differs is told of the first."""
    first = group[0]
    mark, colour = _MARKS[first.verb]
    wanted = [view.wanted[action.key] for action in group if action.pays and action.key in view.wanted]
    kinds = dict.fromkeys(what_of(one, view.kinds) for one in wanted)
    what = next(iter(kinds)) if len(kinds) == 1 else wanted[0].kind if wanted else ""
    reasons = dict.fromkeys(action.reason.text for action in group)
    reason = next(iter(reasons)) if len(reasons) == 1 else f"such as {first.key.variant}: {first.reason.text}"
    text = " · ".join(filter(None, (f"{len(group)} variants", what, reason)))
    lines = [_line(mark, str(first.verb), first.key.path, text, colour, view, width)]
    if any(action.changes != first.changes for action in group):
        lines.append(f"      such as {printable(first.key.variant)}:")
    lines += [f"      {from_to(change, view.style)}" for change in first.changes]
    lines += [f"      {line}" for line in dict.fromkeys(line for action in group for line in handmade(action))]
    lines += [f"      {line}" for action in group for line in losses(action)]
    if first.hint:
        lines.append("      " + view.style(printable(f"such as: {first.hint}"), dim=True))
    return lines


def _head(plan_: Plan, view: View) -> str:
    where = "sandbox (costs nothing)" if view.endpoint == "sandbox" else "Sume"
    return f"{view.style(printable(view.name), bold=True)} at {where}, {specs(action.key for action in plan_.actions)}"


def specs(keys: Iterable[EntryKey]) -> str:
    """``3 specs``, ``3 specs in 14 variants``."""
    every = tuple(keys)
    shown = count(len({key.path for key in every}), "spec")
    return f"{shown} in {count(len(every), 'variant')}" if any(key.variant for key in every) else shown


def _width(groups: Iterable[list[Action]]) -> int:
    names = (str(group[0].key) if len(group) == 1 else group[0].key.path for group in groups)
    return min(56, max((len(printable(name)) for name in names), default=0))


def _action(action: Action, view: View, width: int) -> list[str]:
    mark, colour = _MARKS[action.verb]
    wanted = view.wanted.get(action.key)
    what = what_of(wanted, view.kinds) if wanted and (action.pays or view.verbose) else ""
    reason, price = action.reason.text, _price(action, view.quote)
    if action.verb is Verb.INVALID:
        reason = count(len(action.problems), "problem")
    told = " · ".join(filter(None, (what, reason, price)))
    lines = [_line(mark, str(action.verb), str(action.key), told, colour, view, width)]
    lines += [f"      {from_to(change, view.style)}" for change in action.changes]
    lines += [f"      {line}" for line in (*handmade(action), *losses(action))]
    if action.hint:
        lines.append("      " + view.style(printable(action.hint), dim=True))
    return lines


def _line(mark: str, verb: str, name: str, text: str, colour: str, view: View, width: int = 0) -> str:
    head = view.style(f"{mark} {verb:<9}", fg=colour) if colour else f"{mark} {verb:<9}"
    return f"  {head} {printable(name).ljust(width)}  {printable(text)}".rstrip()


def what_of(wanted: Wanted, kinds: Kinds) -> str:
    """``video 9:16 6 s 720p``: the kind and what tells most about it."""
    values = []
    for name, unit in kinds[wanted.kind].shown.items():
        value = wanted.request.get(name)
        if isinstance(value, list):
            value = f"{value[0]}{f' +{len(value) - 1}' if len(value) > 1 else ''}" if value else None
        if value is not None:
            values.append(printable(str(value), 20) + unit)
    return " ".join([wanted.kind, *values])


def _price(action: Action, quote: Quote) -> str:
    estimate = quote.estimates.get(action.key)
    if estimate is None:
        return ""
    return "cost unknown" if estimate.credits is None else f"about {in_credits(estimate.credits)}"


def losses(action: Action) -> Iterator[str]:
    """Every file that will not be there afterwards as it is now."""
    moved = {place.source: place.target for place in action.places} if action.verb is Verb.MOVE else {}
    for path in action.removes:
        yield f"moves {printable(path)} to {printable(moved[path])}" if path in moved else f"removes {printable(path)}"
    yield from (f"replaces {printable(path)}" for path in action.replaces)


def handmade(action: Action) -> Iterator[str]:
    """What is sent where a person had what it takes in hand."""
    for each in action.handmade:
        path, spec = printable(each.path), printable(quoted(str(each.of)))
        if each.accepted:
            yield f"takes {path} as you accepted it"
        else:
            yield f"takes what Sume made, not your edit of {path} (to take that: sumesync accept {spec})"


def _orphan(orphan: Orphan, there: bool, view: View) -> Iterator[str]:
    """``there``: whether its spec is, and asks for other variants."""
    gone = "its spec asks for it no more" if there else "its spec is gone"
    text = f"{gone}; apply --prune drops the entry"
    if orphan.in_flight:
        text = f"{gone}; its job is collected first"
    yield _line("-", "orphan", str(orphan.key), text, "", view)
    if not orphan.in_flight:
        yield from (f"      --prune removes {printable(path)}" for path in orphan.outputs)
    unproven = "stays: sume.lock alone calls it ours, and git has no copy; remove it by hand"
    yield from (f"      {printable(path)} {unproven}" for path in orphan.unproven)


def summary(plan_: Plan, view: View) -> str:
    """What it comes to, in one paragraph."""
    invalid, waiting = len(plan_.of(Verb.INVALID)), len(plan_.of(Verb.ATTENTION))
    edited = sum(bool(action.edited) for action in plan_.actions)
    lines = [_to_do(plan_, view, bool(plan_.orphans or plan_.collects or invalid or waiting or edited))]
    lines += _cost(view)
    if invalid:
        left = "the others are submitted" if view.keep_going else "nothing is submitted (--keep-going: the rest is)"
        lines.append(view.style(f"{count(invalid, 'spec')} invalid: {left}.", fg="red"))
    if waiting:
        lines.append(f"{count(waiting, 'spec')} waiting for your decision.")
    if edited:
        lines.append(
            f"{count(edited, 'spec')} with media edited by hand, kept as they are; accept them, or fetch --force."
        )
    if plan_.other_endpoint:
        other = "Sume" if view.endpoint == "sandbox" else "the sandbox"
        lines.append(
            f"{count(plan_.other_endpoint, 'entry', 'entries')} of the lock achieved at {other} only: not counted here."
        )
    if plan_.sparse:
        lines.append(f"{count(len(plan_.sparse), 'spec')} outside the sparse checkout: left alone.")
    if plan_.nested:
        one = printable(str(plan_.nested[0]))
        lines.append(f"{count(len(plan_.nested), 'spec')} in a project of its own ({one}): left alone.")
    if plan_.pays > view.max_jobs:
        lines.append(
            view.style(
                f"That is more than {view.max_jobs} paid jobs: apply needs --max-jobs {plan_.pays}.", fg="yellow"
            )
        )
    return "\n".join(lines)


def _cost(view: View) -> Iterator[str]:
    """What it is likely to cost, by what, and what there is."""
    quote, style = view.quote, view.style
    if words := cost.in_words(quote.total):
        yield words
        shown = quote.total.basis if view.verbose else quote.total.basis[:_BASES]
        yield from (style(f"  {basis}", dim=True) for basis in shown)
        if left := len(quote.total.basis) - len(shown):
            yield style(f"  and {left} more (--verbose shows all)", dim=True)
    if words and (told := balance(quote)):
        yield told
    if quote.short:
        yield style(_SHORT, fg="yellow")


def balance(quote: Quote) -> str:
    """``Balance: 9,884 credits; 8 jobs at once.`` "" where neither is known."""
    parts = [in_credits(quote.balance)] if quote.balance is not None else []
    parts += [f"{count(quote.capacity, 'job')} at once"] if quote.capacity is not None else []
    return f"Balance: {'; '.join(parts)}." if parts else ""


def _to_do(plan_: Plan, view: View, other: bool) -> str:
    """``other``: whether something is to be told beside the work."""
    free = sum(action.verb is Verb.KEEP and action.free for action in plan_.actions)
    kept = sum(not action.pending for action in plan_.of(Verb.KEEP))
    counts = {verb: len(plan_.of(verb)) for verb in _DOING}
    parts = [f"{number} to {verb}" for verb, number in counts.items() if number]
    parts += [f"{free} to record"] if free else []
    if parts:
        paid = f" {view.style(count(plan_.pays, 'paid job'), bold=True)}." if plan_.pays else " Nothing to pay."
        return f"Plan: {', '.join(parts)}; {kept} unchanged.{paid}"
    all_of = specs(action.key for action in plan_.of(Verb.KEEP) if not action.pending)
    if not (plan_.actions or other):
        return "Nothing to do."
    return f"Nothing to submit; {kept} unchanged." if other else f"Nothing to do: {all_of} up to date."


_DOING = (Verb.CREATE, Verb.UPDATE, Verb.RESUME, Verb.FETCH, Verb.MOVE, Verb.COPY)


def problems(found: Iterable[Problem], style: Style = plain) -> str:
    """Like a compiler: ``path:line:column: what; hint``."""
    lines = []
    for problem in found:
        hint = f"\n    {printable(problem.hint)}" if problem.hint else ""
        lines.append(f"{style(printable(problem.where), bold=True)}: {printable(problem.what)}{style(hint, dim=True)}")
    return "\n".join(lines)


def outcome(result: Outcome, style: Style = plain) -> str:
    """How a run ended: what failed, what still runs, what to commit."""
    lines = []
    for trouble in result.failed:
        name = f"{printable(str(trouble.key))}: " if trouble.key else ""
        lines.append(style("failed ", fg="red") + f"{name}{printable(trouble.text)}")
        if trouble.hint:
            lines.append("       " + style(printable(trouble.hint), dim=True))
    for submission in result.unknown:
        why = printable(submission.detail)
        lines.append(style("unknown ", fg="magenta") + f"{printable(str(submission.entry))}: sent; {why}")
        lines.append(f"       sumesync resolve {printable(quoted(str(submission.entry)))}")
    if result.refused:
        lines.append(style("stopped ", fg="red") + printable(result.refused.text))
        lines.append("       " + style(printable(result.refused.hint), dim=True))
    if lines:
        lines.append("")
    lines.append(_totals(result, style))
    if result.running:
        shown = ", ".join(sorted(result.running)[:5]) + (", …" if len(result.running) > 5 else "")
        verb = "runs" if len(result.running) == 1 else "run"
        lines.append(f"{count(len(result.running), 'job')} still {verb} ({shown}). Run apply again to collect.")
    if result.undelivered:
        what = count(len(result.undelivered), "result")
        lines.append(f"{what} not downloaded yet. Run apply again: it costs nothing.")
    if result.not_begun:
        why = " until the unknown one is resolved" if result.unknown else ""
        them = "it" if len(result.not_begun) == 1 else "them"
        lines.append(f"{specs(result.not_begun)} not submitted{why}; nothing was paid for {them}.")
    lines += [f"removed {printable(path)}" for path in result.removed]
    if result.written or result.removed or result.done:
        lines.append("To commit: sume.lock, and the media and *.sume.json files beside the specs.")
    return "\n".join(lines) + "\n"


def _totals(result: Outcome, style: Style) -> str:
    cost = f" ({in_credits(result.credits)})" if result.credits is not None else ""
    bought = f"{count(len(result.bought), 'job')} paid for{cost}" if result.bought else "nothing paid for"
    ended = "Interrupted" if result.interrupted else "Stopped" if result.refused else "Done"
    if ended == "Done" and (result.unknown or result.running or result.undelivered or result.not_begun):
        ended = "Not finished"
    files = f", {count(len(result.written), 'file')} written" if result.written else ""
    removed = f", {count(len(result.removed), 'file')} removed" if result.removed else ""
    failed = f", {len(result.failed)} failed" if result.failed else ""
    colour = "green" if ended == "Done" and not result.failed and not result.unknown else "yellow"
    return style(f"{ended}:", fg=colour, bold=True) + f" {bought}{files}{removed}{failed}."


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], style: Style = plain) -> str:
    """Left-aligned columns, for a terminal and for a pipe alike."""
    cells = [tuple([printable(cell) for cell in row]) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    line = "  ".join(f"{{:<{width}}}" for width in widths).format
    return "\n".join([style(line(*head).rstrip(), bold=True), *(line(*row).rstrip() for row in cells)]) + "\n"
