"""HTML where nobody can forget to escape: a ``str`` is text and is escaped, ``Html`` is markup and is not. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final

from sumesync.core.text import printable

_VOID: Final = frozenset({"img", "input", "link", "meta"})


class Html(str):
    """Markup. Only ``element``, ``joined`` and ``raw`` make it."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: str | int | bool | None) -> Html:
    """``<name …>children</name>``. ``class_`` and ``data_state`` are ``class`` and ``data-state``; True is an attribute
    without a value, None and False are none."""
    given = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    inside = "".join(_attribute(key, value) for key, value in given if value is not None and value is not False)
    if name in _VOID:
        return Html(f"<{name}{inside}>")
    return Html(f"<{name}{inside}>{joined(child for child in children if child is not None)}</{name}>")


def joined(children: Iterable[str], between: str = "") -> Html:
    return Html(between.join(child if isinstance(child, Html) else escaped(child) for child in children))


def raw(text: str) -> Html:
    """Text of our own that is markup, or that stands where nothing is escaped (a style, a script)."""
    return Html(text)


def escaped(text: str) -> Html:
    """Text of anybody's: its lines are kept, and nothing in it hides or reorders what a reader sees."""
    lines = text.replace("\t", "    ").replace("\r\n", "\n").split("\n")
    return Html(html.escape("\n".join(map(printable, lines))))


def _attribute(name: str, value: str | int | bool) -> str:
    return f" {name}" if value is True else f' {name}="{escaped(str(value))}"'
