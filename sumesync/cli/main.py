"""The command line, and the one boundary where an error becomes text and an exit code."""

from __future__ import annotations

import gc
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from sumesync import __version__
from sumesync.cli import voice
from sumesync.cli.talk import Quit, Talk
from sumesync.core.text import printable, without_secrets
from sumesync.errors import Exit, SumesyncError, UsageError
from sumesync.host import prepare_process

# name -> (module, attribute): a command's module is imported when the command is used.
_COMMANDS = {
    "init": "start",
    "new": "start",
    "validate": "plan",
    "plan": "plan",
    "apply": "apply",
    "watch": "watch",
    "status": "status",
    "check": "status",
    "report": "report",
    "fetch": "fetch",
    "accept": "accept",
    "retake": "retake",
    "history": "history",
    "restore": "restore",
    "resolve": "resolve",
    "lock": "lock",
    "me": "account",
    "credits": "account",
    "avatars": "library",
    "brand": "library",
    "assets": "library",
    "jobs": "jobs",
    "schema": "schema",
    "sandbox": "sandbox",
}
_GROUPS = (
    ("Every day", ("new", "validate", "plan", "apply", "watch", "status", "check", "report")),
    ("Media and decisions", ("fetch", "accept", "retake", "history", "restore", "resolve", "lock")),
    ("Account and library", ("me", "credits", "avatars", "brand", "assets", "jobs")),
    ("Set up", ("init", "schema", "sandbox")),
)


_WIDEST = 100


class _Broken(Exception):
    """An EPIPE or EOFError of a command's own. click would take it for a reader who left, or for Ctrl-C, and end in
    silence: true of its own words (help, questions), and of nothing else."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Commands(click.Group):
    """Commands by name, imported when used, listed by what they are for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        module = _COMMANDS.get(name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"sumesync.cli.{module}"), name)
        command.context_settings.setdefault("max_content_width", _WIDEST)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from sumesync.core.text import suggest

            close = suggest(args[0], _COMMANDS)
            raise click.UsageError(f"{error.message} {close}".strip(), ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, EOFError) as error:
            if any(frame.name == "echo" for frame in traceback.extract_tb(error.__traceback__)):
                raise
            raise _Broken(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _GROUPS:
            with formatter.section(title):
                formatter.write_dl([(name, _HELP[name]) for name in names])


_HELP = {
    "init": "Make this folder a project.",
    "new": "Write a spec to start from.",
    "validate": "Tell everything that is wrong with the specs. Offline.",
    "plan": "Show what apply would do, and what it would pay for. Offline.",
    "apply": "Make the media match the specs. This is what pays.",
    "watch": "Keep the media as the specs say while you work on them.",
    "status": "Show where every spec stands. Offline.",
    "check": "For CI: fail when specs, lock, metadata and media disagree. Offline.",
    "report": "Write a page with all media, for reviewers. Offline.",
    "fetch": "Bring missing media back by job id. Free.",
    "accept": "Say that the media that is there satisfies the spec. Free.",
    "retake": "Ask for another generation of the same request: raises take.",
    "history": "List what was paid for, for one spec. Offline.",
    "restore": "Bring an earlier request and its media back. Free.",
    "resolve": "Settle a paid request whose outcome is unknown.",
    "lock": "Merge sume.lock, or make it again from what is there.",
    "me": "Show whose key this is.",
    "credits": "Show the balance and the capacity.",
    "avatars": "Show the avatars.",
    "brand": "Show the brand.",
    "assets": "Search the scenes of the workspace's videos.",
    "jobs": "Show jobs, and download what they made.",
    "schema": "Print a JSON Schema, for editors and programs.",
    "sandbox": "Serve the local sandbox, to try things by hand.",
}


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": voice.HELP_WIDTH},
    epilog="Start with: sumesync init, then sumesync new image hero, then sumesync plan. "
    'Completion for bash: eval "$(_SUMESYNC_COMPLETE=bash_source sumesync)" (zsh_source and fish_source likewise).',
)
@click.version_option(__version__, prog_name="sumesync")
def cli() -> None:
    """Media generation as code.

    Prompts are *.sume.toml files in git. sumesync compares them with the committed sume.lock, shows a plan,
    pays for what is new or changed, for nothing else and never twice, and writes the media and their metadata
    beside each spec.
    """


