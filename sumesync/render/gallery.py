"""The report: one page with the media of a project, their prompts and what they cost. Pure: values in, HTML out.

The page asks nobody for anything. Its policy allows its own style and script, by their hashes, and the media of its own
folder. What people wrote is escaped by ``markup``; nothing of theirs is a file name, a style or a script.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sumesync.core.text import amount
from sumesync.render.cards import grid
from sumesync.render.exhibits import SINCE, Card, Gallery
from sumesync.render.markup import Html, element, joined, raw


@dataclass(frozen=True, slots=True)
class Assets:
    """Our own style and script."""

    style: str
    script: str


def page(gallery: Gallery, assets: Assets) -> str:
    """The whole document."""
    title = f"{gallery.name}: media report"
    cards = sorted(gallery.cards, key=_order)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy(assets)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="icon.svg"),
        element("style", raw(assets.style)),
    )
    body = element(
        "body",
        element("a", "Skip to the media", class_="skip", href="#media"),
        _header(gallery),
        element("main", _filters(gallery), grid(cards), id="media", tabindex="-1"),
        _footer(),
        _dialog(),
        element("script", raw(assets.script)),
    )
    return f'<!doctype html>\n<html lang="en">{head}\n{body}</html>\n'


def policy(assets: Assets) -> str:
    """The page's Content-Security-Policy. ``file:`` stands beside 'self' for browsers that take every local file for an
    origin of its own; a page from a host cannot load such files anyway."""
    style, script = (_hash(text) for text in (assets.style, assets.script))
    rules = (
        "default-src 'none'",
        "img-src 'self' file:",
        "media-src 'self' file:",
        f"style-src '{style}'",
        f"script-src '{script}'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _order(card: Card) -> tuple[int, str, str]:
    return (list(SINCE).index(card.since) if card.since else 0, card.folder, card.key)


# --- Around the media --------------------------------------------------------------------------------------------


def _header(gallery: Gallery) -> Html:
    cards = [card for card in gallery.cards if card.state != "gone"]
    files = sum(1 for card in cards for shot in card.now.shots if shot.file)
    costs = [card.cost for card in cards if card.cost is not None]
    specs = len({card.path for card in cards})
    facts = [(f"{specs:,}", "spec" if specs == 1 else "specs", "")]
    if specs != len(cards):
        facts.append((f"{len(cards):,}", "variants", ""))
    facts.append((f"{files:,}", "media file" if files == 1 else "media files", ""))
    if costs:
        facts.append((amount(sum(costs)), "credits in the sandbox" if gallery.sandbox else "credits", ""))
    facts.append((f"{gallery.waiting:,}", "needs you" if gallery.waiting == 1 else "need you", "waiting"))
    totals = [
        element("li", element("b", number), " ", words, class_=kind if gallery.waiting else None)
        for number, words, kind in facts
    ]
    since = element("p", "Compared with ", element("b", gallery.since), class_="since") if gallery.since else None
    return element(
        "header",
        element("div", element("h1", gallery.name, dir="auto"), since, class_="name"),
        element("ul", *totals, class_="totals", aria_label="Totals"),
        class_="top",
    )


def _filters(gallery: Gallery) -> Html:
    cards = gallery.cards
    states = {card.state: card.words for card in cards}
    numbers = Counter(card.state for card in cards)
    rows = [_chips("state", "State", [(state, states[state], numbers[state]) for state in sorted(states, key=_rank)])]
    if gallery.since:
        became = Counter(card.since for card in cards)
        rows.insert(0, _chips("since", "Since then", [(s, SINCE[s], became[s]) for s in SINCE if became[s]]))
    folders = Counter(card.folder for card in cards)
    tags = Counter(tag for card in cards for tag in card.tags)
    tools = [
        element(
            "label",
            element("span", "Search", class_="unseen"),
            element("input", type="search", id="search", placeholder="Search  ( / )", autocomplete="off"),
            class_="search",
        )
    ]
    if len(folders) > 1:
        tools.append(_choice("folder", "Folder", "All folders", [(name, name or "(top)") for name in sorted(folders)]))
    if tags:
        tools.append(_choice("tag", "Tag", "All tags", [(tag, tag) for tag in sorted(tags)]))
    tools.append(element("p", f"{len(cards):,} shown", id="count", role="status", class_="count"))
    return element(
        "section",
        element("div", *tools, class_="tools"),
        element("div", *rows, class_="rows"),
        class_="filters",
        aria_label="Filters",
    )


_RANKS: Final = ("invalid", "failed", "attention", "edited", "create", "update", "resume")


def _rank(state: str) -> tuple[int, str]:
    return (_RANKS.index(state) if state in _RANKS else len(_RANKS), state)


def _chips(group: str, title: str, chips: Iterable[tuple[str, str, int]]) -> Html:
    buttons = [
        element(
            "button",
            element("span", words),
            " ",
            element("span", f"{number:,}", class_="number"),
            type="button",
            class_=f"chip is-{value}",
            data_group=group,
            data_value=value,
            aria_pressed="false",
        )
        for value, words, number in chips
    ]
    return element("div", element("span", title, class_="legend"), *buttons, role="group", aria_label=title)


def _choice(name: str, title: str, every: str, values: Iterable[tuple[str, str]]) -> Html:
    # A folder may be "", so that "all" needs a value that none can have.
    options = [element("option", every, value="/")]
    options += [element("option", words, value=value) for value, words in values]
    return element(
        "label", element("span", title, class_="unseen"), element("select", *options, id=name, data_group=name)
    )


def _footer() -> Html:
    keys = joined(
        [
            element("kbd", "/"),
            " search · ",
            element("kbd", "←"),
            element("kbd", "→"),
            " move · ",
            element("kbd", "Enter"),
            " open · ",
            element("kbd", "Esc"),
            " close",
        ]
    )
    made = "Made by sumesync report. This page asks nobody for anything."
    return element("footer", element("p", made), element("p", keys, class_="keys"))


def _dialog() -> Html:
    def button(name: str, sign: str, words: str) -> Html:
        return element("button", sign, type="button", id=name, aria_label=words, title=words)

    return element(
        "dialog",
        element(
            "div",
            element("h3", id="title", dir="auto", tabindex="-1", autofocus=True),
            element("p", id="place", class_="place"),
            button("previous", "←", "Previous"),
            button("next", "→", "Next"),
            button("close", "✕", "Close"),
            class_="bar",
        ),
        element("div", id="body", tabindex="0", role="group", aria_label="Details"),
        element("p", id="told", role="status", class_="unseen"),
        id="view",
        aria_labelledby="title",
    )
