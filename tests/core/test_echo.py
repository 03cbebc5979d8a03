"""What a job tells of its request, held against ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sumesync.core.action import Change
from sumesync.core.echo import apart, differences, text_of

LONG = "A jar on a marble counter, soft morning light, and a towel."


@pytest.mark.parametrize(
    ("request_", "asked", "found"),
    [
        pytest.param({"prompt": "A jar."}, {}, None, id="nothing is told"),
        pytest.param({"prompt": "A jar."}, {"prompt": ""}, None, id="an empty prompt tells nothing"),
        pytest.param({"prompt": "A jar."}, {"prompt": ["A jar."]}, None, id="a prompt that is no text"),
        pytest.param({"prompt": "A jar.", "n": 1}, {"n": 1}, None, id="the rest alike, the prompt not told"),
        pytest.param({"prompt": "A jar."}, {"prompt": "A jar."}, [], id="the same"),
        pytest.param({"prompt": " A\n jar. "}, {"prompt": "a jar."}, [], id="white space and case"),
        pytest.param({"prompt": "Caf\u00e9"}, {"prompt": "Cafe\u0301"}, [], id="two forms of one letter"),
        pytest.param({"prompt": LONG}, {"prompt": LONG[:42]}, [], id="cut"),
        pytest.param({"prompt": LONG}, {"prompt": "A jar…"}, [], id="cut, and told so"),
        pytest.param({"prompt": LONG}, {"prompt": "A jar..."}, [], id="cut, and told so in dots"),
        pytest.param({"prompt": LONG}, {"prompt": "A jar"}, ["prompt"], id="a short one is not a cut one"),
        pytest.param({"prompt": LONG}, {"prompt": "A lid…"}, ["prompt"], id="another, cut"),
        pytest.param({"prompt": "A jar."}, {"prompt": "Another jar."}, ["prompt"], id="another"),
        pytest.param(
            {"prompt": "a https://h/1?s=1"}, {"prompt": "a https://h/…"}, [], id="an address is not shown whole"
        ),
        pytest.param({"prompt": "A", "n": 1}, {"prompt": "A", "n": 2}, ["n"], id="another number"),
        pytest.param({"prompt": "A", "n": 1}, {"n": 2}, ["n"], id="another number alone"),
        pytest.param({"prompt": "A", "n": 1}, {"prompt": "A", "n": 1.0}, [], id="one number in two forms"),
        pytest.param({"prompt": "A", "n": 1}, {"prompt": "A", "n": True}, [], id="truth is no number"),
        pytest.param({"prompt": "A", "b": True}, {"prompt": "A", "b": False}, ["b"], id="another truth"),
        pytest.param({"prompt": "A"}, {"prompt": "A", "seed": 7}, [], id="what we left to Sume"),
        pytest.param({"url": "https://a/1?x=1"}, {"url": "https://b/1"}, None, id="addresses"),
        pytest.param({"n": 1}, {"n": 1}, [], id="a request without a text"),
    ],
)
def test_only_what_plainly_differs_counts(request_: Any, asked: Any, found: list[str] | None) -> None:
    told = differences(request_, asked)
    assert (None if told is None else [change.field for change in told]) == found
    assert all(c == Change(c.field, request_[c.field], asked[c.field]) for c in told or ())


@given(st.text(min_size=1))
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert not differences({"prompt": text}, {"prompt": text})


@given(st.text(), st.text(), st.text())
def test_where_two_texts_differ_is_shown(head: str, one: str, other: str) -> None:
    mine, theirs = apart(head + one, head + other, 60)
    assert len(mine) <= 60
    assert len(theirs) <= 60
    if " ".join((head + one).split()) != " ".join((head + other).split()):
        assert mine != theirs


def test_two_long_texts_are_shown_from_where_they_differ() -> None:
    mine, theirs = apart(f"{LONG} A red lid.", f"{LONG} A blue lid.", 40)
    assert (mine, theirs) == ("…ht, and a towel. A red lid.", "…ht, and a towel. A blue lid.")
    assert apart("A jar.", "A lid.", 40) == ("A jar.", "A lid.")


def test_the_prompt_of_a_job() -> None:
    assert text_of({"script": "Say hello.", "prompt": "A jar."}) == "A jar."
    assert text_of({"script": "Say hello."}) == "Say hello."
    assert text_of({"prompt": 7}) == ""
