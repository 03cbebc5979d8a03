"""Options that several commands share, and the value that carries them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sumesync.cli.talk import Talk

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Common:
    """What every command is given. ``folder`` is where it works, as if called from there."""

    folder: Path
    talk: Talk
    given: bool = False
    """Whether ``-C`` named the folder."""
    sandbox: bool = False
    key_file: Path | None = None
    base_url: str | None = None
    lock_timeout: float = 0.0
    no_cache: bool = False


def common(command: _F) -> Any:
    """``-C``, ``--json``, ``--quiet``, ``--verbose``, ``--debug``: the command gets a Common first."""

    @click.option(
        "-C",
        "folder",
        metavar="DIR",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Work as if called from DIR.",
    )
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout (with format_version).")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and failures.")
    @click.option("-v", "--verbose", is_flag=True, help="Also tell what is unchanged.")
    @click.option("--debug", is_flag=True, help="Show a traceback when something breaks.")
    @functools.wraps(command)
    def wrapped(folder: Path | None, as_json: bool, quiet: bool, verbose: bool, debug: bool, **options: Any) -> Any:
        settings = {name: options.pop(name) for name in _SHARED if name in options}
        where = folder or Path()
        return command(Common(where, Talk(as_json, quiet, verbose), folder is not None, **settings), **options)

    return wrapped


_SHARED = ("sandbox", "key_file", "base_url", "lock_timeout", "no_cache")


def project(command: _F) -> Any:
    """For commands that look at a project: which endpoint's facts count."""
    return click.option("--sandbox", is_flag=True, help="Use the local sandbox: no key, no cost.")(command)


def connects(command: _F) -> Any:
    """For commands that talk to Sume: where the key and the origin come from."""
    key = click.option(
        "--api-key-file",
        "key_file",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Read the API key from FILE instead of SUME_API_KEY.",
    )
    origin = click.option(
        "--api-base-url", "base_url", metavar="URL", help="The API's origin instead of SUME_API_BASE_URL. https only."
    )
    command = key(origin(command))
    return click.option("--sandbox", is_flag=True, help="Use the local sandbox: no key, no cost.")(command)


def looks(command: _F) -> Any:
    """For commands that only look at a project, and may remember what they saw."""
    return click.option("--no-cache", is_flag=True, help="Read every file; believe nothing that was remembered.")(
        command
    )


def locks(command: _F) -> Any:
    """For commands that change a project."""
    return click.option(
        "--lock-timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        default=0.0,
        help="Wait this long for another sumesync that is at work here.",
    )(command)


def some(command: _F) -> Any:
    """``[PATHS]`` and ``--tag``: narrow what is shown or done."""
    command = click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only specs with this [meta] tag.")(
        command
    )
    return click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATHS]...", shell_complete=complete_specs)(
        command
    )


def complete_specs(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Specs and folders that begin with what was typed, seen from ``-C`` where that was given."""
    from click.shell_completion import CompletionItem

    folder, _, start = incomplete.rpartition("/")
    base = f"{folder}/" if folder else ""
    try:
        where = (context.params.get("folder") or Path()) / (folder or ("/" if incomplete.startswith("/") else "."))
        entries = sorted(os.scandir(where), key=lambda entry: entry.name)
    except OSError:
        return []
    found = []
    for entry in entries:
        if entry.name.startswith(start) and not entry.name.startswith("."):
            if entry.is_dir():
                found.append(CompletionItem(f"{base}{entry.name}/"))
            elif entry.name.endswith(".sume.toml"):
                found.append(CompletionItem(base + entry.name))
    return found
