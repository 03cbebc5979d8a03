"""The takes of an entry, and a spec's text made to ask for one of them again."""

from __future__ import annotations

import string

import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sumesync.core import metadata
from sumesync.core.merge import merge_metadata_texts
from sumesync.core.metadata import Asked, MetadataFact
from sumesync.core.taken import Taken, asking_again, takes
from sumesync.model import JobState, Json, Wanted
from tests.builders import KINDS, entry, examples, job, past, read, wanted

HERO = wanted("hero.sume.toml", "A jar.", aspect_ratio="4:5")
LATER = wanted("hero.sume.toml", "A lid.")
FACT = metadata.read(
    metadata.render(
        LATER,
        entry(LATER, job("two"), history=(past(HERO, job("one")),)),
        asked={HERO.fingerprint: Asked(1, HERO.request)},
    )
)


def taken_of(spec: Wanted) -> Taken:
    """The first take of ``spec``, after it had asked for something else."""
    [_, first] = takes(entry(LATER, job("two"), history=(past(spec, job("one")),)), _fact(spec), LATER)
    return first


def _fact(spec: Wanted) -> MetadataFact:
    history = (past(spec, job("one")),)
    asked = {spec.fingerprint: Asked(spec.take, spec.request)}
    return metadata.read(metadata.render(LATER, entry(LATER, job("two"), history=history), asked=asked))


def again(text: str, spec: Wanted) -> Wanted:
    """What a spec that says ``text`` asks for, once it asks for ``spec`` again."""
    [now] = read({"hero.sume.toml": text}).wanted
    after = asking_again(text.encode(), now, taken_of(spec), KINDS[spec.kind])
    found = read({"hero.sume.toml": after})
    assert not found.problems, (after.decode(), found.problems)
    return found.wanted[0]


def test_the_metadata_keep_what_earlier_requests_asked_for() -> None:
    assert FACT.asked == {LATER.fingerprint: Asked(1, LATER.request), HERO.fingerprint: Asked(1, HERO.request)}
    its = FACT.entry
    assert its is not None
    assert not metadata.stale(LATER, its, FACT)


def test_what_an_attempt_that_was_none_left_is_no_take() -> None:
    its = entry(LATER, job("two"), history=(past(HERO, job("one"), job("x", state=JobState.VOID)),))
    assert [(each.job.id, each.now) for each in takes(its, FACT, LATER)] == [("two", True), ("one", False)]
    assert [each.asked for each in takes(its, None, None)] == [None, None]


def test_a_merge_knows_what_both_sides_asked_for() -> None:
    def side(spec: Wanted, id_: str) -> str:
        history = (past(HERO, job("one")),)
        asked = {HERO.fingerprint: Asked(1, HERO.request)}
        return metadata.render(spec, entry(spec, job(id_), history=history), asked=asked)

    base = metadata.render(HERO, entry(HERO, job("one")))
    mine, other = wanted("hero.sume.toml", "Mine."), wanted("hero.sume.toml", "Theirs.")
    merged = merge_metadata_texts(base, side(mine, "two"), side(other, "three"))
    assert merged is not None
    assert {each.request["prompt"] for each in metadata.read(merged).asked.values()} == {"A jar.", "Mine.", "Theirs."}


def test_what_does_not_differ_stays_as_it_is_written() -> None:
    text = '# why\nprompt   = "A lid." # what\n\n[meta]\ntitle = "x"\n\n[output]\nname = "y"\n'
    [now] = read({"hero.sume.toml": text}).wanted
    after = asking_again(text.encode(), now, taken_of(HERO), KINDS["image"]).decode()
    assert after.replace('aspect_ratio = "4:5"\n', "") == text.replace("A lid.", "A jar.")


words = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=30).filter(str.strip)
values: st.SearchStrategy[Json] = st.recursive(
    st.one_of(words, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b c"]), inner, max_size=2),
    max_leaves=4,
)
extras = st.dictionaries(st.text(string.ascii_lowercase, min_size=3, max_size=3), values, max_size=3)


@example("\n0", None, 1, {}, "q", {}, False)
@example('\n"', None, 1, {"aaa": "\n\n"}, "q", {}, False)
@example("p", None, 1, {"aaa": {}, "aab": [{"a": 1}], "aac": 1}, "q", {"aaa": {}, "aac": {}}, False)
@given(words, st.sampled_from([None, "4:5", "1:1"]), st.integers(1, 3), extras, words, extras, st.booleans())
@settings(max_examples=examples(150), deadline=None)
def test_any_request_can_be_asked_for_again(
    prompt: str,
    ratio: str | None,
    take: int,
    extra: dict[str, Json],
    other: str,
    others: dict[str, Json],
    film: bool,
) -> None:
    fields = {"prompt": prompt} | ({"aspect_ratio": ratio} if ratio else {})
    found = read({"hero.sume.toml": tomli_w.dumps({**fields, "take": take, "extra": extra})})
    if not found.wanted:  # a name that is none
        return
    kind = {"kind": "video"} if film else {}
    text = tomli_w.dumps({**kind, "prompt": other, "extra": others, "meta": {"title": "x"}})
    if not read({"hero.sume.toml": text}).wanted:
        return
    assert again(text, found.wanted[0]).fingerprint == found.wanted[0].fingerprint
