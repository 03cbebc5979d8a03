"""A plan as a comment on a pull request: GitHub's Markdown. Pure.

What people wrote stands in HTML blocks, inside ``<code>`` or ``<pre>``, escaped: there neither Markdown nor a mention
nor an image of a stranger's comes to life.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import Final

from sumesync.core.action import Action, Change, Plan, Verb
from sumesync.core.text import count, printable
from sumesync.errors import Problem
from sumesync.render import human
from sumesync.render.changes import Run, diff, shown_value
from sumesync.render.human import View

MOST: Final = 65_536
"""Characters of a comment, by GitHub's own limit."""
_TAIL: Final = 1_200
"""Kept free for what says how much was left out, and for a link to the report, which action/plan adds."""
_NAMES: Final = {
    Verb.INVALID: "❌ invalid",
    Verb.ATTENTION: "❗ attention",
    Verb.CREATE: "➕ create",
    Verb.UPDATE: "✏️ update",
    Verb.RESUME: "⏳ resume",
    Verb.FETCH: "⬇️ fetch",
    Verb.MOVE: "➡️ move",
    Verb.COPY: "🟰 copy",
    Verb.KEEP: "· keep",
}


def marker(name: str) -> str:
    """The hidden line by which a later run finds the comment of this project again."""
    kept = "".join(char if char.isalnum() or char in "._" else "_" for char in name)[:80]
    return f"<!-- sumesync plan: {kept} -->"


def plan(plan_: Plan, view: View, cost: str = "") -> str:
    """The comment: what it comes to, a table of what is to do, and the details folded. Never longer than ``MOST``, and
    what had to be left out is counted."""
    shown = [action for action in plan_.actions if action.pending]
    shown.sort(key=lambda action: (list(Verb).index(action.verb), action.key))
    head = "\n\n".join(filter(None, (marker(view.name), f"### Media plan: {_code(view.name)}", *_summary(plan_, view))))
    parts = [_Part("<table>\n<tr><th>what</th><th>spec</th><th>why</th></tr>", list(_rows(shown, view)), "</table>")]
    parts.append(_Part(_folded("Problems"), list(_problems(plan_.invalid)), "</ul>\n</details>", "<ul>"))
    details = [text for action in shown if (text := _details(action))]
    parts.append(_Part(_folded("What changes"), details, "</details>"))
    parts.append(_Part(_folded("Beside the specs"), list(_beside(plan_)), "</ul>\n</details>", "<ul>"))
    return _within(head + (f"\n\n{html.escape(cost)}" if cost else ""), parts)


class _Part:
    """A block with many items, any number of which may have to be left out."""

    def __init__(self, head: str, items: list[str], foot: str, opening: str = "") -> None:
        self.head = "\n".join(filter(None, (head, opening)))
        self.items = items
        self.foot = foot


def _within(head: str, parts: Iterable[_Part]) -> str:
    """``head`` and as much of ``parts`` as there is room for, in their order."""
    text, left = head, 0
    for part in parts:
        if not part.items:
            continue
        room = MOST - _TAIL - len(text) - len(part.head) - len(part.foot) - 4
        kept = list(_fitting(part.items, room))
        left += len(part.items) - len(kept)
        if kept:
            text += "\n\n" + "\n".join([part.head, *kept, part.foot])
    if left:
        lines = count(left, "line")
        text += f"\n\n**{lines} did not fit into this comment.** The whole plan: <code>sumesync plan --verbose</code>"
    return text + "\n"


def _fitting(items: list[str], room: int) -> Iterator[str]:
    for item in items:
        room -= len(item) + 1
        if room < 0:
            return
        yield item


def _summary(plan_: Plan, view: View) -> list[str]:
    """What a terminal's summary says, its sums in bold."""
    first, *rest = human.summary(plan_, view).split("\n")
    return [f"**{html.escape(first)}**", *map(_code, rest)]


def _rows(shown: Iterable[Action], view: View) -> Iterator[str]:
    for action in shown:
        wanted = view.wanted.get(action.key)
        what = human.what_of(wanted, view.kinds) if wanted and action.pays else ""
        why = count(len(action.problems), "problem") if action.verb is Verb.INVALID else action.reason.text
        reason = " · ".join(filter(None, (what, why)))
        yield f"<tr><td>{_NAMES[action.verb]}</td><td>{_code(str(action.key))}</td><td>{_code(reason)}</td></tr>"


def _details(action: Action) -> str:
    lines = [_changed(change) for change in action.changes]
    lines += [html.escape(line) for line in (*human.handmade(action), *human.losses(action))]
    if action.hint:
        lines.append(html.escape(printable(action.hint)))
    return "\n".join([f"{_code(str(action.key))}", "<pre>" + "\n".join(lines) + "</pre>"]) if lines else ""


def _changed(change: Change) -> str:
    name = html.escape(printable(change.field))
    if isinstance(change.before, str) and isinstance(change.after, str):
        runs = diff(change.before, change.after)
        if runs is not None:
            return f"{name}: " + " ".join(map(_run, runs))
    before, after = (html.escape(shown_value(value)) for value in (change.before, change.after))
    return f"{name}: <del>{before}</del> → <ins>{after}</ins>"


def _run(run: Run) -> str:
    gone, come = html.escape(printable(run.gone)), html.escape(printable(run.come))
    if run.common:
        return html.escape(printable(run.common))
    return "".join(filter(None, (gone and f"<del>{gone}</del>", come and f"<ins>{come}</ins>")))


def _problems(found: Iterable[Problem]) -> Iterator[str]:
    for problem in found:
        text = "; ".join(filter(None, (problem.what, problem.hint)))
        yield f"<li>{_code(problem.where)} {_code(text)}</li>"


def _beside(plan_: Plan) -> Iterator[str]:
    there = {action.key.path for action in plan_.actions}
    for orphan in plan_.orphans:
        gone = "its spec asks for it no more" if orphan.key.path in there else "its spec is gone"
        yield f"<li>{_code(str(orphan.key))} {gone}; <code>apply --prune</code> drops the entry</li>"
    for collect in plan_.collects:
        yield f"<li>{_code(collect.job.id)} a job in flight that no spec asks for now</li>"
    for submission in plan_.unknown:
        yield f"<li>{_code(str(submission.entry))} a paid request was sent and its outcome is unknown</li>"


def _code(text: str) -> str:
    return f"<code>{html.escape(printable(text))}</code>"


def _folded(title: str) -> str:
    return f"<details><summary>{title}</summary>"
