"""``NAME.sume.json``: enough to make the lock again, without a secret in it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from sumesync.core import metadata
from sumesync.core.action import Change
from sumesync.core.changes import changes
from sumesync.disk import schemas
from sumesync.model import Entry, EntryKey, JobState, Json, Wanted
from tests.builders import document, entry, examples, job, past, wanted
from tests.core.strategies import entries
from tests.values import HERO, HERO_DONE, HERO_FAILED, HERO_JOB, RED, RED_DONE, TEASER, TEASER_DONE

SIGNED = "https://media.sume.so/a.png?X-Signature=secret#part"


def validator() -> Draft202012Validator:
    lock = Resource.from_contents(schemas.load("lock"))
    registry: Registry[Any] = Registry().with_resource("urn:sumesync:schema:lock:1", lock)
    return Draft202012Validator(schemas.load("metadata"), registry=registry)


def test_the_text_is_pinned() -> None:
    spec = replace(HERO, meta={"title": "Héro"})
    assert (
        metadata.render(spec, entry(HERO, HERO_FAILED))
        == f"""\
{{
  "format_version": 1,
  "spec": "launch/hero.sume.toml",
  "take": 1,
  "request": {{
    "prompt": "A cup on a white table"
  }},
  "meta": {{
    "title": "Héro"
  }},
  "kind": "image",
  "fingerprint": "{HERO.fingerprint}",
  "jobs": [
    {{
      "id": "job_hero",
      "state": "failed",
      "attempt": 1,
      "error": {{
        "code": "content_policy",
        "request_id": "req_1"
      }}
    }}
  ]
}}
"""
    )


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (EntryKey("launch/hero.sume.toml"), "launch/hero.sume.json"),
        (EntryKey("hero.sume.toml", "tall"), "hero-tall.sume.json"),
    ],
)
def test_it_stands_beside_its_spec(key: EntryKey, path: str) -> None:
    assert metadata.path_of(key) == path


@given(entries, st.integers(1, 9))
@settings(max_examples=examples(80))
def test_what_is_written_reads_back_and_conforms_to_the_schema(its: Entry, take: int) -> None:
    spec = replace(HERO, key=its.key, take=take)
    text = metadata.render(spec, its)
    found = metadata.read(text)
    assert (found.ours, found.entry, found.take, found.request) == (True, its, take, HERO.request)
    assert list(validator().iter_errors(json.loads(text))) == []


@pytest.mark.parametrize(("spec", "its"), [(HERO, HERO_DONE), (RED, RED_DONE), (TEASER, TEASER_DONE)])
def test_each_sort_conforms_to_the_schema(spec: Any, its: Entry) -> None:
    validator().validate(json.loads(metadata.render(spec, its)))


def test_urls_stand_without_what_signs_them() -> None:
    spec = wanted(
        "a.sume.toml",
        f"like {SIGNED} please",
        reference_image_urls=[SIGNED, "https://u:p@a.example/x?y"],
        deep={"a": SIGNED},
    )
    text = metadata.render(replace(spec, meta={"see": SIGNED}), entry(spec, HERO_JOB))
    assert "secret" not in text
    assert "u:p" not in text
    assert json.loads(text)["request"] == {
        "prompt": "like https://media.sume.so/a.png please",
        "reference_image_urls": ["https://media.sume.so/a.png", "https://a.example/x"],
        "deep": {"a": "https://media.sume.so/a.png"},
    }


def _with_all() -> tuple[Wanted, Entry, str]:
    """Metadata with every part that they can have, but a document."""
    spec = replace(
        RED, meta={"tags": ["spring"], "done": True}, request={**RED.request, "seed": 1, "list": [1, {"a": 2}]}
    )
    its = entry(spec, HERO_JOB, job("j", JobState.COMPLETED, attempt=2), history=(past(HERO, HERO_FAILED),))
    return spec, its, metadata.render(spec, its, None, {HERO.fingerprint: metadata.Asked(1, HERO.request)})


@given(
    entries,
    st.integers(1, 9),
    st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5) | st.booleans()),
)
@settings(max_examples=examples(80))
def test_what_we_wrote_is_never_stale_however_it_is_laid_out(its: Entry, take: int, meta: dict[str, Any]) -> None:
    spec = replace(HERO, key=its.key, take=take, meta=meta)
    text = metadata.render(spec, its, None, metadata.read(metadata.render(spec, its)).asked)
    for laid_out in (text, text.replace("\n", "\r\n"), json.dumps(json.loads(text), sort_keys=True)):
        assert not metadata.stale(spec, its, metadata.read(laid_out))
        assert (
            metadata.read(laid_out, its) == metadata.read(laid_out, replace(its, kind="x")) == metadata.read(laid_out)
        )
    assert metadata.stale(replace(spec, take=take + 1), its, metadata.read(text))
    assert metadata.stale(replace(spec, meta={**meta, "more": 1}), its, metadata.read(text))
    assert metadata.stale(spec, replace(its, kind=its.kind + "x"), metadata.read(text))


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*here, name)
        yield from _places(item, (*here, name))


def _put(value: Any, place: tuple[Any, ...], change: Callable[[Any], Any]) -> None:
    for name in place[:-1]:
        value = value[name]
    if place:
        value[place[-1]] = change(value[place[-1]])
    else:
        change(value)


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)  # the same to Python, not to JSON
    return value + 1 if isinstance(value, int) else [value]


# Of what was asked for earlier nobody else knows: what it says of that stays.
EARLIER = {("history", 0, "take"), ("history", 0, "request")}
PLACES = [place for place in _places(json.loads(_with_all()[2])) if place[:3] not in EARLIER]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_whatever_else_it_says_is_stale(place: tuple[Any, ...]) -> None:
    spec, its, text = _with_all()
    for change in (_another, lambda _: None, lambda value: {**value, "x": 1} if isinstance(value, dict) else {}):
        said = json.loads(text)
        _put(said, place, change)
        assert metadata.stale(spec, its, metadata.read(json.dumps(said)))
        assert metadata.read(json.dumps(said), its) == metadata.read(json.dumps(said))
    less = json.loads(text)
    _put(less, place[:-1], lambda value: _without(value, place[-1]))
    assert metadata.stale(spec, its, metadata.read(json.dumps(less)))
    assert metadata.read(json.dumps(less), its) == metadata.read(json.dumps(less))


@pytest.mark.parametrize("place", [*_places(json.loads(metadata.render(HERO, HERO_DONE)))], ids=str)
@pytest.mark.parametrize("value", [True, 1, 1.0, 0, None, "x", {}, [], math.inf, "\udc00"])
def test_what_it_says_does_not_hang_on_what_it_is_likely_to_say(place: tuple[Any, ...], value: Any) -> None:
    said = json.loads(metadata.render(replace(HERO, meta={"n": 1}), HERO_DONE))
    _put(said, place, lambda _: value)
    for text in (
        json.dumps(said),
        json.dumps(said, indent=2) + "\n",
        json.dumps(said, indent=2, ensure_ascii=False) + "\n",
    ):
        assert metadata.read(text, HERO_DONE) == metadata.read(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"take": 1', '"take": 1,\n  "take": 2'),
        ('"take": 1', '"take": 1,\n  "kind": "video"'),
        ('"take": 1', '"take": 1,\n  "owner": "x"'),
        ('"take": 1', '"take": true'),
        ('"take": 1', '"take": 1,\n  "variant": ""'),
        ('"take": 1', '"take": 1,\n  "meta": {}'),
        ('"format_version": 1', '"format_version": 1.0'),
        ('"request": {', '"request": {\n    "seed": 1e999,'),
        ('"request": {', '"request": {\n    "style": "\\ud800",'),
        ('"request": {', '"request": {\n    "seed": NaN,'),
        ('"request": {', '"request": [{'),
        ("{\n", "[{\n"),
        ('"image"', '"video"'),
        ("}\n", "}\n\n"),
        ("\n", "\r\n"),
    ],
)
def test_what_stands_before_our_own_words_is_read_as_the_whole_is(old: str, new: str) -> None:
    text = metadata.render(HERO, HERO_DONE)
    assert old in text
    for changed in (text.replace(old, new), text.replace(old, new, 1)):
        assert metadata.read(changed, HERO_DONE) == metadata.read(changed)


@given(entries, st.integers(1, 9))
@settings(max_examples=examples(80))
def test_what_was_paid_for_stands_at_the_end_in_the_very_words(its: Entry, take: int) -> None:
    text = metadata.render(replace(HERO, key=its.key, take=take), its)
    end = metadata.recorded(its)
    assert end is None or text.endswith(end)
    assert metadata.read(text, its) == metadata.read(text)


def test_of_a_job_that_went_well_the_words_are_known() -> None:
    assert all(metadata.recorded(its) for its in (HERO_DONE, TEASER_DONE))


def _without(value: Any, name: Any) -> Any:
    del value[name]
    return value


def test_a_document_that_the_entry_does_not_stand_for_is_stale() -> None:
    text = json.loads(metadata.render(HERO, HERO_DONE))
    assert metadata.stale(HERO, HERO_DONE, metadata.read(json.dumps({**text, "result": {"a": 1}})))


def test_a_query_in_an_earlier_request_is_stale() -> None:
    """We would write it without."""
    spec, its, text = _with_all()
    signed = json.loads(text)
    signed["history"][0]["request"]["prompt"] = SIGNED
    assert metadata.stale(spec, its, metadata.read(json.dumps(signed)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"format_version": 2}',
        '{"name": "x"}',
        "[" * 50_000,
        '{"a": ' + "9" * 5000 + "}",
        '{"format_version": NaN}',
        '{"format_version": 1, "spec": "a", "fingerprint": Infinity}',
        "\x00",
        "\ud800",
    ],
)
def test_a_strangers_file_is_not_ours(text: str) -> None:
    found = metadata.read(text)
    assert (found.ours, found.entry) == (False, None)


BROKEN = [
    ("spec", 3),
    ("spec", "../x.sume.toml"),
    ("variant", 3),
    ("fingerprint", "v1:x"),
    ("kind", None),
    ("jobs", {}),
    ("jobs", [{"id": "../x", "state": "completed", "attempt": 1}]),
    ("history", 3),
    ("history", [3]),
    ("endpoint", "mars"),
]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_one_of_ours_that_was_broken_by_hand_is_still_ours_to_replace(field: str, value: Any) -> None:
    table = {**json.loads(metadata.render(RED, RED_DONE)), field: value}
    found = metadata.read(json.dumps(table))
    assert (found.ours, found.entry) == (True, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda x: st.lists(x, max_size=2) | st.dictionaries(st.sampled_from(["a", "id"]), x, max_size=2),
        max_leaves=4,
    ),
    st.sampled_from(["spec", "jobs", "history", "take", "request", "kind", "accepted", "format_version", "variant"]),
)
@settings(max_examples=examples(120))
def test_no_value_in_any_place_makes_reading_raise(value: Any, field: str) -> None:
    table = {**json.loads(metadata.render(RED, RED_DONE)), field: value}
    found = metadata.read(json.dumps(table))
    assert found.entry is None or found.ours


def test_from_what_to_what_by_field_the_prompt_first() -> None:
    before = document(wanted("a.sume.toml", "old", zoom=1, same=[1], gone=True), entry(HERO, HERO_JOB))
    after = wanted("a.sume.toml", "new", take=3, zoom=2, same=[1], come="x")
    assert changes(after, before) == (
        Change("prompt", "old", "new"),
        Change("come", None, "x"),
        Change("gone", True, None),
        Change("zoom", 1, 2),
        Change("take", 1, 3),
    )


def test_another_signature_of_one_url_is_no_change() -> None:
    before = document(wanted("a.sume.toml", url=SIGNED), entry(HERO, HERO_JOB))
    assert changes(wanted("a.sume.toml", url=SIGNED.replace("secret", "other")), before) == ()


def test_without_metadata_nothing_is_guessed() -> None:
    assert changes(RED, None) == ()
    assert changes(RED, metadata.MetadataFact(ours=False)) == ()


def test_history_is_in_it() -> None:
    text = metadata.render(RED, entry(RED, job("j"), history=(past(HERO, HERO_JOB),)))
    assert [table["fingerprint"] for table in json.loads(text)["history"]] == [HERO.fingerprint]


TOLD = json.loads(metadata.render(HERO, HERO_DONE))


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("{", False),
        ("[]", False),
        (json.dumps({**TOLD, "format_version": 2}), False),
        (json.dumps({**TOLD, "spec": 1}), True),
        (json.dumps({"format_version": 1, "spec": 1}), False),
        (json.dumps({"format_version": 1, "fingerprint": TOLD["fingerprint"]}), False),
    ],
)
def test_what_does_not_read_may_be_ours_all_the_same(text: str, ours: bool) -> None:
    found = metadata.read(text)
    assert (found.ours, found.entry) == (ours, None)
    assert metadata.stale(HERO, HERO_DONE, found)


@pytest.mark.parametrize("variant", ["a/b", "../x", "..", "a\\b", "con", 1, None])
def test_a_variant_that_is_no_plain_name_is_refused(variant: object) -> None:
    assert metadata.read(json.dumps({**TOLD, "variant": variant})).entry is None


def test_the_prompt_is_first_and_the_rest_by_name_at_every_depth() -> None:
    spec = replace(HERO, request={"z": 1, "a": [{"d": 1, "c": 2}], "prompt": "A cup", "b": {"y": 1, "prompt": "x"}})
    request = json.loads(metadata.render(spec, HERO_DONE))["request"]
    assert json.dumps(request) == '{"prompt": "A cup", "a": [{"c": 2, "d": 1}], "b": {"prompt": "x", "y": 1}, "z": 1}'


@pytest.mark.parametrize(("field", "value"), [("take", "2"), ("take", None), ("request", []), ("request", "x")])
def test_a_take_or_a_request_that_is_none_counts_as_not_said(field: str, value: object) -> None:
    found = metadata.read(json.dumps({**TOLD, field: value}))
    assert found.take == 1
    assert found.request == (None if field == "request" else HERO.request)


_leaves = st.none() | st.booleans() | st.integers(0, 1) | st.just(1.0)
_words = st.sampled_from(
    ["", "a", "https://a.example/x.png?sig=1", "https://a.example/x.png", "see https://a.example/?k=2"]
)
_values = st.recursive(
    _leaves | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(_values, _values)
@settings(max_examples=examples(300))
def test_what_a_spec_says_is_held_against_the_metadata_as_if_it_were_cleaned_first(value: Json, other: Json) -> None:
    assert metadata._says(metadata.clean(value), value)
    for told in (other, value, metadata.clean(other)):
        assert metadata._says(told, value) == metadata._same(told, metadata.clean(value))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (True, 1, False),
        (1, 1.0, False),
        ("a", "a", True),
        ([1, 2], [1], False),
        ([1], [True], False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": [None]}, {"a": [None]}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, [1], False),
        (None, None, True),
    ],
)
def test_what_is_the_same_to_json(one: Json, other: Json, same: bool) -> None:
    assert metadata._same(one, other) is same
    assert metadata._same(other, one) is same
    assert metadata._says(one, other) is same
