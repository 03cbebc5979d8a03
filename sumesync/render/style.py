"""Looks of a text: given where it is shown, so that what is rendered knows no terminal."""

from __future__ import annotations

from collections.abc import Callable

Style = Callable[..., str]
"""``style(text, fg=…, bold=…, dim=…)``: colours where there is a terminal, else the text itself."""


def plain(text: str, **_looks: object) -> str:
    return text
