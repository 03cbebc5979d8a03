"""A paid request whose answer was lost: never sent a second time unasked, never forgotten."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sumesync.sandbox.settings import Idempotency

from .conftest import Maker
from .stage import KILLED, POST, Stage


def lose(make: Maker, fault: dict[str, object], charged: int, **settings: object) -> Stage:
    """The answer of the first paid request is lost."""
    stage = make({**POST, **fault, "times": 1}, **settings)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=4)
    assert len(stage.charges()) == charged
    return stage


def test_what_is_unknown_is_told_by_every_command_that_looks(make: Maker) -> None:
    """tests/reliability/test_paid_request.py has every way in which an answer is lost; here is one of them."""
    stage = lose(make, {"drop": "after-creating"}, 1)
    lock = stage.read("sume.lock")
    for args in (("apply", "--yes"), ("apply", "--yes", "--retry-failed"), ("plan", "--exit-code"), ("check",)):
        assert "sumesync resolve hero.sume.toml" in stage.here(*args, code=4).text, args
    assert stage.posts() == 1
    assert stage.read("sume.lock") == lock
    stage.here("resolve", "hero", "--adopt", stage.charges()[0].job_id, code=0)
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert "No paid request is open" in stage.here("resolve", code=0).text


def test_what_a_live_process_is_sending_is_not_unknown(make: Maker) -> None:
    stage = make({**POST, "delay": 1, "after": True, "times": 1})
    stage.spec("hero", "A jar.")
    process = stage.begin("apply", "--yes")
    stage.sume.gate.reached()
    assert [step["step"] for step in stage.journal()] == ["sending"]
    said = f"being sent by process {process.pid}"
    assert said in stage.here("plan", "--exit-code", code=2).text
    assert said in stage.here("check", code=2).text
    assert "being sent" in stage.here("status", code=0).out
    assert stage.here("check", "--json", code=2).json["exit_code"] == 2
    for args in ((), ("--json",), ("hero", "--not-created"), ("hero", "--adopt", stage.charges()[0].job_id)):
        refused = stage.here("resolve", *args, code=3)
        assert f"process {process.pid}" in refused.err
    stage.sume.gate.open()
    stage.end(process, code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == 1


def test_no_more_of_its_kind_is_sent_and_the_rest_goes_on(make: Maker) -> None:
    stage = make({**POST, "answer": {"status": 500}, "after": True, "times": 1}, capacity=1)
    for number in range(5):
        stage.spec(f"s{number}", f"Picture {number}.")
    stage.spec("clip", "A clip.", kind="video", duration=4)
    result = stage.here("apply", "--yes", code=4)
    assert "4 specs not submitted" in result.out
    assert len(stage.seen("POST", "/images/generations")) == 1
    assert len(stage.seen("POST", "/videos/generations")) == 1
    stage.all_there("clip")
    again = stage.here("apply", "--yes", code=4)
    assert "sumesync resolve" in again.text
    assert stage.posts() == 2
    [lost] = [charge for charge in stage.charges() if charge.route == "/images/generations"]
    stage.here("resolve", "--adopt", lost.job_id, code=0)
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 6
    stage.nothing_lost()


def test_what_was_in_flight_is_still_collected(make: Maker) -> None:
    stage = make()
    stage.spec("first", "The first.")
    stage.slow()
    stage.here("apply", "--yes", "--no-wait", code=5)
    stage.faults({**POST, "drop": "after-creating", "times": 1})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--no-wait", code=4)
    stage.later()
    stage.here("apply", "--yes", code=4)
    stage.all_there("first")
    assert len(stage.charges()) == 2


def rename(stage: Stage) -> None:
    stage.path("hero.sume.toml").rename(stage.path("moved.sume.toml"))


def copy(stage: Stage) -> None:
    stage.write("twin.sume.toml", stage.read("hero.sume.toml"))


def clean(stage: Stage) -> None:
    stage.git("clean", "-q", "-fdx", "-e", "*.sume.toml")
    stage.git("checkout", "-q", "--", "sume.lock")


@pytest.mark.parametrize("change", [rename, copy, clean])
def test_it_stays_unknown_whatever_happens_to_the_tree(make: Maker, change: Callable[[Stage], None]) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    change(stage)
    stage.here("apply", "--yes", code=4)
    assert stage.posts() == 1
    stage.here("resolve", "--adopt", stage.charges()[0].job_id, code=0)
    stage.here("apply", "--yes", code=0)
    stage.all_there()
    assert len(stage.charges()) == 1


def test_it_stays_unknown_when_its_spec_is_deleted(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    stage.path("hero.sume.toml").unlink()
    stage.here("check", code=4)
    stage.here("apply", "--yes", code=4)
    stage.here("resolve", "hero.sume.toml", "--adopt", stage.charges()[0].job_id, code=0)
    stage.here("apply", "--yes", code=0)
    stage.nothing_lost()
    stage.spec("again", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there("again")
    assert len(stage.charges()) == 1


@pytest.mark.parametrize("created", [True, False], ids=["adopted", "not-created"])
def test_in_a_worktree_without_a_lock_it_is_settled_as_the_message_says(make: Maker, created: bool) -> None:
    stage = lose(make, {"drop": "after-creating" if created else "after-reading"}, int(created))
    other = stage.worktree("second", "-b", "second")
    other.path("sume.lock").unlink()
    other.spec("lid", "A lid.")
    refused = other.here("apply", "--yes", code=3)
    assert "1 paid request in progress" in refused.err
    assert "sumesync resolve" in refused.err
    assert "hero.sume.toml" in other.here("resolve", code=4).out
    verdict = ("--adopt", stage.charges()[0].job_id) if created else ("--not-created",)
    other.here("resolve", *verdict, code=0)
    other.here("apply", "--yes", code=0)
    other.all_there("lid")
    assert stage.paid() == (["A jar.", "A lid."] if created else ["A lid."])
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert sorted(stage.paid()) == ["A jar.", "A lid."]


def test_adopting_what_is_not_it_is_refused(make: Maker) -> None:
    stage = make()
    stage.spec("first", "The first.")
    stage.here("apply", "--yes", code=0)
    stage.faults({**POST, "drop": "after-creating", "times": 1})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=4)
    other, mine = stage.charges()
    for wrong in (other.job_id, "job_nobody", "../x", "a b"):
        stage.here("resolve", "hero", "--adopt", wrong, code=64)
        assert len(stage.journal()) == 1
    stage.here("resolve", "hero", "--adopt", mine.job_id, "--not-created", code=64)
    shown = stage.here("resolve", "--json", code=4).json["open"]
    assert [job["job"] for job in shown[0]["candidates"]] == [mine.job_id]
    stage.here("resolve", "hero", "--adopt", mine.job_id, code=0)
    stage.here("apply", "--yes", code=0)
    stage.all_there()


def test_not_created_is_a_persons_word_and_the_next_attempt_has_its_own_key(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    stage.here("resolve", "hero", "--not-created", code=0)
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 2
    keys = [charge.idempotency_key for charge in stage.charges()]
    assert len(set(keys)) == 2
    assert stage.lock()["hero.sume.toml"]["jobs"][-1]["attempt"] == 2


def wrongly_adopted(make: Maker) -> tuple[Stage, str, str]:
    """A colleague's job was taken for the one of the spec: (stage, that job, the right one)."""
    stage = lose(make, {"drop": "after-creating"}, 1)
    [right] = [charge.job_id for charge in stage.charges()]
    wrong = strangers(stage, "Another jar.")
    stage.here("resolve", "hero", "--adopt", wrong, "--force", code=0)
    return stage, wrong, right


