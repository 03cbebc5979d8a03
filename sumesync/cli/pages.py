"""Lists that come in pages: one page, or all of them, printed as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

import click

from sumesync.cli.options import Common
from sumesync.cli.talk import Quit
from sumesync.core.decide import quoted
from sumesync.core.text import count, printable
from sumesync.errors import ApiError, UsageError
from sumesync.model import Json
from sumesync.render import library

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])
MOST_PAGES = 2_000
"""A list that is longer does not end, or is nothing to print."""
MOST_ITEMS = 100
_CURSOR = 2_000


@dataclass(frozen=True, slots=True)
class Listing(Generic[_T]):
    """What is listed: its name in JSON, its columns, and how an item of it is shown."""

    name: str
    noun: str
    head: tuple[str, ...]
    row: Callable[[_T, bool], tuple[str, ...]]
    document: Callable[[_T, bool], dict[str, Json]]


def options(command: _F) -> Any:
    """``--limit``, ``--cursor``, ``--all``."""
    command = click.option("--all", "every", is_flag=True, help="Follow the pages to the end.")(command)
    command = click.option("--cursor", metavar="CURSOR", help="Begin with the page behind this cursor.")(command)
    return limit(command)


def limit(command: _F) -> Any:
    return click.option(
        "--limit", type=click.IntRange(1, MOST_ITEMS), metavar="N", help=f"Items of a page, 1 to {MOST_ITEMS}."
    )(command)


def show_urls(command: _F) -> Any:
    return click.option("--show-urls", is_flag=True, help="Print private URLs whole. Whoever has one can open it.")(
        command
    )


def checked(cursor: str | None) -> str | None:
    """Raises UsageError for what is no cursor."""
    if cursor is not None and not (0 < len(cursor) <= _CURSOR and cursor.isascii() and cursor.isprintable()):
        raise UsageError("--cursor is not a cursor", "copy it from the end of the page before")
    return cursor


def show(
    common: Common,
    listing: Listing[_T],
    fetch: Callable[[str | None], tuple[Sequence[_T], str | None]],
    cursor: str | None,
    every: bool,
    whole: bool,
) -> None:
    """Print the page behind ``cursor``, or with ``every`` all from there on, each as it arrives. Of a list that
    breaks off, what came stays told, with the cursor to go on from."""
    talk = common.talk
    say = talk.private if whole else talk.out
    table, stream = library.Columns(listing.head, talk.style), library.Stream(listing.name)
    seen, total = {cursor}, 0
    while True:
        try:
            if len(seen) > MOST_PAGES:
                raise ApiError(f"Sume's pages of {listing.noun}s do not end", "narrow the list with filters")
            items, following = fetch(cursor)
        except ApiError as error:
            if not stream.begun:
                raise
            _broken_off(common, stream, error, cursor)
        total += len(items)
        if talk.as_json:
            say(stream.add(listing.document(item, whole) for item in items), newline=False)
        else:
            stream.add(())
            say(table.add(listing.row(item, whole) for item in items), newline=False)
        if not every or following is None:
            break
        if following in seen:
            why = f"Sume's pages of {listing.noun}s lead in a circle"
            _broken_off(common, stream, ApiError(why, "what came until here is all that can be had"), None)
        cursor = following
        seen.add(cursor)
    if talk.as_json:
        say(stream.end(next_cursor=following))
        return
    talk.say(f"{count(total, listing.noun)}.")
    if following is not None:
        talk.say(f"There are more: --cursor {quoted(following)} shows the next page, --all shows all.")


def _broken_off(common: Common, stream: library.Stream, error: ApiError, cursor: str | None) -> NoReturn:
    talk = common.talk
    if not talk.as_json:
        if cursor:
            talk.warn(f"The list is not whole; go on with: --cursor {quoted(cursor)}")
        raise error
    told: dict[str, Json] = {"what": error.what, "hint": error.hint, "exit_code": int(error.code)}
    talk.out(stream.end(next_cursor=cursor, error=told))
    talk.warn(f"error: {printable(error.what, 600)}")
    if error.hint:
        talk.warn(f"  {printable(error.hint, 600)}")
    raise Quit(error.code)
