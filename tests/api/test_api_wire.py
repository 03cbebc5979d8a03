"""The readers, against fixtures written by hand from the documentation, and against anything at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sumesync.answers import Accepted, Account, Credits, JobResult, JobView, Unclear
from sumesync.api import wire
from sumesync.api.answers import Answer, error_body, submit_result
from sumesync.api.openapi import declares_header
from sumesync.api.reading import Unreadable, parse
from sumesync.model import JobState
from tests.builders import examples

FIXTURES = Path(__file__).parent / "fixtures"


def rows(name: str) -> pytest.MarkDecorator:
    table = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in table])


@rows("create_answers")
def test_job_ids_of_a_create_answer(row: dict[str, Any]) -> None:
    if row["ids"] is None:
        with pytest.raises(Unreadable):
            wire.job_ids(row["answer"])
    else:
        assert wire.job_ids(row["answer"]) == tuple(row["ids"])


def test_the_create_answers_have_each_place_of_a_job_id_in_each_envelope() -> None:
    table = json.loads((FIXTURES / "create_answers.json").read_text("utf-8"))
    bodies = [row["answer"] for row in table if row["ids"]]
    for told in (bodies, [body["data"] for body in bodies if isinstance(body.get("data"), dict)]):
        assert {"job", "job_id", "id", "jobs", "job_ids"} <= {place for body in told for place in body}


@rows("create_answers")
def test_a_create_answer_is_accepted_only_with_ids(row: dict[str, Any]) -> None:
    outcome = submit_result(Answer(200, {}, json.dumps(row["answer"]).encode()), now=0.0)
    if row["ids"]:
        assert outcome == Accepted(tuple(row["ids"]), row.get("credits"))
    else:
        assert isinstance(outcome, Unclear)


def test_a_body_that_is_not_whole_names_no_job() -> None:
    assert isinstance(submit_result(Answer(200, {}, b'{"job_id":"job_1"}', "it broke off"), now=0.0), Unclear)


def test_readable_ids_beside_an_unreadable_one_are_told() -> None:
    outcome = submit_result(Answer(200, {}, b'{"job_ids": ["job_1", "../x"]}'), now=0.0)
    assert isinstance(outcome, Unclear)
    assert "job_1" in outcome.detail
    assert ".." not in outcome.detail


@rows("jobs")
def test_job_view(row: dict[str, Any]) -> None:
    if row["job"] is None:
        with pytest.raises(Unreadable):
            wire.job_view(row["answer"], row.get("asked", ""))
        return
    wanted = {**row["job"], "tokens": frozenset(row["job"].get("tokens", ()))}
    view = wire.job_view(row["answer"], row.get("asked", ""))
    assert replace(view, tokens=view.tokens & wanted["tokens"]) == JobView(**wanted)
    assert "a long prompt with spaces" not in view.tokens


def test_unknown_status_is_in_flight() -> None:
    assert wire.job_view({"id": "job_1", "status": "warming_up"}).state is JobState.ACCEPTED


@rows("pages")
def test_job_page(row: dict[str, Any]) -> None:
    if row["ids"] is None:
        with pytest.raises(Unreadable):
            wire.job_page(row["answer"])
        return
    page = wire.job_page(row["answer"], row.get("asked"))
    for view in page.jobs:
        only = wire.job_page(row["answer"], row.get("asked"), only={view.id})
        silent = tuple(replace(job, tokens=frozenset(), asked={}) for job in page.jobs if job.id == view.id)
        assert (only.jobs, only.cursor) == (silent, page.cursor)
    assert [job.id for job in page.jobs] == row["ids"]
    assert page.cursor == row["cursor"]


@rows("accounts")
def test_account(row: dict[str, Any]) -> None:
    if row["account"] is None:
        with pytest.raises(Unreadable):
            wire.read_account(row["answer"])
        return
    wanted = {**row["account"], "scopes": tuple(row["account"].get("scopes", ()))}
    assert wire.read_account(row["answer"]) == Account(**wanted)


@rows("credits")
def test_credits(row: dict[str, Any]) -> None:
    if row["credits"] is None:
        with pytest.raises(Unreadable):
            wire.read_credits(row["answer"])
        return
    assert asdict(wire.read_credits(row["answer"])) == asdict(Credits(**row["credits"]))


@rows("results")
def test_media_of_a_result(row: dict[str, Any]) -> None:
    if row["urls"] is None:
        with pytest.raises(Unreadable):
            wire.job_result(row["answer"])
        return
    read = wire.job_result(row["answer"], frozenset(row.get("sent", ())))
    assert read == JobResult(tuple(row["urls"]), row.get("credits"))


@rows("errors")
def test_error_body(row: dict[str, Any]) -> None:
    told = error_body(Answer(400, row.get("headers", {}), json.dumps(row["body"]).encode()))
    assert (told.code, told.message, told.request_id) == (row["code"], row["message"], row.get("request_id"))


@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"\xff\xfe", b"[" * 100_000, b"nope"])
def test_error_body_of_no_json(body: bytes) -> None:
    assert error_body(Answer(502, {"x-request-id": "req_1"}, body)).request_id == "req_1"


def test_a_long_message_is_cut() -> None:
    told = error_body(Answer(400, {}, json.dumps({"error": "x" * 100_000}).encode()))
    assert len(told.message) == 300


@rows("openapi")
def test_openapi(row: dict[str, Any]) -> None:
    assert declares_header(row["document"], "/images/generations", "/api/v1") is row["declares"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": Infinity, "c": 1e999}', {"a": None, "b": None, "c": None}),
        (b'{"a": ' + b"9" * 10_000 + b"}", {"a": None}),
        (b'{"a": 1, "a": 1}', {"a": 1}),
        (b'"\xff"', "\ufffd"),
    ],
)
def test_parse(body: bytes, value: object) -> None:
    assert parse(body) == value


@pytest.mark.parametrize("body", [b"", b" ", b"<p>", b"{", b'{"a": 1, "a": 2}', b'{"a":' * 200_000, b"\x00"])
def test_parse_refuses(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(body)


def test_a_deep_answer_that_still_parses_is_read() -> None:
    deep = b'{"data":' * 900 + b'{"id": "job_1"}' + b"}" * 900
    assert isinstance(submit_result(Answer(200, {}, deep), now=0.0), Unclear)


# --- anything at all ------------------------------------------------------------------------------

_WORDS = """id job job_id jobs job_ids data object status state type kind error code message details errors
    url image_url urls images avatar capabilities credits cost usage remaining concurrency limit plan user workspace
    api_key scopes
    next_cursor has_more pagination request_id paths post parameters $ref path upload upload_id upload_url
    required_headers name value method media_url"""
_NAMES = st.sampled_from(_WORDS.split())
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["job_1", "../x", "https://m/1?s=1", "completed", "list", "#/a", "0123456789abcdef"]),
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=25,
)
READERS: list[Callable[[Any], object]] = [
    wire.job_ids,
    wire.job_view,
    wire.job_page,
    wire.job_result,
    wire.read_account,
    wire.read_credits,
    wire.read_presigned,
    wire.scene_page,
    wire.scene,
    wire.avatar_page,
    wire.avatar,
    wire.brand,
    lambda value: wire.job_view(value, "job_1"),
    lambda value: declares_header(value, "/images/generations"),
]


@given(_JSON)
@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_reader_raises_on_any_json(value: Any) -> None:
    for reader in READERS:
        try:
            reader(value)
        except Unreadable:
            continue
    body = json.dumps(value).encode()
    for status in (200, 400, 409, 429, 500):
        outcome = submit_result(Answer(status, {}, body), now=0.0)
        if isinstance(outcome, Accepted):
            assert status == 200
            assert outcome.job_ids
            assert all(map(wire.is_job_id, outcome.job_ids))


@given(st.binary(max_size=200))
@settings(max_examples=examples(300), deadline=None)
def test_no_bytes_break_the_reading(body: bytes) -> None:
    submit_result(Answer(200, {}, body), now=0.0)
    error_body(Answer(500, {}, body))


@given(st.text(max_size=40))
@settings(max_examples=examples(200), deadline=None)
def test_no_retry_after_breaks_the_reading(text: str) -> None:
    wait = wire.retry_after({"retry-after": text, "date": text}, now=0.0)
    assert wait is None or 0 <= wait <= 60


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "21600"}, 60.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 01 May 2026 10:00:30 GMT", "date": "Fri, 01 May 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 01 May 2026 10:00:30 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 99 May 2026 10:00:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], wait: float | None) -> None:
    assert wire.retry_after(headers, now=1.0) == wait


def test_the_wire_is_light() -> None:
    code = "import sys, sumesync.api.wire; print(*({'urllib3', 'ssl', 'socket', 'truststore'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
