"""``avatars``, ``brand`` and ``assets``: what an account has at Sume beside its jobs. Read only, free."""

from __future__ import annotations

import datetime
import math
from typing import Any

import click

from sumesync.cli import options, pages, wiring
from sumesync.cli.options import Common
from sumesync.cli.pages import Listing
from sumesync.core.ids import is_job_id
from sumesync.core.text import printable
from sumesync.errors import UsageError
from sumesync.model import Json
from sumesync.render import human, library, machine

_SCENES = Listing("assets", "asset", library.SCENES, library.scene, library.scene_document)
_AVATARS = Listing("avatars", "avatar", library.AVATARS, library.avatar, library.avatar_document)
_LONGEST = 500
_TEXTS = ("q", "source_type", "segment_type", "brand", "product", "tag", "keyword")
_SORTS = ("relevance", "created_at_desc", "created_at_asc", "duration_desc")


def known_id(text: str, what: str) -> str:
    """Raises UsageError for what can be no id: it would be a part of a URL."""
    if not is_job_id(text):
        raise UsageError(f"{printable(text, 60) or 'nothing'} is not {what}")
    return text


def show_one(common: Common, document: dict[str, Json], whole: bool) -> None:
    """One thing: its values by name."""
    say = common.talk.private if whole else common.talk.out
    if common.talk.as_json:
        say(machine.dump(document))
    else:
        say(human.table(("", ""), library.lines(document)).lstrip("\n"), newline=False)


# --- Avatars and brand ----------------------------------------------------------------------------------


@click.group(short_help="Show the avatars of the workspace.")
def avatars() -> None:
    """The avatars of the workspace, and what each can do."""


@avatars.command("list")
@pages.show_urls
@options.connects
@options.common
def avatars_list(common: Common, show_urls: bool) -> None:
    """List the avatars: id, name, and what each can do, as far as Sume tells."""
    with wiring.connected(common, wiring.around(common)) as api:

        def page(cursor: str | None) -> tuple[Any, str | None]:
            found = api.avatars(cursor)
            return found.avatars, found.cursor

        pages.show(common, _AVATARS, page, None, True, show_urls)


@avatars.command("get")
@click.argument("avatar_id", metavar="ID")
@pages.show_urls
@options.connects
@options.common
def avatars_get(common: Common, avatar_id: str, show_urls: bool) -> None:
    """Show all that Sume tells of one avatar."""
    ident = known_id(avatar_id, "an avatar id")
    with wiring.connected(common, wiring.around(common)) as api:
        found = api.avatar(ident)
    if common.talk.as_json:
        show_one(common, library.avatar_document(found, show_urls), show_urls)
    else:
        show_one(common, library.told(found.document, show_urls), show_urls)


@click.group(short_help="Show the brand of the workspace.")
def brand() -> None:
    """The brand of the workspace: its profile and its reference images."""


@brand.command("show")
@pages.show_urls
@options.connects
@options.common
def brand_show(common: Common, show_urls: bool) -> None:
    """Show the brand's profile. With --show-urls its reference images can be copied into a spec's
    reference_image_urls; such a URL is private, and may expire."""
    with wiring.connected(common, wiring.around(common)) as api:
        found = api.brand()
    if common.talk.as_json:
        show_one(common, library.brand_document(found, show_urls), show_urls)
    else:
        show_one(common, library.told(found.document, show_urls), show_urls)


# --- Assets ---------------------------------------------------------------------------------------------


@click.group(short_help="Search the scenes of the workspace.")
def assets() -> None:
    """The scenes of the workspace's videos. Searching is free."""


@assets.command("search")
@click.option("--q", metavar="TEXT", help="What to look for.")
@click.option("--search-mode", type=click.Choice(["auto", "text"]), help="How to look for it.")
@click.option("--source-type", metavar="TYPE", help="Only scenes of this source.")
@click.option("--segment-type", metavar="TYPE", help="Only segments of this type.")
@click.option("--brand", metavar="NAME", help="Only scenes of this brand.")
@click.option("--product", metavar="NAME", help="Only scenes of this product.")
@click.option("--tag", metavar="TAG", help="Only scenes with this tag.")
@click.option("--keyword", metavar="WORD", help="Only scenes with this keyword.")
@click.option(
    "--cta-present", type=click.BOOL, metavar="true|false", help="Only scenes with, or without, a call to action."
)
@click.option(
    "--min-duration-seconds", type=click.FloatRange(min=0), metavar="N", help="Only scenes this long or longer."
)
@click.option(
    "--max-duration-seconds", type=click.FloatRange(min=0), metavar="N", help="Only scenes this long or shorter."
)
@click.option("--created-after", metavar="DATE", help="2026-03-01, or with a time: 2026-03-01T12:00:00Z.")
@click.option("--created-before", metavar="DATE", help="The same.")
@click.option("--sort", type=click.Choice(_SORTS), help="The order.")
@pages.options
@pages.show_urls
@options.connects
@options.common
def assets_search(
    common: Common, limit: int | None, cursor: str | None, every: bool, show_urls: bool, **asked: Any
) -> None:
    """Search the scenes by any of the filters that the API has. Filters that are not given do not narrow."""
    query = _query(asked) | ({"limit": str(limit)} if limit else {})
    start = pages.checked(cursor)
    with wiring.connected(common, wiring.around(common)) as api:

        def page(cursor: str | None) -> tuple[Any, str | None]:
            found = api.scenes(query, cursor)
            return found.scenes, found.cursor

        pages.show(common, _SCENES, page, start, every, show_urls)


@assets.command("get")
@click.argument("asset_id", metavar="ID")
@pages.show_urls
@options.connects
@options.common
def assets_get(common: Common, asset_id: str, show_urls: bool) -> None:
    """Show all that Sume tells of one scene."""
    ident = known_id(asset_id, "an asset id")
    with wiring.connected(common, wiring.around(common)) as api:
        found = api.scene(ident)
    show_one(common, library.scene_document(found, show_urls), show_urls)


def _query(asked: dict[str, Any]) -> dict[str, str]:
    """The filters as they are sent. Raises UsageError for values that none of them takes."""
    for name in _TEXTS:
        text = asked[name]
        if text is not None and not (text.strip() and len(text) <= _LONGEST and text.isprintable()):
            raise UsageError(f"{_option(name)} is empty, too long or not one line")
    low, high = asked["min_duration_seconds"], asked["max_duration_seconds"]
    for name, value in (("min_duration_seconds", low), ("max_duration_seconds", high)):
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{_option(name)} is not a number of seconds")
    if low is not None and high is not None and low > high:
        raise UsageError("--min-duration-seconds is more than --max-duration-seconds: nothing can be both")
    after, before = (_moment(name, asked[name]) for name in ("created_after", "created_before"))
    if after is not None and before is not None and after >= before:
        raise UsageError("--created-after is not before --created-before: nothing can be both")
    return {name: _sent(value) for name, value in asked.items() if value is not None}


def _moment(name: str, text: str | None) -> datetime.datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{_option(name)} is not a date", "write it like 2026-03-01 or 2026-03-01T12:00:00Z") from None


def _sent(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
