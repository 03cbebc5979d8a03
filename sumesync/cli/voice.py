"""Writing to somebody who may have left. Imports next to nothing."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing itself costs more than all that is imported here
if TYPE_CHECKING:
    from typing import TextIO

HELP_WIDTH = 80
"""Columns of the help: one text for all terminals, so that it can be shown at once."""
_lost: list[str] = []


def lost_data() -> str:
    """Why data for stdout could not be written, other than that its reader left; "" when all was."""
    return _lost[0] if _lost else ""


def write(stream: TextIO | None, text: str, is_data: bool) -> None:
    """Say it, if anybody can hear: a reader who left, a full disk under a log or a closed terminal is no reason to
    drop what is being paid for. Only data that is lost is told."""
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
        if is_data and not isinstance(error, BrokenPipeError):
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
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
