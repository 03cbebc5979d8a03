"""The way in. What can be answered without loading the rest is answered here: the version, the help, and what was said
before of a project in which nothing has changed since. Everything else is ``cli.main``'s."""

from __future__ import annotations

import os
import sys

from sumesync import __version__
from sumesync.cli import voice
from sumesync.disk import asking, memory

TYPE_CHECKING = False  # typing itself costs more than all that is imported here
if TYPE_CHECKING:
    from collections.abc import Sequence

REMEMBERED = ("plan", "check", "status", "validate")
"""Commands that change nothing and say the same of the same project."""
NO_CACHE = "--no-cache"
_PROJECT = "sumesync.toml"
_INTERRUPTED = 130


def main() -> None:
    """Run and exit."""
    arguments = sys.argv[1:]
    try:
        code = _at_once(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; nothing was lost.\n")
        code = _INTERRUPTED
    if code is None:
        from sumesync.cli.main import main as rest

        rest(arguments, looks=bool(arguments) and arguments[0] in REMEMBERED)
        return
    if code == 0 and (why := voice.lost_data()):
        voice.write(sys.stderr, f"error: the output could not be written: {why}\n", False)
        code = 3
    voice.close()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line."""
    code = _at_once(arguments)
    if code is None:
        from sumesync.cli.main import run as rest

        code = int(rest(list(arguments)))
    return code


def _at_once(arguments: Sequence[str]) -> int | None:
    """The exit code of what could be answered here; None where it could not, and nothing was said."""
    if not arguments or any(stream is None or stream.closed for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return None
    if list(arguments) == ["--version"]:
        return _say([(False, f"sumesync, version {__version__}\n")])
    if list(arguments) in (["--help"], ["-h"]):
        text = _help()
        return None if text is None else _say([(False, text)])
    if arguments[0] not in REMEMBERED or NO_CACHE in arguments or not hasattr(os, "posix_spawnp"):
        return None
    found = _remembered(arguments)
    if found is None:
        return None
    code, said = found
    _say(said)
    return code


def _remembered(arguments: Sequence[str]) -> memory.Said | None:
    """What was said to the same question, where everything that it hung on is the same."""
    try:
        root = _root(arguments)
        known = memory.read(root) if root else None
        found = known.answers.get(memory.key(arguments)) if known else None
        if known is None or found is None or not memory.holds(known, root):
            return None
    except (OSError, ValueError):
        return None
    secret = os.environ.get("SUME_API_KEY", "").strip()
    return None if secret and any(secret in text for _, text in found[1]) else found


def _root(arguments: Sequence[str]) -> str:
    """The project that a command line is about; "" where there is none. Where this reads it otherwise than click,
    nothing is found: what is remembered is kept by the whole command line."""
    start = os.getcwd()
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if before == "-C":
            start = argument
        elif argument.startswith("-C") and argument != "-C":
            start = argument[2:]
    for folder in asking.upwards(os.path.realpath(start)):
        if os.path.isfile(os.path.join(folder, _PROJECT)):
            return folder
    return ""


def _help() -> str | None:
    """The help as click would write it, where its lines are as long as they would be."""
    if "COLUMNS" in os.environ or (
        sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns < voice.HELP_WIDTH
    ):
        return None
    try:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "help.txt"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def _say(said: list[tuple[bool, str]]) -> int:
    for is_talk, text in said:
        voice.write(sys.stderr if is_talk else sys.stdout, text, is_data=not is_talk)
    return 0
