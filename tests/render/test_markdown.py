"""A plan as a comment on a pull request, and as notes at the specs' lines: nothing of a stranger's comes to life."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.action import Plan
from sumesync.errors import Problem
from sumesync.model import SUME, EntryKey, Wanted
from sumesync.render import github, markdown
from sumesync.render.human import View
from sumesync.render.style import plain
from tests.builders import KINDS, document, examples, planned, wanted
from tests.values import HERO, HERO_DONE, HERO_FILES, HERO_UNKNOWN, RED

EVIL = "@team #12 ![x](https://evil.example/x.png) <img src=x> `a` | </code></pre></details> <!-- & -->\n\n# Title"


def view(*specs: Wanted, name: str = "shop") -> View:
    return View(name, SUME, {spec.key: spec for spec in specs}, KINDS, 100, plain)


def changed(*more: Wanted) -> Plan:
    return planned(
        RED,
        *more,
        entries=[HERO_DONE],
        files=HERO_FILES,
        documents={"launch/hero.sume.json": document(HERO, HERO_DONE)},
        problems=[Problem("bad.sume.toml", "zzz is not a field of image", "did you mean prompt?", 2, 1)],
    )


def test_the_comment_word_for_word() -> None:
    found = changed(wanted("a.sume.toml", "new", aspect_ratio="4:5"))
    specs = (RED, wanted("a.sume.toml", "new", aspect_ratio="4:5"))
    assert (
        markdown.plan(found, view(*specs), "About 8 credits.")
        == """\
<!-- sumesync plan: shop -->

### Media plan: <code>shop</code>

**Plan: 1 to create, 1 to update; 0 unchanged. 2 paid jobs.**

<code>1 spec invalid: nothing is submitted (--keep-going: the rest is).</code>

About 8 credits.

<table>
<tr><th>what</th><th>spec</th><th>why</th></tr>
<tr><td>❌ invalid</td><td><code>bad.sume.toml</code></td><td><code>1 problem</code></td></tr>
<tr><td>➕ create</td><td><code>a.sume.toml</code></td><td><code>image 4:5 · new</code></td></tr>
<tr><td>✏️ update</td><td><code>launch/hero.sume.toml</code></td><td><code>image · changed: prompt</code></td></tr>
</table>

<details><summary>Problems</summary>
<ul>
<li><code>bad.sume.toml:2:1</code> <code>zzz is not a field of image; did you mean prompt?</code></li>
</ul>
</details>

<details><summary>What changes</summary>
<code>launch/hero.sume.toml</code>
<pre>prompt: A <ins>red</ins> cup on a white table
replaces launch/hero.png</pre>
</details>
"""
    )


def test_a_plan_with_nothing_to_do_is_its_summary() -> None:
    assert markdown.plan(Plan(), view()).splitlines()[4:] == ["**Nothing to do.**"]


class Tags(HTMLParser):
    """Every tag that a browser would see, and the text that no <code> or <pre> holds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.loose = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.seen.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.open):
            self.loose += data


OURS = {"code", "pre", "table", "tr", "td", "th", "details", "summary", "ul", "li", "del", "ins"}


@settings(max_examples=examples(60))
@given(text=st.text(max_size=60) | st.sampled_from([EVIL, EVIL[::-1]]))
def test_what_people_wrote_stays_text(text: str) -> None:
    before = replace(HERO, request={"prompt": "A cup", "extra": text})
    after = replace(RED, request={"prompt": f"A {text} cup", "extra": {"deep": [text]}})
    found = planned(
        after,
        entries=[HERO_DONE],
        files=HERO_FILES,
        documents={"launch/hero.sume.json": document(before, HERO_DONE)},
        problems=[Problem(f"{text}.sume.toml", text, text, 1, 1)],
    )
    comment = markdown.plan(found, view(after, name=text))
    tags = Tags(comment)
    assert tags.seen <= OURS
    assert not tags.open
    assert "@" not in tags.loose
    assert "![" not in tags.loose
    assert comment.count("<!--") == 1


def test_a_large_plan_fits_and_says_what_it_leaves_out() -> None:
    specs = [wanted(f"folder/{number:04}.sume.toml", "x" * 40) for number in range(3_000)]
    comment = markdown.plan(planned(*[replace(s, fingerprint=s.fingerprint) for s in specs]), view(*specs))
    assert len(comment) <= markdown.MOST - 500, "action/plan adds a link"
    rows = comment.count("<tr><td>")
    left = re.search(r"\*\*([\d,]+) lines did not fit", comment)
    assert left
    assert rows + int(left[1].replace(",", "")) == 3_000
    assert comment.count("<table>") == comment.count("</table>")


def test_one_long_change_does_not_break_the_limit() -> None:
    after = replace(RED, request={"prompt": "word " * 900 + "end"})
    document_ = document(replace(HERO, request={"prompt": "other " * 900}), HERO_DONE)
    found = planned(after, entries=[HERO_DONE], files=HERO_FILES, documents={"launch/hero.sume.json": document_})
    assert len(markdown.plan(found, view(after))) <= markdown.MOST


@pytest.mark.parametrize(
    ("name", "marker"),
    [("shop", "<!-- sumesync plan: shop -->"), ("a --> b", "<!-- sumesync plan: a_____b -->")],
)
def test_the_marker_names_the_project(name: str, marker: str) -> None:
    assert markdown.marker(name) == marker


def test_notes_at_the_lines_of_specs() -> None:
    waiting = replace(HERO, key=EntryKey("w.sume.toml"), fingerprint="v1:" + "9" * 64)
    found = replace(changed(), actions=(*changed().actions, *planned(waiting, entries=[]).actions))
    assert github.plan(found, "media").splitlines() == [
        "::error file=media/bad.sume.toml,line=2,col=1,title=sumesync%3A invalid spec"
        "::zzz is not a field of image; did you mean prompt?",
        "::notice file=media/launch/hero.sume.toml,line=1,title=sumesync%3A update::changed: prompt: 1 paid job",
        "::notice file=media/w.sume.toml,line=1,title=sumesync%3A create::new: 1 paid job",
    ]


def test_a_note_is_one_command() -> None:
    evil = "x\n::error::y\r%0A::set-output name=a::b"
    lines = github.plan(planned(problems=[Problem(f"{evil},:.sume.toml", evil, evil, 1, 1)])).splitlines()
    assert len(lines) == 1
    properties = lines[0].removeprefix("::error ").partition("::")[0]
    assert [part.partition("=")[0] for part in properties.split(",")] == ["file", "line", "col", "title"]


def test_an_unknown_payment_is_an_error() -> None:
    found = planned(HERO, journal=[HERO_UNKNOWN])
    assert github.plan(found).startswith("::error file=launch/hero.sume.toml,line=1,title=sumesync%3A needs a decision")
