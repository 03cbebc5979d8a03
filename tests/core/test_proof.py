"""What a proof lets pass, jsonschema lets pass; and ordinary specs are proved, so that jsonschema is not asked."""

from __future__ import annotations

import copy
import datetime
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sumesync.core import toml
from sumesync.core.matrix import MATRIX
from sumesync.core.proof import prove
from sumesync.core.validate import Rules
from tests.builders import KINDS, SCHEMAS, examples

EXAMPLES = Path(__file__).resolve().parents[2] / "example-project"
RULES = {name: SCHEMAS.of_spec(kind) for name, kind in KINDS.items()}
RULES |= {f"defaults of {name}": SCHEMAS.of_defaults(kind) for name, kind in KINDS.items()}
RULES |= {"no kind": SCHEMAS.of_spec(None), "settings": SCHEMAS.of_config()}

ODD = (None, True, False, 0, 1, -1, 1.0, 4.5, math.nan, math.inf, 2**53, 2**70, "", " ", "\n", "\u00a0", "a", b"a")
WORDS = ("image", "video", "9:16", "720p", "auto", "https://a.example/x", "https://", "http://a.example", "\nhttps://a")
TABLES: tuple[Any, ...] = ({}, {"file": "a.png"}, {"from": "b.sume.toml", "output": 1}, {"from": "b", "output": 0})
TABLES += ({"file": "a", "x": 1}, {"file": ""}, {"from": "b", "output": True}, {"from": "b", "variant": "tall"})
leaves = st.sampled_from([*ODD, *WORDS, *TABLES, datetime.date(2026, 1, 1)]) | st.text(max_size=3) | st.integers(-2, 20)
values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.sampled_from(["a", "file", "name", "tags"]), leaves)


def right(rules: Rules, value: Any) -> bool:
    return not list(rules.validator.iter_errors(value))


def tables(rules: Rules) -> st.SearchStrategy[dict[str, Any]]:
    """Any values of the fields that there are."""
    schema = rules.validator.schema
    assert isinstance(schema, dict)
    return st.dictionaries(st.sampled_from([*schema["properties"], "other"]), values, max_size=4)


@pytest.mark.parametrize("name", RULES)
@given(data=st.data())
@settings(max_examples=examples(60))
def test_what_is_proved_is_right(name: str, data: st.DataObject) -> None:
    table = data.draw(tables(RULES[name]))
    assert not RULES[name].proof(table) or right(RULES[name], table)


def _ordinary() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted(EXAMPLES.rglob("*.sume.toml")):
        table = toml.parse(path.name, path.read_text(encoding="utf-8"))
        table.pop(MATRIX, None)
        found.append((path.name, table))
    return found


@pytest.mark.parametrize(("name", "table"), _ordinary())
def test_ordinary_specs_are_proved(name: str, table: dict[str, Any]) -> None:
    rules = SCHEMAS.of_spec(KINDS[table.get("kind", "image")])
    assert rules.proof(table), name
    for field in table:
        for value in ODD:
            other = {**copy.deepcopy(table), field: value}
            assert not rules.proof(other) or right(rules, other), other


PARTS: list[Any] = [
    True,
    False,
    {},
    {"type": "string"},
    {"type": ["integer", "boolean"]},
    {"type": "integer"},
    {"type": "number"},
    {"type": "null"},
    {"enum": ["a", 1, None, True]},
    {"enum": []},
    {"const": "a"},
    {"const": 1},
    {"minimum": 1, "maximum": 4},
    {"exclusiveMinimum": 1},
    {"pattern": "\\S"},
    {"pattern": "^https://[^\\s/]+"},
    {"minLength": 1},
    {"maxLength": 1},
    {"minItems": 1, "maxItems": 2},
    {"uniqueItems": True},
    {"items": {"type": "string", "minLength": 1}},
    {"prefixItems": [{"type": "string"}], "items": False},
    {"required": ["file"]},
    {"properties": {"file": {"type": "string"}}, "additionalProperties": False},
    {"properties": {"file": False}, "required": ["a"]},
    {"patternProperties": {"^f": True}, "additionalProperties": False},
    {"additionalProperties": {"type": "string"}},
    {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/number"}]},
    {"allOf": [{"type": "string"}]},
    {"oneOf": [{"type": "string"}, {"minLength": 1}]},
    {"not": {"type": "string"}},
    {"$ref": "#/$defs/number", "maximum": 3},
    {"$ref": "#/$defs/none"},
    {"if": {"type": "string"}, "then": False},
    {"title": "x", "description": "y", "default": 1, "examples": [1]},
]
DEFS = {"number": {"type": "integer", "minimum": 1}}


@pytest.mark.parametrize("part", PARTS, ids=str)
@given(value=values)
@settings(max_examples=examples(60))
def test_each_keyword_by_itself(part: Any, value: Any) -> None:
    whole = {"properties": {"x": part}, "$defs": DEFS}
    if prove(whole, whole)({"x": value}):
        assert list(Draft202012Validator(whole).iter_errors({"x": value})) == []


@pytest.mark.parametrize(
    ("part", "proved", "left"),
    [
        ({"type": "string", "pattern": "\\S"}, "a", " "),
        ({"type": "integer", "minimum": 1, "maximum": 4}, 4, 5),
        ({"type": "boolean"}, True, 1),
        ({"type": "number"}, 1.5, True),
        ({"enum": ["a"]}, "a", "b"),
        ({"const": "a"}, "a", "b"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, ["a"], []),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}, {"a": ""}, {}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"b": 1}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1, None),
        ({"$ref": "#/$defs/number"}, 1, 0),
        ({"minLength": 1, "maxLength": 2}, "ab", "abc"),
        ({"maxItems": 1}, [1], [1, 2]),
        ({"uniqueItems": True}, ["a", "b"], ["a", "a"]),
        ({"uniqueItems": True}, [], [1, 2]),
        ({"$ref": "elsewhere"}, ..., 1),
    ],
    ids=str,
)
def test_what_is_proved_and_what_is_left(part: Any, proved: Any, left: Any) -> None:
    proof = prove(part, {"$defs": DEFS})
    assert proved is ... or proof(proved)
    assert not proof(left)
