"""A record of what the system is asked to do to files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sumesync.disk import atomic


class Calls:
    """What the system was asked to do to files, in order and by their names; every part is "part"."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self.open: dict[int, str] = {}
        self._real = {name: getattr(os, name) for name in ("open", "close")}
        patch.setattr(os, "open", self._opened)
        patch.setattr(os, "close", self._closed)
        for name in ("write", "fsync", "ftruncate"):
            self._patch(patch, name, lambda name, *args: f"{name} {self.open[args[0]]}")
        for name in ("replace", "link", "unlink", "mkdir"):
            self._patch(
                patch,
                name,
                lambda name, *args: " ".join([name, *map(_named, args[: 1 + (name in ("replace", "link"))])]),
            )

    def _patch(self, patch: pytest.MonkeyPatch, name: str, line: Callable[..., str]) -> None:
        real = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            self.log.append(line(name, *args))
            return real(*args, **options)

        patch.setattr(os, name, call)

    def _opened(self, path: Any, *args: Any, **options: Any) -> int:
        descriptor: int = self._real["open"](path, *args, **options)
        self.open[descriptor] = _named(path)
        return descriptor

    def _closed(self, descriptor: int) -> None:
        self.open.pop(descriptor, None)
        self._real["close"](descriptor)


def failing(number: int) -> Callable[..., int]:
    """A call that the system refuses."""

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, "nope")

    return fail


def _named(path: Any) -> str:
    name = Path(path).name
    return "part" if atomic.is_part(name) else name
