"""Plans and events for programs: by the schema, the same for the same state, without secrets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from sumesync.core.cost import Estimate, Quote
from sumesync.core.outcome import Outcome, Trouble
from sumesync.disk import schemas
from sumesync.errors import Exit, LocalStateError, Problem
from sumesync.model import SUME, EntryKey, Event, News, Step
from sumesync.render import machine, progress
from tests.builders import document, entry, examples, planned, submission, wanted
from tests.core.test_plan import ROWS
from tests.core.test_plan_always import World, worlds
from tests.values import HERO, HERO_DONE, HERO_FILES, HERO_IN_FLIGHT, HERO_PATH, HERO_UNKNOWN, RED, RENAMED

VALIDATOR = Draft202012Validator(schemas.load("plan"))


def conforms(found: dict[str, Any]) -> None:
    table = json.loads(machine.dump(found))
    assert table["format_version"] == 1
    VALIDATOR.validate(table)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_each_row_of_the_decision_table_conforms_to_the_schema(row: Any) -> None:
    found = planned(*row.specs, **row.state)
    conforms(machine.plan(found, row.state.get("endpoint", SUME)))


@given(worlds())
@settings(max_examples=examples(60))
def test_every_state_conforms_to_the_schema(world: World) -> None:
    conforms(machine.plan(world.plan(), world.policy.endpoint))


def test_what_is_likely_to_be_paid_conforms_and_is_no_part_of_the_digest() -> None:
    found = planned(RED, wanted("a.sume.toml", variant="tall"))
    known = Estimate(4, 0, ("4 a job, as 1 earlier image",), 1)
    estimates = {RED.key: known, EntryKey("a.sume.toml", "tall"): Estimate(unknown=1)}
    quoted = machine.plan(found, SUME, Quote(estimates, Estimate(4, 1, known.basis, 1), 96.5, 4))
    conforms(quoted)
    assert quoted["estimate"]["actions"][0] == {
        "path": "a.sume.toml",
        "variant": "tall",
        "credits": None,
        "unknown_jobs": 1,
        "basis": [],
    }
    plain = machine.plan(found, SUME)
    assert plain != quoted
    assert machine.digest(plain, {}) == machine.digest(quoted, {})


def test_a_plan_word_for_word() -> None:
    found = planned(
        RED,
        wanted("a.sume.toml", variant="tall"),
        entries=[HERO_DONE, entry(wanted("gone.sume.toml", "g"), HERO_IN_FLIGHT)],
        files=HERO_FILES,
        documents={"launch/hero.sume.json": document(HERO, HERO_DONE)},
        journal=[HERO_UNKNOWN],
    )
    tall = wanted("a.sume.toml")
    assert machine.plan(found, SUME) == {
        "endpoint": "sume",
        "paid_jobs": 2,
        "estimate": None,
        "balance": None,
        "capacity": None,
        "summary": {"create": 1, "update": 1},
        "actions": [
            {
                "path": "a.sume.toml",
                "variant": "tall",
                "action": "create",
                "kind": "image",
                "fingerprint": tall.fingerprint,
                "reason": {"code": "new", "text": "new"},
                "paid_jobs": 1,
                "pending": True,
            },
            {
                "path": HERO_PATH,
                "action": "update",
                "kind": "image",
                "fingerprint": RED.fingerprint,
                "reason": {"code": "changed", "text": "changed: prompt"},
                "paid_jobs": 1,
                "pending": True,
                "changes": [{"field": "prompt", "from": "A cup on a white table", "to": "A red cup on a white table"}],
                "replaces": ["launch/hero.png"],
            },
        ],
        "orphans": [{"path": "gone.sume.toml", "outputs": [], "in_flight": True}],
        "collects": [
            {"job": "job_hero", "kind": "image", "fingerprint": wanted("gone.sume.toml", "g").fingerprint},
        ],
        "unknown": [{"path": HERO_PATH, "kind": "image", "fingerprint": HERO.fingerprint, "sent_at": 5.0}],
        "problems": [],
        "other_endpoint": 0,
    }


def test_a_rename_and_a_twin_name_the_other_end() -> None:
    (moved,) = machine.plan(planned(RENAMED, entries=[HERO_DONE], files=HERO_FILES), SUME)["actions"]
    assert moved["renamed_from"] == {"path": HERO_PATH}
    assert moved["outputs"] == [
        {
            "path": "launch/banner.png",
            "sha256": HERO_DONE.outputs[0].sha256,
            "standing": "elsewhere",
            "source": "launch/hero.png",
        }
    ]
    twin = machine.plan(planned(HERO, RENAMED), SUME)["actions"][1]
    assert twin["same_as"] == {"path": RENAMED.key.path}


def test_urls_in_changes_stand_without_what_signs_them() -> None:
    before = wanted(HERO_PATH, "x", reference_image_urls=["https://a.example/1"])
    after = wanted(HERO_PATH, "x", reference_image_urls=["https://a.example/2?sig=SECRET"])
    its = replace(HERO_DONE, fingerprint=before.fingerprint)
    found = planned(after, entries=[its], documents={"launch/hero.sume.json": document(before, its)}, files=HERO_FILES)
    text = machine.dump(machine.plan(found, SUME))
    assert "https://a.example/2" in text
    assert "SECRET" not in text


def test_the_digest_is_of_what_would_be_done() -> None:
    one, other = machine.plan(planned(HERO), SUME), machine.plan(planned(RED), SUME)
    assert machine.digest(one, {}) == machine.digest({**one, "digest": "x", "options": {}, "format_version": 1}, {})
    assert machine.digest(one, {}) == machine.digest(json.loads(machine.dump(one)), {})
    assert machine.digest(one, {}) != machine.digest(other, {})
    assert machine.digest(one, {}) != machine.digest(one, {"prune": True})


def test_half_a_surrogate_pair_in_a_metadata_file_does_not_stop_a_plan() -> None:
    bad = replace(document(HERO, HERO_DONE), request={"prompt": "\ud800"})
    found = planned(RED, entries=[HERO_DONE], files=HERO_FILES, documents={"launch/hero.sume.json": bad})
    table = machine.plan(found, SUME)
    assert machine.digest(table, {})
    assert machine.dump(table).encode()


def test_a_number_that_is_none_in_a_metadata_file_does_not_break_the_json() -> None:
    bad = replace(document(HERO, HERO_DONE), request={"prompt": "x", "seed": float("nan")})
    found = planned(RED, entries=[HERO_DONE], files=HERO_FILES, documents={"launch/hero.sume.json": bad})
    text = machine.dump(machine.plan(found, SUME))
    json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def test_what_a_terminal_would_obey_is_escaped_in_json_too() -> None:
    evil = "\x1b[31m\u202e\x9b2J"
    text = machine.dump(machine.plan(planned(problems=[Problem(f"a{evil}", f"bad {evil}", evil)]), SUME))
    assert all(line.isprintable() for line in text.split("\n"))


def test_an_event_is_one_line() -> None:
    event = Event(News.ACCEPTED, EntryKey("a.sume.toml", "tall"), "two\nlines", "job_1")
    line = machine.line(machine.event(event))
    assert "\n" not in line
    assert json.loads(line) == {
        "format_version": 1,
        "event": "accepted",
        "path": "a.sume.toml",
        "variant": "tall",
        "job": "job_1",
        "text": "two\nlines",
    }
    assert machine.event(Event(News.NOTE)) == {"event": "note"}


def test_the_end_of_a_run() -> None:
    result = Outcome(
        done=[HERO.key],
        bought=["j1"],
        failed=[Trouble(HERO.key, "x", "y"), Trouble(None, "z")],
        unknown=[replace(submission(RED, Step.UNKNOWN), detail="reset")],
        running={"j2": None, "j1": None},
        refused=Trouble(None, "full", "free it"),
        credits=3.5,
    )
    assert machine.outcome(result, 4) == {
        "event": "end",
        "exit_code": 4,
        "done": [HERO_PATH],
        "jobs_paid_for": ["j1"],
        "credits": 3.5,
        "written": [],
        "removed": [],
        "failed": [{"path": HERO_PATH, "what": "x", "hint": "y"}, {"path": None, "what": "z", "hint": ""}],
        "unknown": [{"path": HERO_PATH, "what": "reset", "sent_at": 5.0}],
        "running": ["j1", "j2"],
        "not_downloaded": [],
        "not_submitted": [],
        "interrupted": False,
        "refused": {"what": "full", "hint": "free it"},
    }


def test_an_error() -> None:
    fault = LocalStateError("broken", "mend it", problems=(Problem("a", "b", "c", 1, 2),), code=Exit.REFUSED)
    assert machine.error(fault) == {
        "event": "error",
        "error": {"what": "broken", "hint": "mend it", "exit_code": 3},
        "problems": [{"path": "a", "line": 1, "column": 2, "what": "b", "hint": "c"}],
    }


# --- Progress --------------------------------------------------------------------------------------

EVENTS = [
    (Event(News.SUBMITTING, HERO.key), f"{HERO_PATH}: submitting"),
    (Event(News.ACCEPTED, HERO.key, "accepted", "job_1"), f"{HERO_PATH}: accepted job_1"),
    (Event(News.ACCEPTED, HERO.key, "accepted for 5 credits", "job_1"), f"{HERO_PATH}: accepted for 5 credits, job_1"),
    (Event(News.STATUS, HERO.key, "running", "job_1"), f"{HERO_PATH}: running job_1"),
    (Event(News.FAILED, HERO.key, "content_policy"), f"{HERO_PATH}: failed content_policy"),
    (Event(News.NOTE, None, "waiting 3 s"), "waiting 3 s"),
    (Event(News.NOTE, EntryKey("\x1b.sume.toml"), "\u202e", "j\n"), "\\x1b.sume.toml: \\u202e j\\n"),
]


@pytest.mark.parametrize(("event", "text"), EVENTS)
def test_one_event_is_one_plain_line(event: Event, text: str) -> None:
    assert progress.sentence(event) == text


def test_who_is_told_what() -> None:
    told: dict[str, list[str]] = {"silent": [], "lines": [], "json": []}
    views: dict[str, progress.Silent | progress.Lines | progress.JsonLines] = {
        "silent": progress.Silent(told["silent"].append),
        "lines": progress.Lines(told["lines"].append),
        "json": progress.JsonLines(told["json"].append),
    }
    for view in views.values():
        for news in News:
            view.tell(Event(news, HERO.key, "text"))
        view.close()
    assert len(told["silent"]) == 2
    assert len(told["lines"]) == len(News) - 2
    assert [json.loads(line)["event"] for line in told["json"]] == [str(news) for news in News]
