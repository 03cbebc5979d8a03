"""The JSON Schemas: shipped, valid, and saying of each kind the same in every place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sumesync.core.kinds import DEFAULT_KIND
from sumesync.disk import schemas
from sumesync.errors import LocalStateError
from sumesync.model import JobState
from tests.builders import KINDS

SPEC = schemas.load("spec")


@pytest.mark.parametrize("name", schemas.NAMES)
def test_each_is_found_and_is_valid_2020_12(name: str) -> None:
    schema = json.loads(schemas.text(name))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:sumesync:schema:{name}:1"
    Draft202012Validator.check_schema(schema)


def test_one_that_is_not_there_is_told() -> None:
    with pytest.raises(LocalStateError, match="the schema nothing is missing") as fault:
        schemas.text("nothing")
    assert fault.value.hint == "reinstall sumesync"


def test_each_kind_is_in_the_enum_and_leads_to_its_fields() -> None:
    assert set(SPEC["properties"]["kind"]["enum"]) == set(KINDS)
    assert SPEC["properties"]["kind"]["default"] == DEFAULT_KIND
    led = {rule["then"]["$ref"].removeprefix("#/$defs/"): rule["if"] for rule in SPEC["allOf"] if "if" in rule}
    assert set(led) == set(KINDS)
    for kind, condition in led.items():
        validator = Draft202012Validator(condition)
        for other in KINDS:
            assert validator.is_valid({"kind": other}) is (other == kind)
        assert validator.is_valid({}) is (kind == DEFAULT_KIND)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_a_kind_says_of_itself_is_whole(name: str) -> None:
    kind = KINDS[name]
    assert kind.route.startswith("/")
    assert 0 < kind.expected_seconds <= kind.wait_seconds
    assert set(kind.shown) <= set(kind.fields)
    assert kind.outputs_field is None or kind.outputs_field in kind.fields
    assert kind.outputs({}) == 1


@pytest.mark.parametrize(("asked", "outputs"), [(1, 1), (4, 4), (0, 1), (-3, 1), ("4", 1), (None, 1)])
def test_how_many_outputs_are_asked_for(asked: Any, outputs: int) -> None:
    assert KINDS["image"].outputs({"image_count": asked}) == outputs


def test_a_request_for_countless_outputs_reserves_no_more_than_can_be() -> None:
    """[extra] is not held against the schema: a stranger's number must not cost memory or time."""
    assert KINDS["image"].outputs({"image_count": 10**12}) <= 1000


EXAMPLES: list[tuple[dict[str, Any], bool]] = [
    ({"prompt": "A"}, True),
    ({"prompt_file": "a.md"}, True),
    ({"kind": "image", "prompt": "A", "aspect_ratio": "4:5"}, True),
    ({"kind": "video", "prompt": "A", "duration": 5, "aspect_ratio": "21:9"}, True),
    ({"prompt": "A", "extra": {"x": 1}, "meta": {"anything": 1}, "output": {"name": "x", "dir": "y"}}, True),
    ({}, False),
    ({"prompt": ""}, False),
    ({"prompt": "A", "prompt_file": "a.md"}, False),
    ({"prompt": "A", "duration": 5}, False),
    ({"kind": "video", "prompt": "A", "image_count": 2}, False),
    ({"kind": "x", "prompt": "A"}, False),
    ({"prompt": "A", "aspect_ration": "1:1"}, False),
    ({"prompt": "A", "take": 0}, False),
    ({"prompt": "A", "output": {"path": "x"}}, False),
]


@pytest.mark.parametrize(("table", "valid"), EXAMPLES)
def test_an_editor_that_uses_the_schema_says_the_same(table: dict[str, Any], valid: bool) -> None:
    assert Draft202012Validator(SPEC).is_valid(table) is valid


def test_every_state_of_a_job_that_a_lock_may_hold_is_in_its_schema() -> None:
    states = set(schemas.load("lock")["$defs"]["job"]["properties"]["state"]["enum"])
    assert states == set(JobState) - {JobState.VOID}


def test_every_verb_and_standing_of_a_plan_is_in_its_schema() -> None:
    from sumesync.core.action import Standing, Verb

    action = schemas.load("plan")["properties"]["actions"]["items"]["properties"]
    assert set(action["action"]["enum"]) == set(Verb)
    assert set(action["outputs"]["items"]["properties"]["standing"]["enum"]) == set(Standing)
