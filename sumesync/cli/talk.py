"""How a command speaks: data on stdout, talk on stderr, colours only where somebody sees them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

import click

from sumesync.core.text import without_keys, without_secrets
from sumesync.errors import Exit


class Talk:
    """One command's voice. The key, and what ``hide`` was told, are taken out of everything that is said."""

    def __init__(self, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json, self.quiet, self.verbose = as_json, quiet, verbose

    def out(self, text: str, newline: bool = True) -> None:
        """Data. A reader who left (``| head``) is no reason to stop what is under way."""
        _write(sys.stdout, self._clean(text) + ("\n" if newline else ""))

    def private(self, text: str, newline: bool = True) -> None:
        """Data with private URLs that a person asked to see: only the key is taken out."""
        _write(sys.stdout, without_keys(text, secrets()) + ("\n" if newline else ""))

    def raw(self, text: str) -> None:
        """Data that is a secret and meant to be shown: the sandbox's own key."""
        _write(sys.stdout, text + "\n")

    def say(self, text: str, newline: bool = True) -> None:
        """Talk: progress, notes, questions."""
        if not self.quiet:
            self.warn(text, newline)

    def warn(self, text: str, newline: bool = True) -> None:
        """Talk that ``--quiet`` does not silence."""
        _write(sys.stderr, self._clean(text) + ("\n" if newline else ""))

    def style(self, text: str, **looks: Any) -> str:
        """For stdout."""
        return click.style(text, **looks) if colours(sys.stdout) else text

    def style_err(self, text: str, **looks: Any) -> str:
        """For stderr."""
        return click.style(text, **looks) if colours(sys.stderr) else text

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


_lost: list[str] = []


def lost_data() -> str:
    """Why data for stdout could not be written, other than that its reader left; "" when all was."""
    return _lost[0] if _lost else ""


def _write(stream: TextIO | None, text: str) -> None:
    """Say it, if anybody can hear: a reader who left, a full disk under a log or a closed terminal is no reason to
    drop what is being paid for."""
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as error:
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            _lost.append(str(error))
        _silence(stream)


def close() -> None:
    """Say the last of it. What nobody hears any more must not change the exit code: the interpreter ends with 120 where
    its own last flush fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # there is none
            continue
        except (OSError, ValueError):
            _silence(stream)


def _silence(stream: TextIO) -> None:
    """What follows goes nowhere, and the interpreter's last flush finds no fault."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


class Quit(Exception):
    """End the command with this exit code; everything has been said."""

    def __init__(self, code: Exit) -> None:
        super().__init__(code)
        self.code = code