def strangers(stage: Stage, prompt: str) -> str:
    """A job that a colleague made, of the same kind: its id."""
    stage.world.create("image", {"prompt": prompt}, "somebody-elses-key")
    return stage.charges()[-1].job_id


def test_a_job_that_was_asked_for_something_else_is_not_adopted(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    theirs = strangers(stage, "Another\x1b[31m jar.")
    before = stage.read("sume.lock")
    refused = stage.here("resolve", "hero", "--adopt", theirs, code=64).err
    assert 'its prompt is "Another\\x1b[31m jar."; hero.sume.toml asks for "A jar."' in refused
    assert f"sumesync resolve hero.sume.toml --adopt {theirs} --force" in refused
    assert stage.read("sume.lock") == before
    assert [step["step"] for step in stage.journal()] == ["unknown"]
    stage.here("resolve", "hero", "--adopt", theirs, "--force", code=0)
    stage.here("apply", "--yes", code=0)
    assert [job["id"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [theirs]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)], ids=["yes", "no", "the-default"])
def test_on_a_terminal_it_is_asked(make: Maker, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    theirs = strangers(stage, "Another jar.")
    monkeypatch.setattr("sumesync.cli.verdicts.can_ask", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _text: answer)
    said = stage.here("resolve", "hero", "--adopt", theirs, code=code).err
    assert 'its prompt is "Another jar."' in said
    assert ("Declined; nothing was done." in said) == bool(code)
    assert len(stage.journal()) == bool(code)


def test_what_cannot_be_compared_is_adopted_and_told(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1, echo_requests=False)
    said = stage.here("resolve", "hero", "--adopt", strangers(stage, "Another jar."), code=0).err
    assert "Sume does not tell what it was asked for" in said


def test_what_no_spec_asks_for_now_is_adopted_and_told(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    [charge] = stage.charges()
    stage.spec("hero", "A lid.")
    said = stage.here("resolve", "hero", "--adopt", charge.job_id, "--json", code=0)
    assert "no spec asks for that request now" in said.err
    assert said.json["compared"] is False


def test_the_right_job_is_adopted_without_a_word(make: Maker) -> None:
    stage = make({**POST, "drop": "after-creating", "times": 1})
    stage.spec("hero", "A jar, and a very long story about it. " * 20)  # a job shows the first part of its prompt
    stage.here("apply", "--yes", code=4)
    said = stage.here("resolve", "hero", "--adopt", stage.charges()[0].job_id, "--json", code=0)
    assert "compared" not in said.err
    assert said.json["compared"] is True


def test_candidates_are_shown_with_their_prompts(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    strangers(stage, "An\x1b[31mother jar " + "of very many words " * 20)
    shown = stage.here("resolve", code=4).out
    assert "PROMPT" in shown
    assert "A jar." in shown
    assert "An\\x1b[31mother jar of very many words" in shown
    assert max(map(len, shown.splitlines())) < 160
    [open_] = stage.here("resolve", "--json", code=4).json["open"]
    assert {job["prompt"][:10] for job in open_["candidates"]} == {"A jar.", "An\\x1b[31m"}
    stage.settings(echo_requests=False)
    assert "PROMPT" not in stage.here("resolve", code=4).out
    [open_] = stage.here("resolve", "--json", code=4).json["open"]
    assert {job["prompt"] for job in open_["candidates"]} == {""}


def test_force_is_said_of_an_adoption_alone(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    for args in ((), ("--not-created",), ("--undo",)):
        assert "--adopt" in stage.here("resolve", "hero", *args, "--force", code=64).err


@pytest.mark.parametrize("collected", [False, True], ids=["at-once", "after-it-was-downloaded"])
def test_a_wrong_job_is_given_back_and_the_right_one_taken(make: Maker, collected: bool) -> None:
    stage, wrong, right = wrongly_adopted(make)
    if collected:
        stage.here("apply", "--yes", code=0)
        assert wrong.encode() in stage.path("hero.png").read_bytes()
    stage.here("resolve", "hero", "--undo", code=0)
    assert [step["step"] for step in stage.journal()] == ["unknown"]
    for args in (("plan", "--exit-code"), ("check",), ("apply", "--yes"), ("apply", "--yes", "--retry-failed")):
        assert "sumesync resolve hero.sume.toml" in stage.here(*args, code=4).text, args
    [shown] = stage.here("resolve", "--json", code=4).json["open"]
    assert {job["job"] for job in shown["candidates"]} == {wrong, right}
    stage.here("resolve", "hero", "--undo", code=64)
    stage.here("resolve", "hero", "--adopt", right, code=0)
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert [job["id"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [right]
    assert right.encode() in stage.path("hero.png").read_bytes()
    assert stage.posts() == 1
    stage.here("check", code=0)
    stage.here("lock", "rebuild", code=0)
    stage.here("check", code=0)


def test_a_job_that_was_given_back_can_be_taken_again(make: Maker) -> None:
    stage, wrong, _ = wrongly_adopted(make)
    stage.here("resolve", "hero", "--undo", code=0)
    stage.here("resolve", "hero", "--not-created", code=0)
    stage.here("resolve", "hero", "--undo", code=0)
    stage.here("resolve", "hero", "--adopt", wrong, "--force", code=0)
    stage.here("apply", "--yes", code=0)
    assert [job["id"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [wrong]
    assert stage.posts() == 1


def test_a_lock_that_was_committed_with_the_wrong_job_does_not_bring_it_back(make: Maker) -> None:
    stage, _, right = wrongly_adopted(make)
    stage.here("apply", "--yes", code=0)
    stage.commit()
    stage.here("resolve", "hero", "--undo", code=0)
    stage.git("checkout", "-q", "--", ".")
    stage.here("apply", "--yes", code=4)
    stage.here("resolve", "hero", "--adopt", right, code=0)
    stage.here("apply", "--yes", code=0)
    assert stage.posts() == 1
    assert right.encode() in stage.path("hero.png").read_bytes()
    assert [job["id"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [right]


def test_no_job_was_created_can_be_taken_back_until_it_was_paid_again(make: Maker) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    stage.here("resolve", "hero", "--undo", code=64)
    stage.here("resolve", "hero", "--not-created", code=0)
    stage.here("resolve", "hero", "--undo", code=0)
    stage.here("apply", "--yes", code=4)
    stage.here("resolve", "hero", "--not-created", code=0)
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 2
    assert "tried again since" in stage.here("resolve", "hero", "--undo", code=64).err
    assert not stage.journal()
    stage.here("check", code=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process is forked")
def test_killed_while_it_is_taken_back_it_is_one_or_the_other(make: Maker) -> None:
    """At every third step; ``python -m tests.crash --only undo`` has all of them."""
    for at in range(1, 60, 3):
        stage, wrong, right = wrongly_adopted(make)
        stage.here("apply", "--yes", code=0)
        died = stage.crash(at, "resolve", "hero", "--undo").code == KILLED
        ended = stage.here("apply", "--yes").code
        assert ended in (0, 4), f"killed at step {at}"
        if ended == 0:
            assert [job["id"] for job in stage.lock()["hero.sume.toml"]["jobs"]] == [wrong]
            stage.here("resolve", "hero", "--undo", code=0)
        stage.here("resolve", "hero", "--adopt", right, code=0)
        stage.here("apply", "--yes", code=0)
        assert right.encode() in stage.path("hero.png").read_bytes()
        assert stage.posts() == 1
        stage.close()
        if not died:
            return
    raise AssertionError("it never ended")


def test_where_sume_echoes_our_key_the_job_is_found(make: Maker) -> None:
    stage = make({**POST, "drop": "after-creating", "times": 1}, echo_keys=True)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == stage.posts() == 1


def test_a_job_that_looks_alike_is_not_taken_for_it(make: Maker) -> None:
    """A colleague made the same picture a minute ago. Sume echoes keys, and that job's is not ours."""
    stage = make({**POST, "drop": "after-reading", "times": 1}, echo_keys=True)
    stage.world.create("image", {"prompt": "A jar."}, "somebody-elses-key")
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=4)
    assert len(stage.charges()) == stage.posts() == 1


@pytest.mark.parametrize("way", ["documented", "echo"])
def test_what_became_clear_meanwhile_is_settled_by_the_next_apply(make: Maker, way: str) -> None:
    stage = lose(make, {"drop": "after-creating"}, 1)
    if way == "echo":
        stage.settings(echo_keys=True)
    else:
        stage.settings(idempotency=Idempotency.DOCUMENTED)
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == 1


def test_documented_but_the_spec_changed_meanwhile(make: Maker) -> None:
    """The bytes that were sent cannot be made again, so they are not sent again."""
    stage = lose(make, {"drop": "after-creating"}, 1)
    stage.settings(idempotency=Idempotency.DOCUMENTED)
    stage.spec("hero", "Another jar.")
    stage.here("apply", "--yes", code=4)
    assert stage.posts() == 1
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == 1
