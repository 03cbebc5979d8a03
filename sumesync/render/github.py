"""A plan as GitHub's workflow commands: notes at the specs' lines in the review of a pull request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sumesync.core.action import Plan, Verb
from sumesync.core.paths import under
from sumesync.core.text import count, printable


def plan(plan_: Plan, folder: str = "") -> str:
    """A line a problem, a decision to take and a paid request. ``folder``: of the project in its repository."""
    return "".join(f"{line}\n" for line in _lines(plan_, folder))


def _lines(plan_: Plan, folder: str) -> Iterator[str]:
    for problem in plan_.invalid:
        text = "; ".join(filter(None, (problem.what, problem.hint)))
        yield _command("error", under(folder, problem.path), problem.line, problem.column, "invalid spec", text)
    for action in plan_.actions:
        path = under(folder, action.key.path)
        if action.verb is Verb.ATTENTION:
            level = "error" if action.unknown else "warning"
            text = "; ".join(filter(None, (action.reason.text, action.hint)))
            yield _command(level, path, 1, None, "needs a decision", text)
        elif action.pays:
            text = f"{action.reason.text}: {count(action.pays, 'paid job')}"
            yield _command("notice", path, 1, None, str(action.verb), text)


def _command(level: str, path: str, line: int | None, column: int | None, title: str, text: str) -> str:
    places = {"file": path, "line": line, "col": column, "title": f"sumesync: {title}"}
    told = ",".join(f"{name}={_property(str(value))}" for name, value in places.items() if value is not None)
    return f"::{level} {told}::{_data(printable(text))}"


def _data(text: str) -> str:
    """What GitHub would read as the end of a command is encoded: a prompt must not give commands."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")
