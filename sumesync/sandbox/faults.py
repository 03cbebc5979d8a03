"""Scripted faults: which requests go wrong, and how. Tests and people write the same rules.

A script is a JSON array of rules. A rule matches on ``method``, ``route`` (``/jobs/*``, where ``*`` is one
part of a path; ``media`` for the media origin, which downloads GET from and uploads PUT to), ``kind`` and ``prompt``
(a part of it, or of what stands for one: a script, a title, an upload's file name) of the request's job, and of the
requests that match, from the ``nth`` on for ``times`` of them. Counts begin anew with each process.

All rules that match apply. What a rule does:

    "delay": 2.5                                 seconds before acting, or with "after" before answering
    "answer": {"status": 500, "body": …, "headers": {…}, "type": "text/html"}
    "redirect": "http://10.0.0.1/"
    "after": true                                the request is acted on first: the job is made and charged
    "drop": "before-reading" | "mid-body" | "after-reading" | "after-creating" | "mid-answer"
    "reset": true                                the drop is a TCP reset
    "headers": {"Content-Disposition": …}        added to the answer
    "garble": "html" | {"way": "oversize", "bytes": 99999999}
              (html garbage empty no-id job-id deep short oversize gzip-bomb drip type)
    "job": {"ends_as": "failed", "error_code": …, "message": …, "running_as": "warming", "seconds": 9,
            "never_ends": true, "gone": true}    the fate of the job that is made
    "listing": {"lag": 30, "loop": true}         new jobs are missing for seconds; the cursor never ends
    "links": {"expired": true, "name": "..%2fx.png", "base": "http://127.0.0.1:1"}
                                                 of a result's media URLs
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from sumesync.sandbox.answers import Response
from sumesync.sandbox.garble import Garble, Terms
from sumesync.sandbox.jobs import USUAL, Fate

MEDIA = "media"
"""The route of every request to the media origin."""


class Drop(StrEnum):
    """Where a connection ends."""

    BEFORE_READING = "before-reading"
    """The request's head was read, its body was not."""
    MID_BODY = "mid-body"
    """Of an upload, half of the file has come. Other bodies are read whole."""
    AFTER_READING = "after-reading"
    AFTER_CREATING = "after-creating"
    MID_ANSWER = "mid-answer"


@dataclass(frozen=True)
class LinkFault:
    """What is wrong with a result's media URLs."""

    expired: bool = False
    name: str = ""
    """Added to the path, as it is: a server's file name that a client must not trust."""
    base: str = ""
    """Stands for the media origin."""


@dataclass(frozen=True)
class Match:
    """Which requests a rule is for, as the module's head says. ``times`` None: every one from the ``nth`` on."""

    method: str = ""
    route: str = ""
    kind: str = ""
    prompt: str = ""
    nth: int = 1
    times: int | None = None

    def fits(self, method: str, path: str, kind: str, prompt: str) -> bool:
        return (
            self.method in ("", method)
            and (not self.route or bool(_glob(self.route).fullmatch(path)))
            and self.kind in ("", kind)
            and self.prompt.casefold() in prompt.casefold()
        )


@dataclass(frozen=True)
class Rule:
    """One rule, with the keys of the module's head. Times are in seconds."""

    match: Match
    delay: float = 0.0
    after: bool = False
    answer: Response | None = None
    drop: Drop | None = None
    reset: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    garble: tuple[Garble, Terms] | None = None
    fate: Fate | None = None
    lag: float = 0.0
    loop: bool = False
    links: LinkFault | None = None


@dataclass(frozen=True)
class Effects:
    """The rules that apply to one request, read by whoever acts."""

    rules: tuple[Rule, ...] = ()

    def drop(self, where: Drop) -> Rule | None:
        return next((rule for rule in self.rules if rule.drop is where), None)

    @property
    def delay_before(self) -> float:
        return sum(rule.delay for rule in self.rules if not rule.after)

    @property
    def delay_after(self) -> float:
        return sum(rule.delay for rule in self.rules if rule.after)

    @property
    def instead(self) -> Response | None:
        """The answer that is given without acting."""
        return next((rule.answer for rule in self.rules if rule.answer and not rule.after), None)

    @property
    def fate(self) -> Fate:
        return next((rule.fate for rule in self.rules if rule.fate), USUAL)

    @property
    def lag(self) -> float:
        return max((rule.lag for rule in self.rules), default=0.0)

    @property
    def loop(self) -> bool:
        return any(rule.loop for rule in self.rules)

    @property
    def links(self) -> LinkFault:
        return next((rule.links for rule in self.rules if rule.links), LinkFault())

    def spoil(self, right: Response) -> Response:
        """The answer that is sent for the right one."""
        for rule in self.rules:
            if rule.answer and rule.after:
                right = rule.answer
            if rule.garble:
                way, terms = rule.garble
                right = way(right, terms)
            if rule.headers:
                right = replace(right, headers={**right.headers, **dict(rule.headers)})
        return right


NO_EFFECTS = Effects()


@functools.cache
def _glob(pattern: str) -> re.Pattern[str]:
    if pattern == MEDIA:
        pattern = "/media/*/*/*"
    return re.compile("".join("[^/]*" if char == "*" else re.escape(char) for char in pattern))
