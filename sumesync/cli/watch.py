"""``watch``: plan, and with ``--apply`` apply, whenever something changes."""

from __future__ import annotations

import math
import sys
from contextlib import suppress

import click

from sumesync.cli import access, options, wiring
from sumesync.cli.options import Common
from sumesync.cli.person import Person
from sumesync.cli.rounds import Rounds
from sumesync.cli.session import Place
from sumesync.cli.talk import Quit, can_ask, colours, is_terminal
from sumesync.core import schedule
from sumesync.core.text import count
from sumesync.core.watching import Rules
from sumesync.disk.hints import FolderHints
from sumesync.errors import Exit, UsageError
from sumesync.host import SystemClock
from sumesync.model import SANDBOX
from sumesync.render import progress, watching
from sumesync.watch import Watcher

_PACE = schedule.Pace(shortest=5.0, longest=20.0)
_LOCAL = schedule.Pace(shortest=0.5, longest=2.0)


@click.command()
@options.some
@click.option("--apply", "applies", is_flag=True, help="Submit without asking, within the limits below.")
@click.option(
    "--max-jobs",
    type=click.IntRange(min=0),
    metavar="N",
    help="At most N paid jobs in this session; beyond, ask or wait. Default: max_jobs of sumesync.toml.",
)
@click.option(
    "--max-credits",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Begin nothing that would make this session cost more.",
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0, max=3600),
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="Pay for a spec only when it has not changed for so long.",
)
@click.option(
    "--debounce",
    type=click.FloatRange(min=0, max=60),
    default=0.3,
    show_default=True,
    metavar="SECONDS",
    help="Look when the folder has been quiet for so long.",
)
@click.option(
    "--every",
    type=click.FloatRange(min=1, max=86_400),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Look at everything so often, whatever was heard.",
)
@click.option("--poll", is_flag=True, help="Look for changes every second: for network drives, which tell of none.")
@options.connects
@options.common
def watch(
    common: Common,
    paths: tuple[str, ...],
    tags: tuple[str, ...],
    applies: bool,
    max_jobs: int | None,
    max_credits: float | None,
    settle: float,
    debounce: float,
    every: float,
    poll: bool,
) -> None:
    """Keep the media as the specs say, until Ctrl-C.

    Whatever changes, specs, prompt files, settings, sume.lock or the media themselves, is planned anew. On a terminal
    the plan is shown and you are asked. With --apply it is done, once a spec has stood unchanged for the settle time.
    While git is at work, and for the settle time after it moved HEAD, nothing is submitted. A spec that is wrong is
    told once and waits. An apply by hand works beside it.

    \b
    Exit codes: 3 the project cannot be watched, or is gone · 64 the command is wrong · 130 ended by you
    """
    if max_credits is not None and not math.isfinite(max_credits):
        raise UsageError("--max-credits is not a number of credits")
    place = wiring.find(common, paths)
    if applies:
        access.check_access(common, place)
    most = place.config.max_jobs if max_jobs is None else max_jobs
    local = place.endpoint == SANDBOX or access.is_local(common)
    rules = Rules(applies, can_ask(), debounce, settle, every, most, _LOCAL if local else _PACE)
    shows = _view(common)
    rounds = Rounds(common, place, paths, tags, shows, max_credits, max_jobs is not None)
    try:
        hints = FolderHints(place.home.root, poll, lambda text, hint: shows.note("note", text, hint))
        rounds.wrote = hints.wrote
        rounds.person = Person(SystemClock(), hints.wake) if rules.asks else None
        try:
            shows.note("watching", _beginning(place, rules), _how_to(rules))
            Watcher(rounds, hints, rounds, SystemClock(), rules).run()
        finally:
            hints.close()
    except (KeyboardInterrupt, click.Abort):
        pass  # that is how it ends
    finally:
        with suppress(OSError, ValueError):
            shows.close()
    _end(common, rounds)
    raise Quit(Exit.INTERRUPTED)


def _beginning(place: Place, rules: Rules) -> str:
    where = "the sandbox (costs nothing)" if place.endpoint == SANDBOX else "Sume"
    may = (
        f"up to {count(rules.max_jobs, 'paid job')}" if rules.applies else "asks first" if rules.asks else "plans only"
    )
    return f"watching {place.home.root.name} at {where}: {may}. Ctrl-C ends it."


def _how_to(rules: Rules) -> str:
    return "" if rules.applies or rules.asks else "nobody can be asked here; to submit: sumesync watch --apply"


def _view(common: Common) -> watching.View:
    talk = common.talk

    def question(text: str) -> None:
        talk.warn(text, newline=False)

    if talk.as_json:
        return watching.JsonView(talk.out, question)
    if talk.quiet:
        return watching.PlainView(lambda _text: None, talk.say, talk.warn, question, progress.Silent(talk.warn))
    if is_terminal(sys.stderr) and is_terminal(sys.stdout):
        from rich.console import Console

        console = Console(stderr=True, highlight=False, markup=False, no_color=not colours(sys.stderr))
        return watching.LiveSession(console, SystemClock())
    return watching.PlainView(talk.out, talk.say, talk.warn, question)


def _end(common: Common, rounds: Rounds) -> None:
    standing = rounds.standing()
    left = f"; {count(len(standing.running), 'job')} still run: sumesync apply collects" if standing.running else ""
    text = f"Stopped watching: {watching.spent(standing)}{left}."
    if common.talk.as_json:
        rounds.shows.stands(standing)
        rounds.shows.note("end", text)
    else:
        common.talk.say(text)
