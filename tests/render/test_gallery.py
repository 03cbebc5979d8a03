"""The report's page: everything escaped, nothing asked for, whole without a script."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sumesync.disk import shipped
from sumesync.render.exhibits import SINCE, Card, Gallery, JobLine, Shot, Side, anchor
from sumesync.render.gallery import Assets, page, policy

ASSETS = Assets(shipped.asset("gallery.css"), shipped.asset("gallery.js"))
SHOT = Shot("launch/hero.png", "media/aa.png", "thumbs/aa.jpg", "image", 640, 800)
OLD = Shot("launch/hero.png", "media/bb.png", "thumbs/bb.jpg", "image", 640, 800)
FILM = Shot("launch/film.mp4", "media/cc.mp4", "thumbs/cc.jpg", "video", 720, 1280)
HERO = Card(
    "launch/hero.sume.toml",
    "launch/hero.sume.toml",
    "hero",
    "image",
    "keep",
    "up to date",
    Side("A red cup.", {"resolution": "2k"}, (SHOT,)),
    tags=("web",),
    jobs=(JobLine("job_1", "completed", 4),),
    cost=4,
)
CHANGED = replace(HERO, since="changed", before=Side("A blue cup.", {"resolution": "1k"}, (OLD,)))
OURS = {
    *("html", "head", "meta", "title", "link", "style", "script", "body", "header", "main", "footer", "section", "div"),
    *("h1", "h2", "h3", "h4", "p", "b", "ul", "li", "dl", "dt", "dd", "a", "span", "bdi", "kbd", "code", "del", "ins"),
    *("button", "label", "input", "select", "option", "img", "video", "audio", "figure", "figcaption"),
    *("details", "summary", "dialog", "pre"),
}
EVIL = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- ", "]]>", "&lt;b&gt;&amp;amp;", "</style><style>*{}", "\u202etxt.exe", "\x00\x1b[31m", "\ud800",
    "javascript:alert(1)", "https://evil.example/x.png", "</dialog></title></textarea>",
)  # fmt: skip


class Read(HTMLParser):
    """What a browser would make of a page: its elements, and the text outside of styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("style", "script"):
            self.raw[self._inside] = self.raw.get(self._inside, "") + data
        else:
            self.text += data

    def of(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def shown(*cards: Card, **fields: object) -> str:
    return page(Gallery("shop", cards, **fields), ASSETS)  # type: ignore[arg-type]  # any field


@given(st.lists(st.text() | st.sampled_from(EVIL), min_size=9, max_size=9))
def test_whatever_people_wrote_is_text(words: list[str]) -> None:
    name, path, title, prompt, old, field, value, tag, hint = words
    card = Card(
        path, path, title, value, "keep", hint,
        Side(prompt, {field: value}, (SHOT, replace(SHOT, path=path, file=""), Shot(path, text=f"x{prompt}"))),
        reason=title, hint=hint, tags=(tag,), jobs=(JobLine(name, hint, 1.5),), origin=path,
        since="changed", before=Side(old, {field: tag}, (OLD,)),
    )  # fmt: skip
    plain = replace(
        card, key="k", path="k", title="t", kind="v", words="w", reason="t", hint="h", tags=("g",),
        now=Side("p", {"f": "v"}, (SHOT, replace(SHOT, file=""), Shot("k", text="x"))),
        jobs=(JobLine("j", "h", 1.5),), origin="k",
        before=Side("o", {"f": "g"}, (OLD,)),
    )  # fmt: skip
    made = Read(page(Gallery(name, (card,), since=hint or "-"), ASSETS))
    usual = Read(page(Gallery("n", (plain,), since="-"), ASSETS))
    assert {tag for tag, _ in made.elements} <= OURS
    names = {name for _, attributes in usual.elements for name in attributes}
    assert {name for _, attributes in made.elements for name in attributes} <= names | {"aria-label"}
    assert {a["src"] for a in made.of("img", "video")} == {a["src"] for a in usual.of("img", "video")}
    allowed = {"#media", "icon.svg", f"#{anchor(path)}", "media/aa.png", "media/bb.png"}
    assert {a["href"] for a in made.of("a", "link")} <= allowed
    assert made.raw == usual.raw


@pytest.mark.parametrize("evil", EVIL)
def test_what_people_wrote_is_still_there_to_read(evil: str) -> None:
    made = Read(shown(replace(HERO, now=replace(HERO.now, prompt=f"one {evil} two"))))
    assert re.search(r"one .* two", made.text)
    assert not {"\u202e", "\x00", "\x1b", "\ud800"} & set(made.text)


def test_the_policy_is_strict_and_fits_the_page() -> None:
    made = Read(shown(CHANGED, since="main"))
    rules = dict(rule.split(" ", 1) for rule in policy(ASSETS).split("; "))
    assert [m["content"] for m in made.of("meta") if m.get("http-equiv")] == [policy(ASSETS)]
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for name in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(made.raw[name].encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in policy(ASSETS)
    names = {name for _, attributes in made.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert not made.of("form", "base", "iframe", "object", "embed")


def test_the_page_names_no_address_but_its_own() -> None:
    text = shown(CHANGED, replace(HERO, now=Side("A film.", {}, (FILM,))), since="main")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|innerHTML|eval\(", text.replace("  // ", ""))
    assert {a.get("preload") for a in Read(text).of("video")} == {"none"}


def test_before_and_after() -> None:
    text = shown(CHANGED, since="main (1a2b3c4d5)")
    assert "A <del>blue</del> <ins>red</ins> cup." in text
    assert "<del>1k</del> <ins>2k</ins>" in text
    assert "Compared with <b>main (1a2b3c4d5)</b>" in text
    assert Read(text).of("input")[1]["type"] == "range"
    assert 'alt="Before: A red cup."' in text


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (replace(CHANGED, now=Side("A red cup.")), "There is none."),
        (replace(CHANGED, before=Side()), "There was none."),
        (replace(HERO, now=Side("x", {}, (FILM,)), since="changed", before=Side("x", {}, (FILM,))), "<video"),
    ],
)
def test_without_two_pictures_there_is_no_slider(card: Card, expected: str) -> None:
    text = shown(card, since="main")
    assert expected in text
    assert not [a for a in Read(text).of("input") if a["type"] == "range"]


def test_what_became_of_a_spec_comes_first() -> None:
    cards = [replace(HERO, key=f"{since}.sume.toml", path=f"{since}.sume.toml", since=since) for since in SINCE]
    made = Read(shown(*reversed(cards), since="main"))
    assert [a["data-since"] for a in made.of("li") if "data-since" in a] == list(SINCE)
    chips = [a["data-value"] for a in made.of("button") if a.get("data-group") == "since"]
    assert chips == list(SINCE)


def test_totals() -> None:
    gone = replace(HERO, key="old.sume.toml", path="old.sume.toml", state="gone")
    text = Read(shown(HERO, replace(HERO, key="b", path="b", cost=2.5), gone, waiting=1)).text
    assert "2 specs2 media files6.50 credits1 needs you" in text
    assert "1 spec2 variants" in Read(shown(HERO, replace(HERO, key=f"{HERO.path}[blue]"))).text
    assert "credits in the sandbox" in Read(shown(HERO, sandbox=True)).text


@pytest.mark.parametrize(
    ("prompt", "alt"),
    [("A red\n  cup.", "A red cup."), ("", "hero"), ("x" * 200, "x" * 139 + "…")],
)
def test_the_words_of_a_prompt_stand_for_its_picture(prompt: str, alt: str) -> None:
    made = Read(shown(replace(HERO, now=replace(HERO.now, prompt=prompt))))
    assert {a["alt"] for a in made.of("img")} == {alt}


def test_media_that_are_not_there_say_what_to_do() -> None:
    absent = Shot("a.png", note="Kept in git-lfs, and not here yet.", hint="git lfs pull")
    text = shown(replace(HERO, now=Side("A cup.", {}, (absent,))))
    assert "Kept in git-lfs, and not here yet. <code>git lfs pull</code>" in text
    assert "There are no specs here yet" in shown()


def test_a_thousand_specs() -> None:
    prompt = "A ceramic coffee set on a white counter, soft morning light, steam rising. " * 6
    one = replace(HERO, now=replace(HERO.now, prompt=prompt))
    paths = [f"f{number % 9}/s{number}.sume.toml" for number in range(1000)]
    text = shown(*(replace(one, key=path, path=path) for path in paths))
    pictures = Read(text).of("img")
    assert len(pictures) == 2000
    assert {(a["loading"], a["decoding"]) for a in pictures} == {("lazy", "async")}
    assert len(text) < 2_500_000
    assert "content-visibility: auto" in text
