"""A result as a document that is committed: whole, and without anything that is private."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings

from sumesync.api import wire
from sumesync.model import Json
from tests.builders import examples
from tests.canaries import KEY, OBJECT_KEY, PLANTED, UPLOAD_URL, WORKSPACE, babble, caught, nets

from .test_api_wire import _JSON


def document(answer: Any, *secrets: str) -> Any:
    return wire.job_result(answer, (), secrets, whole=True).document


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"analysis": {"hook": "Wait.", "beats": [1, 2.5, True, None]}}, None),
        ([{"a": 1}], {"data": [{"a": 1}]}),
        ({}, {}),
        ({"url": "https://m.test/a.mp4?sig=1#t"}, {"url": "https://m.test/a.mp4"}),
        ({"text": "see https://m.test/a?b=c, and www.x.test/y?t=1"}, {"text": "see https://m.test/a and www.x.test/y"}),
        ({"https://m.test/?a=b": 1}, {"https://m.test/": 1}),
        ({"workspace_id": "ws_123456", "note": "of ws_123456"}, {"note": "of [secret]"}),
        ({"workspace": {"id": "ws_123456", "name": "Ours"}}, {"workspace": {"name": "Ours"}}),
        ({"objectKey": "a/b/c", "upload_url": "https://u.test", "token": ["x"], "a": 1}, {"a": 1}),
        ({"user_id": "u_1", "email": "a@b.test", "owner_id": 7, "a": 1}, {"a": 1}),
        ({"request": {"url": "https://private.test/x"}, "a": 1}, {"a": 1}),
        ({"data": {"request": {"url": "x"}, "b": 2}}, {"data": {"b": 2}}),
        ({"job": {"id": "job_1", "request": {"url": "x"}}}, {"job": {"id": "job_1"}}),
        ({"analysis": {"request": "asks to buy"}}, None),
        ({"auth": f"Bearer {KEY}"}, {"auth": "Bearer [key]"}),
        ({"text": "a\ud800b"}, {"text": "a?b"}),
        ({"id": 2**63, "n": 2**53 - 1}, {"id": str(2**63), "n": 2**53 - 1}),
        ({"text": "line\none\x1b[2J"}, None),
    ],
)
def test_what_is_kept(answer: Json, kept: Any) -> None:
    assert document(answer) == (answer if kept is None else kept)


def test_secrets_of_ours_are_taken_out_in_every_form() -> None:
    told = {"a": babble(), "b": {babble(): [babble()]}, "object_key": OBJECT_KEY, "upload_url": UPLOAD_URL}
    kept = json.dumps(document({**told, "workspace_id": WORKSPACE, "debug": {"authorization": KEY}}, KEY, WORKSPACE))
    assert not caught(kept.encode(), nets(PLANTED))


def test_what_is_nested_beyond_reason_ends() -> None:
    deep: Json = "end"
    for _ in range(60):
        deep = {"a": deep}
    assert "end" not in json.dumps(document(deep))


@given(_JSON.filter(lambda value: isinstance(value, dict | list)))
@settings(max_examples=examples(200), deadline=None)
def test_any_document_can_be_kept_and_is_its_own_document(value: Any) -> None:
    value = wire.parse(json.dumps(value).encode())
    once = document(value)
    rfc8785.dumps(once)
    if isinstance(value, dict):
        assert document(once) == once
