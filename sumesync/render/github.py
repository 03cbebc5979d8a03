"""A plan as GitHub's workflow commands: notes at the specs' lines in the review of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from sumesync.core.action import Plan, Verb
from sumesync.core.paths import under
from sumesync.core.text import count, printable

Places: TypeAlias = Callable[[str, Sequence[str]], int]
"""The line of a spec on which the first of these fields stands that is written there; else 1."""


def plan(plan_: Plan, folder: str = "", line_of: Places = lambda _path, _fields: 1) -> str:
    """A line a problem, a decision to take and a paid request. ``folder``: of the project in its repository. A note
    stands at what changed: GitHub shows it in the review only where the line is part of the change."""
    return "".join(f"{line}\n" for line in _lines(plan_, folder, line_of))


def _lines(plan_: Plan, folder: str, line_of: Places) -> Iterator[str]:
    for problem in plan_.invalid:
        text = "; ".join(filter(None, (problem.what, problem.hint)))
        yield _command("error", under(folder, problem.path), problem.line, problem.column, "invalid spec", text)
    for action in plan_.actions:
        path = under(folder, action.key.path)
        line = line_of(action.key.path, [change.field for change in action.changes])
        if action.verb is Verb.ATTENTION:
            level = "error" if action.unknown else "warning"
            text = "; ".join(filter(None, (action.reason.text, action.hint)))
            yield _command(level, path, line, None, "needs a decision", text)
        elif action.pays:
            text = f"{action.reason.text}: {count(action.pays, 'paid job')}"
            yield _command("notice", path, line, None, str(action.verb), text)


def _command(level: str, path: str, line: int | None, column: int | None, title: str, text: str) -> str:
    places = {"file": path, "line": line, "col": column, "title": f"sumesync: {title}"}
    told = ",".join(f"{name}={_property(str(value))}" for name, value in places.items() if value is not None)
    return f"::{level} {told}::{_data(printable(text))}"


def _data(text: str) -> str:
    """What GitHub would read as the end of a command is encoded: a prompt must not give commands."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
