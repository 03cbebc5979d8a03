"""A script of faults: its rules, read from values or a file, and how often each has matched."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sumesync.errors import UsageError
from sumesync.model import Json
from sumesync.sandbox.faults import NO_EFFECTS, Drop, Effects, Rule
from sumesync.sandbox.rules import rule


@dataclass
class Script:
    """The rules, and how often each has matched in this process."""

    rules: Sequence[Rule] = ()
    _seen: dict[int, int] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def parse(cls, rules: Iterable[Json], where: str = "faults") -> Script:
        """Raises UsageError that names the rule and what is wrong with it."""
        return cls([rule(each, f"{where}: rule {number}") for number, each in enumerate(rules, 1)])

    @classmethod
    def load(cls, path: Path) -> Script:
        """A script from a JSON file."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: not JSON: {error}") from error
        if not isinstance(document, list):
            raise UsageError(f"{path}: not an array of rules", 'a script is like [{"route": "/jobs", "delay": 2}]')
        return cls.parse(document, str(path))

    def at_head(self, method: str, path: str) -> Rule | None:
        """The rule that drops the connection before the body is read, if there is one."""
        heads = [rule for rule in self.rules if rule.drop is Drop.BEFORE_READING]
        return next(iter(self._counted(heads, method, path, "", "")), None)

    def effects(self, method: str, path: str, kind: str = "", prompt: str = "") -> Effects:
        """What the script does to a request; each call counts as an occurrence."""
        others = [rule for rule in self.rules if rule.drop is not Drop.BEFORE_READING]
        return Effects(tuple(self._counted(others, method, path, kind, prompt))) if others else NO_EFFECTS

    def _counted(self, rules: list[Rule], method: str, path: str, kind: str, prompt: str) -> list[Rule]:
        due = []
        with self._guard:
            for rule in rules:
                match = rule.match
                if not match.fits(method, path, kind, prompt):
                    continue
                count = self._seen[id(rule)] = self._seen.get(id(rule), 0) + 1
                if count >= match.nth and (match.times is None or count < match.nth + match.times):
                    due.append(rule)
        return due
