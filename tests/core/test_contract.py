"""Requests held against an OpenAPI document: what differs, and that no document can do harm."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sumesync.core import contract
from sumesync.core.contract import Contract, Unfit, differences
from sumesync.core.kinds import Kind, Takes
from sumesync.model import EntryKey, LocalInput, UpstreamInput
from tests.builders import examples

ROUTE = "/images/generations"
BODY = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "minLength": 1},
        "count": {"type": "integer", "minimum": 1, "maximum": 4},
        "ratio": {"enum": ["1:1", "4:5"]},
        "style": {"type": "object", "properties": {"seed": {"type": "integer"}}, "additionalProperties": False},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
    },
}
FINE = {"prompt": "A cat"}


def document(schema: Any, path: str = ROUTE, **more: Any) -> Any:
    post = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    return {"openapi": "3.1.0", "paths": {path: {"post": post}}, **more}


def told(schema: Any, request: Any, **more: Any) -> list[str]:
    found = differences(document(schema, **more), ROUTE, request)
    said = re.compile(r", says Sume's API description$|; Sume's API description requires it$")
    assert all("Sume's API description" in finding.what for finding in found)
    return [said.sub("", finding.what) for finding in found]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (FINE, []),
        ({**FINE, "count": 4, "ratio": "1:1", "style": {"seed": 1}, "tags": ["a"]}, []),
        ({}, ["prompt is missing"]),
        ({**FINE, "colour": 1}, ["colour is no field that Sume's API description knows"]),
        ({**FINE, "count": "4"}, ["count must be a whole number"]),
        ({**FINE, "count": 5}, ["count must be at most 4"]),
        ({**FINE, "count": 0}, ["count must be at least 1"]),
        ({**FINE, "ratio": "2:1"}, ['ratio must be one of "1:1", "4:5"']),
        ({**FINE, "style": {"sed": 1}}, ["style.sed is no field that Sume's API description knows"]),
        ({**FINE, "style": {"seed": 1.5}}, ["style.seed must be a whole number"]),
        ({**FINE, "tags": ["a", 1, "c"]}, ["tags must have at most 2 items", "tags[2] must be a string"]),
        ({"prompt": ""}, ["prompt must have at least 1 characters"]),
    ],
)
def test_what_differs(request_: Any, expected: list[str]) -> None:
    assert sorted(told(BODY, request_)) == sorted(expected)


def test_an_unknown_field_has_a_hint() -> None:
    (finding,) = differences(document(BODY), ROUTE, {**FINE, "ratoi": "1:1"})
    assert finding.hint == "did you mean ratio?"
    assert finding.pointer == ("ratoi",)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/Body"},
        {"allOf": [{"$ref": "#/components/schemas/Body"}, {"properties": {"other": {}}}]},
        {"oneOf": [{"$ref": "#/components/schemas/Body"}]},
        {"$ref": "#/components/schemas/A~1B"},
    ],
)
def test_references_inside_the_document_are_followed(schema: Any) -> None:
    parts = {"schemas": {"Body": BODY, "A/B": {"$ref": "#/components/schemas/Body"}}}
    assert told(schema, FINE, components=parts) == []
    assert told(schema, {**FINE, "count": 9}, components=parts) != []
    assert "x is no field that Sume's API description knows" in told(schema, {**FINE, "x": 1}, components=parts)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        None,
        3,
        {"$ref": "#/nowhere"},
        {"$ref": "https://evil.example/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/paths"},
        {"type": "no such type", "required": "prompt", "enum": [], "minimum": "1", "properties": []},
        {"additionalProperties": True, "properties": {}},
        {"additionalProperties": {"type": ["integer", "string"]}, "properties": {"prompt": {}}},
        {"$schema": "https://evil.example/meta", "$id": "https://evil.example/", "$dynamicRef": "#x"},
    ],
)
def test_where_the_document_says_nothing_nothing_differs(schema: Any) -> None:
    assert told(schema, {"prompt": "A cat", "extra": 1}) == []


def test_openapi_30() -> None:
    schema = {"properties": {"n": {"type": "number", "nullable": True, "minimum": 0, "exclusiveMinimum": True}}}
    assert told(schema, {"n": None}) == []
    assert told(schema, {"n": 0}) == ["n must be more than 0"]


@pytest.mark.parametrize(
    ("path", "base", "known"),
    [
        (ROUTE, "/api/v1", True),
        (ROUTE + "/", "", True),
        ("/api/v1" + ROUTE, "/api/v1", True),
        ("/v1" + ROUTE, "/api/v1/", True),
        ("/v2" + ROUTE, "/api/v1", False),
        ("/images", "/api/v1", False),
    ],
)
def test_a_path_may_be_spelt_with_its_base(path: str, base: str, known: bool) -> None:
    found = differences(document(BODY, path), ROUTE, FINE, base)
    assert [finding.what for finding in found] == (
        [] if known else ["Sume's API description has no POST /images/generations"]
    )


def fan(width: int, depth: int) -> Any:
    """A document that would unfold to width ** depth schemas."""
    refs = {f"s{n}": {"allOf": [{"$ref": f"#/components/schemas/s{n + 1}"}] * width} for n in range(depth)}
    return document({"$ref": "#/components/schemas/s0"}, components={"schemas": {**refs, f"s{depth}": BODY}})


def chain(depth: int) -> Any:
    deep: Any = {}
    for _ in range(depth):
        deep = {"allOf": [deep], "properties": {"x": deep}}
    return document(deep)


HOSTILE = {
    "a circle": document(
        {"$ref": "#/components/schemas/A"},
        components={"schemas": {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}}},
    ),
    "a circle of properties": document({"$ref": "#/c/A"}, c={"A": {"properties": {"x": {"$ref": "#/c/A"}}}}),
    "a circle of bodies": {"openapi": "3.0.0", "paths": {ROUTE: {"$ref": "#/paths/~1images~1generations"}}},
    "an explosion": fan(10, 20),
    "depth": chain(15),
    "a slow pattern": document({"properties": {"prompt": {"pattern": "^(a+)+$"}}}),
    "many choices": document({"properties": {"prompt": {"enum": ["x" * 100] * 100_000}}}),
    "many fields": document({"properties": {f"f{n}": {} for n in range(100_000)}}),
    "many forms": document({"anyOf": [{"required": [f"f{n}"]} for n in range(100_000)]}),
    "much required": document({"required": [f"f{n}" for n in range(100_000)]}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_document_takes_long_or_says_much(name: str) -> None:
    request: Any = {"prompt": "a" * 5_000 + "!", "x": {"x": {"x": {}}}, "list": [{"x": n} for n in range(2_000)]}
    began = time.thread_time()
    found = differences(HOSTILE[name], ROUTE, request)
    assert time.thread_time() - began < 3
    assert len(found) <= 20
    assert all(len(finding.what) < 700 and len(finding.hint) < 700 for finding in found)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["object", "string", "#/x", "#/components/schemas/A", "prompt"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["type", "properties", "items", "allOf", "anyOf", "oneOf", "enum", "const", "required"])
        | st.sampled_from(["$ref", "minimum", "nullable", "prompt", "x"]),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@given(_JSON, _JSON)
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_breaks_the_comparison(schema: Any, part: Any) -> None:
    whole = document(schema, components={"schemas": {"A": part}}, x=part)
    requests: list[Any] = [FINE, {"prompt": 1, "x": [part], "extra": {"x": None}}]
    for request in requests:
        json.dumps([[finding.what, finding.hint] for finding in differences(whole, ROUTE, request)])
    differences(schema, ROUTE, FINE)
    differences({"paths": {ROUTE: schema}}, ROUTE, FINE)


def test_media_are_stood_in_for() -> None:
    kind = Kind(
        "k", "/k", 1, 1, "image", {}, inputs={
            "refs": Takes("image", "reference_image"), "media": Takes("any", "asset", "upload_id:upload_id")
        }
    )  # fmt: skip
    local = LocalInput("a.png", "0" * 64, 1, "image/png", "asset")
    upstream = UpstreamInput(EntryKey("b.sume.toml"), 1, "v1:x", "reference_image")
    request: Any = {
        "prompt": "x",
        "refs": ["https://m/1.png", {"from": "b"}],
        "media": {"file": "a.png"},
        "deep": {"x": [{"file": "c"}]},
    }
    shown = contract.stood_in(request, {("refs", 1): upstream, ("media",): local, ("deep", "x", 0): local}, kind)
    assert shown == {
        "prompt": "x",
        "refs": ["https://m/1.png", "https://media.invalid/file"],
        "upload_id": "https://media.invalid/file",
        "deep": {"x": ["https://media.invalid/file"]},
    }
    assert contract.stood_in(request, {}, kind) is request
    assert request["media"] == {"file": "a.png"}


# --- The copy ---------------------------------------------------------------------------------------------


def test_a_copy_reads_as_it_was_kept() -> None:
    kept = Contract("https://www.sume.so/api/v1", "2026-11-24T03:00:00+00:00", document(BODY))
    assert contract.read(contract.render(kept).encode()) == kept


@pytest.mark.parametrize(
    "junk", [None, [], "x", {}, {"openapi": 3, "paths": {}}, {"swagger": "2.0", "paths": {}}, {"openapi": "3.1.0"}]
)
def test_what_is_no_openapi_document(junk: Any) -> None:
    with pytest.raises(Unfit):
        contract.check(junk)


NO_ORIGIN = b'{"format_version": 1, "origin": 3, "fetched_at": "", "document": {}}'


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"[" * 100_000, b"{}", b'{"format_version": 2}', NO_ORIGIN])
def test_what_is_no_copy(data: bytes) -> None:
    with pytest.raises(Unfit):
        contract.read(data)


def test_what_is_too_large_or_too_deep_is_not_kept() -> None:
    deep: Any = {}
    for _ in range(50_000):
        deep = {"x": deep}
    for more in (deep, "x" * contract.MAX_BYTES):
        with pytest.raises(Unfit):
            contract.render(Contract("o", "t", {"openapi": "3.1.0", "paths": {}, "more": more}))
    while deep:  # taken apart by hand: the interpreter would do it recursively
        deep = deep["x"]
