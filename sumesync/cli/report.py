"""``report``: a page with the media of the project, for people who review them. Offline, without a key."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from sumesync.cli import earlier, exhibition, options, scope, wiring
from sumesync.cli.options import Common
from sumesync.core.action import Verb
from sumesync.core.text import count, printable
from sumesync.disk import album, history, shipped
from sumesync.errors import UsageError
from sumesync.model import SANDBOX
from sumesync.render import gallery, machine
from sumesync.render.exhibits import SINCE, Card, Gallery


@click.command()
@options.some
@click.option(
    "--html",
    "into",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the page and its media here; an earlier report is replaced.",
)
@click.option("--since", "ref", metavar="REF", help="Show before and after, from where REF and HEAD part.")
@options.project
@options.common
def report(common: Common, paths: tuple[str, ...], tags: tuple[str, ...], into: Path, ref: str | None) -> None:
    """Write a page that shows every spec with its picture or video, prompt, parameters, state and cost.

    DIR/index.html opens from the disk and from any web server, and asks nobody for anything. PATHS are specs or
    folders. Needs no key and no network, and changes nothing but DIR.
    """
    session = wiring.look(wiring.find(common, paths), recalling=True)
    home = session.place.home
    target = album.target_of(home.root, common.folder / into)
    if ref is not None and not home.in_git:
        raise UsageError("--since needs a git repository, and the project is in none")
    base = history.base_of(home.root, ref) if ref is not None else ""
    accept = scope.chosen(common, session, paths, tags)
    plan_ = scope.narrowed(common, session, session.policy(), paths, tags)
    with album.writing(target) as made:
        cards = exhibition.cards(session, plan_, made)
        if base:
            then = earlier.look(common, session, base)
            cards = earlier.compared(session, cards, then, made, accept)
        shown = Gallery(
            name=home.root.name,
            cards=cards,
            waiting=len(plan_.of(Verb.INVALID, Verb.ATTENTION)),
            sandbox=session.place.endpoint == SANDBOX,
            since=f"{ref} ({base[:9]})" if base else "",
        )
        assets = gallery.Assets(shipped.asset("gallery.css"), shipped.asset("gallery.js"))
        made.write("index.html", gallery.page(shown, assets).encode())
    _told(common, target, cards, made.kept, base)


def _told(common: Common, target: Path, cards: tuple[Card, ...], kept: tuple[album.Kept, ...], base: str) -> None:
    became = Counter(card.since for card in cards)
    variants = [card for card in cards if card.state != "gone"]
    specs = len({card.path for card in variants})
    size = sum(file.size for file in kept)
    if common.talk.as_json:
        document = {
            "page": str(target / "index.html"),
            "specs": specs,
            "variants": len(variants),
            "media": len(kept),
            "bytes": size,
            **({"base": base, "since": {name: became[name] for name in SINCE}} if base else {}),
        }
        common.talk.out(machine.dump(document))
        return
    common.talk.out(printable(str(target / "index.html")))
    words = [count(specs, "spec"), count(len(kept), "media file"), f"{size / 1e6:,.1f} MB"]
    words += [f"{became[name]} {words_}" for name, words_ in SINCE.items() if became[name] and base]
    common.talk.say(f"{', '.join(words)}. Open it in a browser.")