def main(arguments: Sequence[str] | None = None, looks: bool = False) -> None:
    """Run and exit. The only place where an error becomes text and an exit code. ``looks``: the command changes
    nothing, and ends when it has said what it saw."""
    prepare_process(looks)
    given = list(sys.argv[1:] if arguments is None else arguments)
    code = run(given)
    if code is Exit.DONE and (why := voice.lost_data()):
        Talk().warn(f"error: the output could not be written: {why}")
        code = Exit.REFUSED
    voice.close()
    gc.freeze()  # what is left is not gone through once more
    sys.exit(int(code))


def run(arguments: list[str]) -> Exit:
    """The exit code of one command line."""
    # A flag of every command; read here, because what breaks may break before the command is known.
    talk = Talk(as_json="--json" in arguments)
    try:
        cli.main(args=arguments, prog_name="sumesync", standalone_mode=False, obj=tuple(arguments))
    except Quit as ended:
        return ended.code
    except click.exceptions.Exit as ended:
        return Exit.DONE if ended.exit_code == 0 else Exit.USAGE
    except click.UsageError as error:
        return _usage(error, talk)
    except _Broken as broken:
        return _fault(broken.cause, talk, arguments)
    except (click.Abort, KeyboardInterrupt):
        talk.warn("\nInterrupted; nothing was lost.")
        return Exit.INTERRUPTED
    except SumesyncError as error:
        return _explained(error, talk, arguments)
    except Exception as error:  # noqa: BLE001 - the boundary
        return _fault(error, talk, arguments)
    return Exit.DONE


def _trace(error: Exception) -> str:
    """Where it came from, without a secret and without anything that a terminal obeys."""
    text = without_secrets("".join(traceback.format_exception(error)))
    return "\n".join(printable(line) for line in text.splitlines())


def _usage(error: click.UsageError, talk: Talk) -> Exit:
    if talk.as_json:
        from sumesync.render import machine

        talk.out(machine.line(machine.error(UsageError(error.format_message()))))
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        talk.out(error.ctx.get_help() if error.ctx else "")
        return Exit.USAGE
    talk.warn(talk.style_err("error: ", fg="red", bold=True) + printable(error.format_message(), 500))
    if error.ctx is not None:
        talk.warn(f"  see: {error.ctx.command_path} --help")
    return Exit.USAGE


def _explained(error: SumesyncError, talk: Talk, arguments: list[str]) -> Exit:
    from sumesync.render import human, machine

    if talk.as_json:
        talk.out(machine.line(machine.error(error)))  # one line: it may end a stream of events
    for problem in error.problems:
        talk.warn(human.problems([problem], talk.style_err))
    talk.warn(talk.style_err("error: ", fg="red", bold=True) + printable(error.what, 600))
    if error.hint:
        talk.warn(f"  {printable(error.hint, 600)}")
    if "--debug" in arguments:
        talk.warn(_trace(error))
    return error.code


def _fault(error: Exception, talk: Talk, arguments: list[str]) -> Exit:
    text = printable(f"{type(error).__name__}: {error}", 300)
    if talk.as_json:
        from sumesync.render import machine

        talk.out(machine.line(machine.error(SumesyncError(f"a fault in sumesync itself: {text}"))))
    talk.warn(talk.style_err("error: ", fg="red", bold=True) + f"a fault in sumesync itself: {text}")
    if "--debug" in arguments:
        talk.warn(_trace(error))
    else:
        talk.warn("  nothing is lost; run it again with --debug and report what it prints")
    return Exit.FAILED
