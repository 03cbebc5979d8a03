"""How a command speaks: data on stdout, talk on stderr, colours only where somebody sees them."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

import click

from sumesync.cli import voice
from sumesync.core.text import without_keys, without_secrets
from sumesync.errors import Exit


class Talk:
    """One command's voice. The key, and what ``hide`` was told, are taken out of everything that is said."""

    def __init__(self, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose
        self.heard: list[tuple[bool, str]] | None = None
        """What was said, and whether on stderr, where somebody listens (``listen``); None also where a secret was."""

    def listen(self) -> None:
        self.heard = []

    def out(self, text: str, newline: bool = True) -> None:
        """Data. A reader who left (``| head``) is no reason to stop what is under way."""
        self._write(False, self._clean(text) + ("\n" if newline else ""))

    def private(self, text: str, newline: bool = True) -> None:
        """Data with private URLs that a person asked to see: only the key is taken out."""
        self._write(False, without_keys(text, secrets()) + ("\n" if newline else ""))
        self.heard = None

    def raw(self, text: str) -> None:
        """Data that is a secret and meant to be shown: the sandbox's own key."""
        self._write(False, text + "\n")
        self.heard = None

    def say(self, text: str, newline: bool = True) -> None:
        """Talk: progress, notes, questions."""
        if not self.quiet:
            self.warn(text, newline)

    def warn(self, text: str, newline: bool = True) -> None:
        """Talk that ``--quiet`` does not silence."""
        self._write(True, self._clean(text) + ("\n" if newline else ""))

    def style(self, text: str, **looks: Any) -> str:
        """For stdout."""
        return click.style(text, **looks) if colours(sys.stdout) else text

    def style_err(self, text: str, **looks: Any) -> str:
        """For stderr."""
        return click.style(text, **looks) if colours(sys.stderr) else text

    def _write(self, is_talk: bool, text: str) -> None:
        if self.heard is not None:
            self.heard.append((is_talk, text))
        voice.write(sys.stderr if is_talk else sys.stdout, text, is_data=not is_talk)

    def _clean(self, text: str) -> str:
        return without_secrets(text, secrets())


_hidden: set[str] = set()


def hide(secret: str | None) -> None:
    """From now on nobody in this process says it: the error boundary knows it, too."""
    if secret:
        _hidden.add(secret)


def secrets() -> set[str]:
    """What nobody says."""
    return {os.environ.get("SUME_API_KEY", "").strip(), *_hidden}


def colours(stream: TextIO | None) -> bool:
    """A terminal that wants colours. FORCE_COLOR colours a pipe, too; nothing animates there."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"


def can_ask() -> bool:
    """Whether a person is there to answer."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


class Quit(Exception):
    """End the command with this exit code; everything has been said."""

    def __init__(self, code: Exit) -> None:
        super().__init__(code)
        self.code = code
