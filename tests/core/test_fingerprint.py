"""Identity: values, never bytes. And v1, pinned for ever."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any

import pytest
import rfc8785
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.config import Config
from sumesync.core.document import PromptFile
from sumesync.core.fields import STRUCTURE
from sumesync.core.fingerprint import fingerprint, identity, submission_key, workspace_digest
from sumesync.model import Json, Wanted
from tests.builders import examples, read


def spec(text: str, path: str = "a.sume.toml", prompt: bytes | None = None, **defaults: Any) -> Wanted:
    found = read({path: text}, PromptFile(prompt) if prompt is not None else None, config=Config(defaults=defaults))
    assert not found.problems, found.problems
    return found.wanted[0]


def by_hand(canonical: str) -> str:
    return "v1:" + hashlib.sha256(canonical.encode()).hexdigest()


# (kind, request, take, the canonical JSON written by hand, its v1 fingerprint). Never change a row of these: whoever
# has such a line in a lock would pay again.
PINNED: list[tuple[str, dict[str, Json], int, str, str]] = [
    (
        "image",
        {"prompt": "A cup"},
        1,
        '{"kind":"image","request":{"prompt":"A cup"},"take":1}',
        "v1:9e34ac3d46c61b1664524dbe2dacdc1922b7ef83ff949fa54acb8a5d807649f8",
    ),
    (
        "video",
        {"prompt": 'Straße – ☕\n"x"', "duration": 6, "generate_audio": True},
        2,
        '{"kind":"video","request":{"duration":6,"generate_audio":true,"prompt":"Straße – ☕\\n\\"x\\""},"take":2}',
        "v1:5d0e05ecee30aaa8730da23cfcc2b798de12284c7e0dc2f08bcdcfb55cde3baa",
    ),
    (
        "image",
        {"z": [1.5, 0.1, 1e21, -0.0, 100.0], "a": {"b": None, "A": False}, "prompt": ""},
        1,
        '{"kind":"image","request":{"a":{"A":false,"b":null},"prompt":"","z":[1.5,0.1,1e+21,0,100]},"take":1}',
        "v1:31fbde6e592e2831e865f9dd522d0a868f2cd062450be077695ea447be10dbe7",
    ),
    (
        "image",
        {"seed": 9007199254740991},
        1,
        '{"kind":"image","request":{"seed":9007199254740991},"take":1}',
        "v1:3f59fceaa5300d78632672975ff58c65b4c689f3f50bf8bde91a014f99bc7f00",
    ),
    (
        "image",
        {"seed": 9007199254740993},
        1,
        '{"kind":"image","request":{"seed":{"$int":"9007199254740993"}},"take":1}',
        "v1:eca9deabed53a097b72edffd7bfa65b292783c5e2ac35554c396584f3db17828",
    ),
    (
        "image",
        {"seed": -9223372036854775809},
        1,
        '{"kind":"image","request":{"seed":{"$int":"-9223372036854775809"}},"take":1}',
        "v1:a8ef5006537d0116ff370708330c02cfb8fbe71d335228a2397af6e07d4e8121",
    ),
    (
        "image",
        {"$int": "1", "$$": {"$x": 2**60}},
        1,
        '{"kind":"image","request":{"$$$":{"$$x":1152921504606847000},"$$int":"1"},"take":1}',
        "v1:76b24071ad393bc64de5dc5e954eb1cc6ab741fb3335d2076b9270434e8c13cd",
    ),
    (
        "image",
        {"\U0001f600": 1, "\ufb33": 2, "é": 3},
        1,
        '{"kind":"image","request":{"é":3,"\U0001f600":1,"\ufb33":2},"take":1}',
        "v1:ec910d16dc1a779a81d7eeeea91c3ff0f61c9ffa691ab050292db469237e2cb6",
    ),
]


@pytest.mark.parametrize(("kind", "request_", "take", "canonical", "pinned"), PINNED)
def test_v1_never_changes(kind: str, request_: dict[str, Json], take: int, canonical: str, pinned: str) -> None:
    assert by_hand(canonical) == pinned
    assert fingerprint(kind, request_, take) == pinned


scalars = st.one_of(
    st.text(max_size=4),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
)
names = st.one_of(st.sampled_from(["prompt", "$int", "$$int", "$", "seed"]), st.text(max_size=3))
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
requests = st.dictionaries(names, values, max_size=4)


def plain(value: Any) -> Any:
    """``value`` as JSON has it, whole floats as integers: two requests are the same when these are."""
    if isinstance(value, bool) or not isinstance(value, float | list | dict):
        return ("bool", value) if isinstance(value, bool) else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()}


@given(requests, requests)
@settings(max_examples=examples(200))
def test_two_requests_have_one_fingerprint_exactly_when_they_are_one_value(one: Any, other: Any) -> None:
    assert (fingerprint("image", one) == fingerprint("image", other)) is (plain(one) == plain(other))


@given(requests, st.data())
@settings(max_examples=examples(200))
def test_one_changed_value_changes_the_fingerprint(request_: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([*request_, "new"]))
    value = data.draw(values)
    changed = {**request_, key: value}
    same = key in request_ and plain(request_[key]) == plain(value)
    assert (fingerprint("image", request_) == fingerprint("image", changed)) is same


@given(requests, st.randoms(use_true_random=False))
@settings(max_examples=examples(100))
def test_the_order_of_keys_does_not_matter(request_: Any, chance: Any) -> None:
    items = list(request_.items())
    chance.shuffle(items)
    assert fingerprint("image", dict(items)) == fingerprint("image", request_)


@given(st.integers(), st.integers())
@settings(max_examples=examples(200))
def test_whole_numbers_of_any_size_are_told_apart(one: int, other: int) -> None:
    for base in (0, 2**53, 2**53 * 3, 10**400, -(10**400)):
        same = fingerprint("image", {"seed": base + one}) == fingerprint("image", {"seed": base + other})
        assert same is (one == other)


@pytest.mark.parametrize("value", [2**53 + 1, 2**64 + 1, -(2**53) - 1, 10**400])
def test_no_table_can_be_mistaken_for_a_large_number(value: int) -> None:
    tables: list[Json] = [{"$int": str(value)}, {"$$int": str(value)}, {"$": {"$int": str(value)}}, str(value)]
    for table in tables:
        assert fingerprint("image", {"seed": value}) != fingerprint("image", {"seed": table})


@pytest.mark.parametrize("value", [1, 0, -7, 2**53 - 1, 2**60])
def test_a_whole_number_is_the_same_with_and_without_a_point(value: int) -> None:
    assert fingerprint("image", {"seed": value}) == fingerprint("image", {"seed": float(value)})


def test_true_is_not_one() -> None:
    assert fingerprint("image", {"seed": True}) != fingerprint("image", {"seed": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_json_number_has_no_fingerprint(value: float) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        fingerprint("image", {"deep": [{"seed": value}]})


def test_kind_and_take_are_part_of_it() -> None:
    found = {fingerprint(kind, {"prompt": "A"}, take) for kind in ("image", "video") for take in (1, 2, 3)}
    assert len(found) == 6


simple = st.recursive(
    st.text()
    | st.text(string.printable + "\x00\x1b\x7f\u2028\U0001f600")
    | st.booleans()
    | st.none()
    | st.integers(-3, 2**54),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(string.printable, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(requests | st.dictionaries(st.text(string.printable, max_size=4), simple, max_size=4))
@settings(max_examples=examples(300))
def test_it_is_the_digest_of_rfc_8785(request_: Any) -> None:
    value = {"kind": "image", "request": identity(request_), "take": 1}
    assert fingerprint("image", request_) == "v1:" + hashlib.sha256(rfc8785.dumps(value)).hexdigest()


# --- What of a spec is outside it ------------------------------------------------------------------

LAYOUTS = [
    pytest.param('aspect_ratio = "4:5"\nprompt = "A cup"\n', id="another order"),
    pytest.param('# a note\nprompt   =   "A cup" # another\n\n\naspect_ratio="4:5"', id="comments and blanks"),
    pytest.param('prompt = "A cup"\r\naspect_ratio = "4:5"\r\n', id="CRLF"),
    pytest.param('\ufeffprompt = "A cup"\naspect_ratio = "4:5"\n', id="a byte order mark"),
    pytest.param("prompt = '''A cup'''\naspect_ratio = '4:5'\n", id="other quotes"),
    pytest.param('"prompt" = "A \\u0063up"\n"aspect_ratio" = "4:5"\n', id="escapes and quoted keys"),
    pytest.param('kind = "image"\ntake = 1\nprompt = "A cup"\naspect_ratio = "4:5"\n', id="defaults written out"),
    pytest.param('prompt = "A cup"\naspect_ratio = "4:5"\n[meta]\ntags = ["x"]\nowner = "me"\n', id="[meta]"),
    pytest.param('prompt = "A cup"\naspect_ratio = "4:5"\n[output]\nname = "x"\ndir = "y"\n', id="[output]"),
    pytest.param('prompt = "A cup"\n[extra]\naspect_ratio = "4:5"\n', id="a field under [extra]"),
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_how_a_spec_is_written_does_not_matter(text: str) -> None:
    assert spec(text).fingerprint == spec('prompt = "A cup"\naspect_ratio = "4:5"\n').fingerprint


def test_where_a_spec_stands_does_not_matter() -> None:
    assert spec('prompt = "A"', "a/b/c.sume.toml").fingerprint == spec('prompt = "A"', "x.sume.toml").fingerprint


def test_a_default_of_the_folder_is_as_good_as_one_written_in_the_spec() -> None:
    with_default = spec('prompt = "A"', image={"aspect_ratio": "4:5"})
    assert with_default.fingerprint == spec('prompt = "A"\naspect_ratio = "4:5"').fingerprint
    assert spec('prompt = "A"\naspect_ratio = "1:1"', image={"aspect_ratio": "4:5"}).request["aspect_ratio"] == "1:1"


@pytest.mark.parametrize("data", [b"A cup", b"A cup\n", b"A cup\r\n\r\n", b"\xef\xbb\xbfA cup\n"])
def test_a_prompt_file_is_its_words(data: bytes) -> None:
    assert spec('prompt_file = "p.md"', prompt=data).fingerprint == spec('prompt = "A cup"').fingerprint


def test_a_prompt_file_keeps_what_is_inside_it() -> None:
    assert spec('prompt_file = "p.md"', prompt=b"A\r\n\r\ncup \n").request["prompt"] == "A\n\ncup "


def test_take_asks_for_another() -> None:
    takes = [spec(f'take = {take}\nprompt = "A"') for take in (1, 2, 3)]
    assert [each.take for each in takes] == [1, 2, 3]
    assert len({each.fingerprint for each in takes}) == 3
    assert all("take" not in each.request for each in takes)


def test_a_whole_number_with_a_point_is_sent_without_it() -> None:
    assert json.dumps(spec('prompt = "A"\n[extra]\nn = 2.0\nm = [1.0, {k = 3.0}]').request["m"]) == '[1, {"k": 3}]'


@given(
    st.dictionaries(
        st.text(string.ascii_lowercase, min_size=1, max_size=6).filter(
            lambda key: key not in (*STRUCTURE, "user_id", "email", "owner", "prompt")
        ),
        st.one_of(
            st.text(st.characters(codec="utf-8"), max_size=8),
            st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
            st.floats(allow_nan=False, allow_infinity=False, width=32),
            st.lists(st.integers(0, 9), max_size=3),
        ),
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=examples(60))
def test_any_layout_of_any_extra_fields_is_one_request(extra: Any, chance: Any) -> None:
    items = [(key, value) for key, value in extra.items() if key not in ("prompt", "kind", "take")]
    straight = tomli_w.dumps({"prompt": "A", "extra": dict(items)})
    chance.shuffle(items)
    inline = "# x\nprompt = 'A'\n\n" + "".join(f"extra.{tomli_w.dumps({k: v})}" for k, v in items).replace("\n", "\r\n")
    assert spec(straight).fingerprint == spec(inline).fingerprint


# --- The other digests -----------------------------------------------------------------------------


def test_the_key_of_a_submission_is_pinned() -> None:
    key = submission_key("0" * 32, "v1:" + "a" * 64, 1)
    assert key == hashlib.sha256(("0" * 32 + "\nv1:" + "a" * 64 + "\n1").encode()).hexdigest()


def test_another_project_request_or_attempt_has_another_key() -> None:
    keys = {submission_key(a, b, c) for a in ("x", "y") for b in ("v1:1", "v1:2") for c in (1, 2)}
    assert len(keys) == 8


def test_a_workspace_is_known_again_but_not_named() -> None:
    assert workspace_digest("ws_1") == "sha256:" + hashlib.sha256(b"sume workspace\nws_1").hexdigest()
    assert "ws_1" not in workspace_digest("ws_1")
