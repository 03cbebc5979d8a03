"""Reading one rule of a fault script. What is wrong is told with its place and, where it can be, a suggestion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

from sumesync.core.text import suggest
from sumesync.errors import UsageError
from sumesync.model import Json
from sumesync.sandbox import kinds
from sumesync.sandbox.answers import JSON_TYPE, Response, code_of
from sumesync.sandbox.faults import MEDIA, Drop, LinkFault, Match, Rule
from sumesync.sandbox.garble import GARBLES, Garble, Terms
from sumesync.sandbox.jobs import Fate

_Read = TypeVar("_Read")


class _Table:
    """A JSON object that is read key by key, so that what was never asked for is an unknown key."""

    def __init__(self, value: Json, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            self.fail("not an object")
        self._left = dict(value)
        self._asked: list[str] = []

    def fail(self, what: str, hint: str = "") -> NoReturn:
        raise UsageError(f"{self.where}: {what}", hint)

    def has(self, key: str) -> bool:
        return key in self._left

    def any(self, key: str) -> Json:
        self._asked.append(key)
        return self._left.pop(key, None)

    def text(self, key: str, choices: Iterable[str] = ()) -> str:
        known = tuple(choices)
        if not self.has(key):
            self._asked.append(key)
            return ""
        value = self.any(key)
        if not isinstance(value, str):
            self.fail(f"{key} is not a string")
        if known and value not in known:
            self.fail(f"{key} {value!r} is unknown", suggest(value, known) or f"one of {', '.join(known)}")
        return value

    def number(self, key: str) -> float:
        value = self.any(key)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
            self.fail(f"{key} is not a number of at least 0")
        return value

    def whole(self, key: str, low: int = 0) -> int | None:
        if not self.has(key):
            self._asked.append(key)
            return None
        value = self.any(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self.fail(f"{key} is not a whole number of at least {low}")
        return value

    def flag(self, key: str) -> bool:
        value = self.any(key)
        if value not in (None, True, False) or (isinstance(value, int) and not isinstance(value, bool)):
            self.fail(f"{key} is not true or false")
        return value is True

    def pairs(self, key: str) -> dict[str, str]:
        value = self.any(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(_is_header(k, v) for k, v in value.items()):
            self.fail(f"{key} is not an object of one-line strings")
        return {name: str(text) for name, text in value.items()}

    def table(self, key: str, read: Callable[[_Table], _Read]) -> _Read | None:
        if not self.has(key):
            self._asked.append(key)
            return None
        inner = _Table(self.any(key), f"{self.where}: {key}")
        value = read(inner)
        inner.done()
        return value

    def done(self) -> None:
        for key in self._left:
            self.fail(f"unknown key {key!r}", suggest(key, self._asked) or f"known: {', '.join(self._asked)}")


def rule(value: Json, where: str) -> Rule:
    """Raises UsageError."""
    table = _Table(value, where)
    table.any("comment")
    table_answer, redirect = table.table("answer", _answer), table.text("redirect")
    if redirect and table_answer:
        table.fail("both answer and redirect")
    made = Rule(
        match=_match(table),
        delay=table.number("delay"),
        after=table.flag("after"),
        answer=Response(302, headers={"Location": redirect}) if redirect else table_answer,
        drop=Drop(drop) if (drop := table.text("drop", list(Drop))) else None,
        reset=table.flag("reset"),
        headers=tuple(table.pairs("headers").items()),
        garble=_garble(table),
        fate=table.table("job", _fate),
        lag=(listing := table.table("listing", lambda t: (t.number("lag"), t.flag("loop"))) or (0.0, False))[0],
        loop=listing[1],
        links=table.table("links", lambda t: LinkFault(t.flag("expired"), t.text("name"), t.text("base"))),
    )
    table.done()
    if made == Rule(made.match, after=made.after, reset=made.reset):
        table.fail("does nothing", 'say what goes wrong, for example "delay": 2')
    if made.reset and made.drop in (None, Drop.MID_ANSWER):
        table.fail("reset is for a drop before the answer", 'add "drop": "after-reading" or the like')
    if made.drop is Drop.BEFORE_READING and (made.match.kind or made.match.prompt):
        table.fail("before-reading knows neither kind nor prompt", 'match on "route"')
    return made


def _match(table: _Table) -> Match:
    route = table.text("route")
    if route and route != MEDIA and not route.startswith("/"):
        table.fail(f"route {route!r} does not begin with /", "a route is like /jobs/* without /api/v1, or media")
    return Match(
        method=table.text("method").upper(),
        route=route,
        kind=table.text("kind", kinds.KINDS),
        prompt=table.text("prompt"),
        nth=table.whole("nth", 1) or 1,
        times=table.whole("times", 1),
    )


def _answer(table: _Table) -> Response:
    status = table.whole("status", 100)
    if status is None or status > 599:
        table.fail("status is not one of HTTP's")
    body = table.any("body") if table.has("body") else _usual_body(status)
    table.any("body")
    kind = table.text("type")
    data = body if isinstance(body, str) else json.dumps(body)
    return Response(
        status, data.encode("utf-8", "surrogatepass"), _one_line(table, kind) or JSON_TYPE, table.pairs("headers")
    )


def _usual_body(status: int) -> Json:
    if status < 400:
        return {}
    error: dict[str, Json] = {"code": code_of(status), "message": "A scripted fault.", "details": {}}
    return {"error": error, "request_id": "req_scripted"}


def _garble(table: _Table) -> tuple[Garble, Terms] | None:
    if not table.has("garble"):
        return table.table("garble", lambda _: None)
    value = table.any("garble")
    inner = _Table({"way": value} if isinstance(value, str) else value, f"{table.where}: garble")
    way = inner.text("way", GARBLES)
    terms = Terms(inner.text("value"), inner.whole("bytes") or 0, inner.number("seconds"))
    inner.done()
    if not way:
        inner.fail("no way", f"one of {', '.join(GARBLES)}")
    return GARBLES[way], terms


def _fate(table: _Table) -> Fate:
    return Fate(
        seconds=table.number("seconds") if table.has("seconds") else table.whole("seconds"),
        never_ends=table.flag("never_ends"),
        running_as=table.text("running_as"),
        ends_as=table.text("ends_as") or "completed",
        error_code=table.text("error_code"),
        message=table.text("message"),
        gone=table.flag("gone"),
    )


def _is_header(name: Json, value: Json) -> bool:
    return isinstance(name, str) and isinstance(value, str) and not set(name + value) & set("\r\n")


def _one_line(table: _Table, text: str) -> str:
    if set(text) & set("\r\n"):
        table.fail("type has more than one line")
    return text
