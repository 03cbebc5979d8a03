"""The cards of a report: a spec with its media, and its details. Pure: values in, HTML out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sumesync.core.text import amount
from sumesync.render.changes import Run, diff
from sumesync.render.exhibits import SINCE, Card, JobLine, Shot, anchor
from sumesync.render.markup import Html, element, joined, raw

_ALT: Final = 140
_TEASER: Final = 180
"""Characters of a prompt on its card; the whole of it is in the details."""


def grid(cards: list[Card]) -> Html:
    nothing = element(
        "p",
        "Nothing fits. ",
        element("button", "Show everything", type="button", id="clear"),
        id="nothing",
        hidden=True,
    )
    if not cards:
        return element("p", "There are no specs here yet. Write one with: sumesync new image hero", class_="empty")
    items = joined([_card(card) for card in cards], "\n")
    return joined([element("h2", "Media", class_="unseen"), nothing, element("ul", raw("\n"), items, class_="grid")])


def _card(card: Card) -> Html:
    shots = card.now.shots or (card.before.shots if card.before else ())
    teaser = card.now.prompt or (card.before.prompt if card.before else "")
    cut = teaser if len(teaser) <= _TEASER else teaser[: _TEASER - 1] + "…"
    marks = list(_marks(card))
    if card.cost is not None:
        marks.append(element("span", f"{amount(card.cost)} credits", class_="cost"))
    return element(
        "li",
        element("div", _face(card, shots), class_="face" if any(shot.thumb for shot in shots) else "face bare"),
        element("h3", element("a", card.title, href=f"#{anchor(card.key)}", class_="open", dir="auto")),
        element("p", element("bdi", card.key), class_="path"),
        element("p", cut, class_="teaser", dir="auto") if cut else None,
        element("p", joined(marks, " "), class_="marks"),
        element("details", element("summary", "Details"), _detail(card), class_="more"),
        class_="card",
        id=anchor(card.key),
        data_state=card.state,
        data_since=card.since or None,
        data_folder=card.folder,
        data_tags="\n".join(card.tags) or None,
    )


def _marks(card: Card) -> Iterator[Html]:
    if card.since != "removed":
        yield element("span", card.words, class_=f"mark is-{card.state}")
    if card.since and card.since != "same":
        yield element("span", SINCE[card.since], class_=f"mark is-{card.since}")


def _face(card: Card, shots: tuple[Shot, ...]) -> Html:
    shown = next((shot for shot in shots if shot.thumb), None)
    more = element("span", f"+{len(shots) - 1}", class_="more-of") if len(shots) > 1 else None
    if shown is None:
        note = next((shot.note or _kept(shot) for shot in shots), card.words)
        return joined(filter(None, (element("p", note, class_="absent"), more)))
    thumb = element("img", src=shown.thumb, alt=_alt(card), loading="lazy", decoding="async", class_="thumb")
    plays = element("span", "video", class_="plays") if shown.family == "video" else None
    return joined(filter(None, (thumb, plays, more)))


def _kept(shot: Shot) -> str:
    if shot.text:
        return "a document"
    return f"{shot.family}: no preview" if shot.family else "no preview"


def _alt(card: Card) -> str:
    """The words of the prompt are what the picture is meant to show."""
    words = " ".join((card.now.prompt or (card.before.prompt if card.before else "") or card.title).split())
    return words if len(words) <= _ALT else words[: _ALT - 1] + "…"


def _detail(card: Card) -> Html:
    media = list(_media(card)) or [element("p", card.words, class_="absent large")]
    return element(
        "div",
        element("div", *media, class_="media"),
        element("div", *_facts(card), class_="facts"),
        class_="detail",
    )


def _media(card: Card) -> Iterator[Html]:
    alt = _alt(card)
    if card.before is None or card.since == "same":
        yield from (_figure(shot, alt) for shot in card.now.shots)
        return
    before, after = card.before.shots, card.now.shots
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else None
        new = after[index] if index < len(after) else None
        yield _pair(old, new, alt)


def _pair(old: Shot | None, new: Shot | None, alt: str) -> Html:
    """Before and after. Two pictures can be laid upon each other; a film is played beside the other."""
    both = [_when("Before", old, alt), _when("After", new, alt)]
    if not (old and new and old.file and new.file and old.family == new.family == "image"):
        return element("div", *both, class_="pair")
    slide = element("input", type="range", min=0, max=100, value=50, step=1, aria_label="How much of before is shown")
    mode = element("button", "Side by side", type="button", class_="mode", aria_pressed="false")
    tools = element("div", slide, mode, class_="slide")
    return element("div", element("div", *both, class_="pair"), tools, class_="compare")


def _when(words: str, shot: Shot | None, alt: str) -> Html:
    none = element("p", "There was none." if words == "Before" else "There is none.", class_="absent large")
    return element("div", element("span", words, class_="when"), _figure(shot, f"{words}: {alt}") if shot else none)


def _figure(shot: Shot, alt: str) -> Html:
    size = {"width": shot.width or None, "height": shot.height or None}
    if shot.text:
        body = element("pre", shot.text, tabindex="0", class_="document")
    elif shot.note or not shot.file:
        hint = element("code", shot.hint) if shot.hint else None
        body = element("p", shot.note or "No preview.", " ", hint, class_="absent large")
    elif shot.family == "video":
        body = element(
            "video", src=shot.file, poster=shot.thumb or None, controls=True, preload="none", aria_label=alt, **size
        )
    elif shot.family == "audio":
        body = element("audio", src=shot.file, controls=True, preload="none", aria_label=alt)
    else:
        body = element("img", src=shot.file, alt=alt, loading="lazy", decoding="async", class_="large", **size)
    name: str = element("a", shot.path, href=shot.file) if shot.file else shot.path
    return element("figure", body, element("figcaption", name, dir="auto"))


def _facts(card: Card) -> Iterator[Html]:
    yield element("p", joined(_marks(card), " "), class_="marks")
    if card.reason or card.hint:
        yield element("p", " · ".join(filter(None, (card.reason, card.hint))))
    if card.origin:
        yield element("p", "It stood at ", element("code", card.origin), " before.")
    yield from _prompt(card)
    yield element("h4", "Where")
    copy = element("button", "Copy path", type="button", class_="copy", data_copy=card.path)
    yield element("p", element("code", card.key), " ", copy)
    yield element("h4", "Parameters")
    yield element("dl", *_parameters(card))
    if card.jobs:
        yield element("h4", "Jobs")
        yield element("ul", *map(_job, card.jobs), class_="jobs")
    if card.tags:
        yield element("p", *(element("span", tag, class_="tag") for tag in card.tags), class_="tags")


def _prompt(card: Card) -> Iterator[Html]:
    now, old = card.now.prompt, card.before.prompt if card.before else card.now.prompt
    if card.since == "changed" and old != now:
        yield element("h4", "Prompt: what changed")
        yield element("p", _diff(old, now), class_="prompt diff", dir="auto")
    elif now or old:
        yield element("h4", "Prompt")
        yield element("p", now or old, class_="prompt", dir="auto")


def _diff(before: str, after: str) -> Html:
    runs = diff(before, after, whole=True)
    if runs is None:  # too long to compare
        return joined([element("del", before), "\n\n", element("ins", after)])
    return joined(part for run in runs for part in _run(run))


def _run(run: Run) -> Iterator[str]:
    """The space after words is not part of what is marked."""
    yield run.common
    gone, come = run.gone.rstrip(), run.come.rstrip()
    if gone:
        yield element("del", gone)
    if gone and come:
        yield " "
    if come:
        yield element("ins", come)
    last = run.come or run.gone
    yield last[len(last.rstrip()) :]


def _parameters(card: Card) -> Iterator[Html]:
    yield _fact("kind", card.kind)
    if card.cost is not None:
        yield _fact("cost", f"{amount(card.cost)} credits")
    now, old = card.now.parameters, card.before.parameters if card.before else card.now.parameters
    if card.since in ("same", "removed", "new"):
        now = old = now or old
    for name in sorted({*now, *old}):
        before, after = old.get(name, ""), now.get(name, "")
        if before == after:
            yield _fact(name, after)
        else:
            gone, come = element("del", before), element("ins", after)
            yield _fact(name, joined(([gone] if before else []) + ([come] if after else []), " "))


def _fact(name: str, value: str) -> Html:
    return element("div", element("dt", name), element("dd", value, dir="auto"))


def _job(job: JobLine) -> Html:
    cost = f", {amount(job.credits)} credits" if job.credits is not None else ""
    return element("li", element("code", job.id), f" {job.state}{cost}")
