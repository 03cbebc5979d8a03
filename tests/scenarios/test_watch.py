"""Stories of watch, in this process: the looks and passes are real, what is heard and what time it is is not."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sumesync.cli import wiring
from sumesync.cli.session import Place
from sumesync.errors import LocalStateError
from tests.reliability.machine import Fast, machine

from .conftest import Maker
from .stage import PATIENCE, POST, Stage
from .watcher import Session

SAVED = "hero.sume.toml"


def saved(stage: Stage, session: Session, prompt: str, name: str = "hero") -> None:
    stage.spec(name, prompt)
    session.hear(f"{name}.sume.toml")


def quiet(session: Session, seconds: float = 700) -> None:
    """Nothing is looked at but now and then, and nothing is said or asked of Sume."""
    requests, said = len(session.stage.world.requests), len(session.events)
    session.later(seconds)
    assert len(session.stage.world.requests) == requests
    assert [event for event in session.events[said:] if event["event"] != "idle"] == []


def clean(stage: Stage) -> None:
    """A cold plan has nothing to do, and nothing was paid for twice or lost."""
    assert "Nothing to do" in stage.here("plan", "--exit-code", code=0).out
    bodies = [json.dumps(dict(charge.body), sort_keys=True) for charge in stage.charges()]
    assert len(bodies) == len(set(bodies)), "a content was paid for twice"
    stage.nothing_lost()
    assert not stage.journal()


def test_a_saved_spec_is_made_when_it_has_settled_and_then_nothing_wakes_it(stage: Stage) -> None:
    session = Session(stage)
    session.later(10)
    saved(stage, session, "A jar.")
    session.later(2.9)
    assert stage.posts() == 0
    session.later(10)
    assert stage.paid() == ["A jar."]
    stage.all_there("hero")
    assert session.told("idle")[-1]["jobs_paid_for"] == 1
    session.hear(*session.hints.wrote, "hero.png", "sume.lock")
    quiet(session)
    clean(stage)


def test_while_nothing_changes_no_look_reads_a_file_and_what_no_event_told_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(stage)
    saved(stage, session, "A jar.")
    session.later(200)
    looks, real = [], wiring.look

    def look(place: Place, **options: Any) -> object:
        looks.append(options)
        return real(place, **options)

    monkeypatch.setattr(wiring, "look", look)
    quiet(session)
    assert looks == []
    stage.spec("hero", "A lid.")
    session.later(200)
    assert looks
    assert stage.paid() == ["A jar.", "A lid."]
    clean(stage)


def test_what_a_pass_pays_for_is_what_the_spec_says_not_what_a_look_remembered_of_it(stage: Stage) -> None:
    facts = stage.forged()
    session = Session(stage)
    session.later(1)
    assert session.desk.standing().specs == 2
    assert "A lid." in facts.read_text()  # it was believed, for a look
    session.later(20)
    assert stage.paid() == ["A cup.", "A jar."]


def test_typing_never_spends_money(stage: Stage) -> None:
    session = Session(stage)
    for number in range(12):
        saved(stage, session, "A jar of cream on a shelf."[: number + 3])
        session.later(2.5)
    assert stage.posts() == 0
    session.later(10)
    assert stage.paid() == ["A jar of cream"[:14]]
    clean(stage)


def test_a_half_typed_spec_is_told_once_and_waits_while_others_go_on(stage: Stage) -> None:
    session = Session(stage)
    stage.write(SAVED, 'prompt = "A jar')
    stage.spec("side", "A lid.")
    session.hear(SAVED, "side.sume.toml")
    session.later(200)
    assert stage.paid() == ["A lid."]
    assert sum(bool(plan["problems"]) for plan in session.told("plan")) == 1
    saved(stage, session, "A jar.")
    session.later(20)
    assert stage.paid() == ["A lid.", "A jar."]
    clean(stage)


def test_a_spec_that_changes_while_its_job_runs_is_the_next_pass(stage: Stage) -> None:
    stage.slow()
    session = Session(stage)
    saved(stage, session, "A jar.")
    session.later(20)
    saved(stage, session, "A lid.")
    session.later(20)
    assert stage.paid() == ["A jar.", "A lid."]
    stage.later()
    session.later(60)
    clean(stage)
    saved(stage, session, "A jar.")
    session.later(60)
    assert len(stage.charges()) == 2, "going back is free"
    clean(stage)


# --- What leads to a plan ---------------------------------------------------------------------------------------


def prompt_file(stage: Stage) -> str:
    stage.write("prompts/hero.md", "A jar in the rain.\n")
    return "prompts/hero.md"


def defaults(stage: Stage) -> str:
    stage.write("sumesync.toml", '[defaults.image]\naspect_ratio = "1:1"\n')
    return "sumesync.toml"


def lock(stage: Stage) -> str:
    stage.git("checkout", "-q", "HEAD", "--", "sume.lock")
    return "sume.lock"


def rename(stage: Stage) -> str:
    stage.path(SAVED).rename(stage.path("moved.sume.toml"))
    return "moved.sume.toml"


def atomic_save(stage: Stage) -> str:
    stage.write(".hero.sume.toml.swp", stage.read(SAVED).replace("take = 1", "take = 2"))
    stage.path(".hero.sume.toml.swp").replace(stage.path(SAVED))
    return SAVED


def media(stage: Stage) -> str:
    stage.path("hero.png").unlink()
    return "hero.png"


def folder(stage: Stage) -> str:
    stage.path("deep").rename(stage.path("high"))
    return "high"


CHANGES: list[tuple[Callable[[Stage], str], int]] = [
    (prompt_file, 1),
    (defaults, 3),
    (lock, 0),
    (rename, 0),
    (atomic_save, 1),
    (media, 0),
    (folder, 0),
]


@pytest.mark.parametrize(("change", "jobs"), CHANGES)
@pytest.mark.parametrize("is_heard", [True, False])
def test_whatever_changes_leads_to_the_right_plan(
    stage: Stage, change: Callable[[Stage], str], jobs: int, is_heard: bool
) -> None:
    """And what nobody heard of is found by the look of every minute."""
    stage.write("prompts/hero.md", "A jar in the sun.\n")
    stage.write("rain.sume.toml", 'prompt_file = "prompts/hero.md"\n')
    stage.write(SAVED, 'prompt = "A jar."\ntake = 1\n')
    stage.spec("deep/three", "A hand.")
    session = Session(stage)
    session.later(20)
    assert len(stage.charges()) == 3
    path = change(stage)
    if is_heard:
        session.hear(path)
    session.later(20 if is_heard else 80)
    assert len(stage.charges()) == 3 + jobs
    stage.here("apply", "--yes", "--prune", code=0)
    assert len(stage.charges()) == 3 + jobs
    stage.here("plan", "--exit-code", code=0)


def test_a_checkout_of_hundreds_of_files_asks_above_the_guard(stage: Stage) -> None:
    stage.git("checkout", "-q", "-b", "many")
    for number in range(120):
        stage.spec(f"many/{number:03}", f"Picture {number}.")
    stage.commit()
    stage.git("checkout", "-q", "main")
    session = Session(stage, answers=[False, True], applies=True)
    session.later(20)
    stage.git("checkout", "-q", "many")
    session.hear(*(f"many/{number:03}.sume.toml" for number in range(120)))
    session.later(60)
    assert stage.posts() == 0
    assert [(ask.jobs, ask.over) for ask in session.desk.asked] == [(120, True)]
    stage.git("checkout", "-q", "main")
    session.later(120)
    assert stage.posts() == 0
    quiet(session, 130)


def test_without_a_terminal_the_guard_is_told_once_and_holds(stage: Stage) -> None:
    session = Session(stage, max_jobs=2)
    saved(stage, session, "A jar.")
    session.later(20)
    for number in range(3):
        stage.spec(f"s{number}", f"Picture {number}.")
    session.later(300)
    assert len(stage.charges()) == 1
    assert [note["text"] for note in session.told("guard")] == [
        "that would be 4 paid jobs in this session, more than the 2 allowed; not submitted"
    ]
    stage.path("s1.sume.toml").unlink()
    stage.path("s2.sume.toml").unlink()
    session.later(100)
    assert stage.paid() == ["A jar.", "Picture 0."]


# --- Asking -----------------------------------------------------------------------------------------------------


def test_by_default_it_plans_shows_and_asks(stage: Stage) -> None:
    session = Session(stage, answers=[False, True])
    saved(stage, session, "A jar.")
    session.later(200)
    assert [plan["paid_jobs"] for plan in session.told("plan")] == [1]
    assert (len(session.desk.asked), stage.posts()) == (1, 0)
    saved(stage, session, "A lid.")
    session.later(60)
    assert stage.paid() == ["A lid."]
    assert len(session.desk.asked) == 2, "what runs is brought without another question"
    clean(stage)


def test_a_yes_is_for_what_was_asked(stage: Stage) -> None:
    """What changed while the question stood is asked about anew."""
    session = Session(stage, answers=[True, True])
    stage.spec("side", "A lid.")
    session.desk.meanwhile = lambda: stage.spec("hero", "Another jar.")
    saved(stage, session, "A jar.")
    session.later(4)
    assert stage.paid() == ["A lid."]
    session.later(100)
    assert stage.paid() == ["A lid.", "Another jar."]
    assert [ask.jobs for ask in session.desk.asked] == [2, 1]
    clean(stage)


def test_a_question_may_stand_while_jobs_end_and_specs_change(make: Maker) -> None:
    stage = make(seconds={"image": 20})
    stage.path("hero.sume.toml").unlink(missing_ok=True)
    session = Session(stage, answers=[True, True])
    saved(stage, session, "A jar.")
    session.later(10)
    session.desk.thinking = True
    saved(stage, session, "A lid.", "side")
    session.later(10)
    assert len(session.desk.asked) == 2
    stage.later()
    session.later(60)
    assert stage.has("hero.png"), "what ran is here, and the question stands"
    saved(stage, session, "Another lid.", "side")
    session.later(1)
    assert session.desk.withdrawn == 1
    session.later(10)
    assert len(session.desk.asked) == 3
    session.desk.thinking = False
    session.later(1)
    stage.later()
    session.later(60)
    assert stage.paid() == ["A jar.", "Another lid."]
    clean(stage)


def test_where_nobody_can_answer_it_only_plans(stage: Stage) -> None:
    session = Session(stage, applies=False)
    saved(stage, session, "A jar.")
    session.later(300)
    assert not stage.world.requests
    assert [plan["paid_jobs"] for plan in session.told("plan")] == [1]


PNG = b"\x89PNG\r\n\x1a\n"


def wired(stage: Stage) -> None:
    """A picture and the film of it, a film of a file, and a card of two variants: five jobs."""
    stage.spec("hero", "A jar.")
    stage.write("in/take.png", PNG + b"one")
    media = {"film": '{ from = "hero.sume.toml" }', "clip": '{ file = "in/take.png" }'}
    for name, source in media.items():
        text = f'kind = "video"\nprompt = "It turns."\nreference_image_urls = [{source}]\n'
        stage.write(f"{name}.sume.toml", text)
    stage.write("card.sume.toml", CARD)


CARD = 'prompt = "A {product}."\n[matrix]\nproduct = ["serum", "cream"]\n'


def another_take(stage: Stage) -> str:
    stage.write("in/take.png", PNG + b"two")
    return "in/take.png"


def moved_take(stage: Stage) -> str:
    stage.path("in").rename(stage.path("out"))
    stage.write("clip.sume.toml", stage.read("clip.sume.toml").replace("in/take", "out/take"))
    return "clip.sume.toml"


def upstream(stage: Stage) -> str:
    stage.spec("hero", "A lid.")
    return "hero.sume.toml"


def one_more(stage: Stage) -> str:
    stage.write("card.sume.toml", CARD.replace('"cream"', '"cream", "mist"'))
    return "card.sume.toml"


def one_less(stage: Stage) -> str:
    stage.write("card.sume.toml", CARD.replace(', "cream"', ""))
    return "card.sume.toml"


@pytest.mark.parametrize(
    ("change", "jobs"), [(another_take, 1), (moved_take, 0), (upstream, 2), (one_more, 1), (one_less, 0)]
)
def test_files_chains_and_matrices_lead_to_the_right_plan(
    stage: Stage, change: Callable[[Stage], str], jobs: int
) -> None:
    wired(stage)
    session = Session(stage)
    session.later(30)
    assert len(stage.charges()) == 5
    session.hear(change(stage))
    session.later(30)
    assert len(stage.charges()) == 5 + jobs
    stage.here("apply", "--yes", "--prune", code=0)
    assert len(stage.charges()) == 5 + jobs
    stage.here("plan", "--exit-code", code=0)


# --- git --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index.lock", "MERGE_HEAD", "rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD"])
def test_it_holds_while_git_is_at_work(stage: Stage, name: str) -> None:
    session = Session(stage)
    stage.path(f".git/{name}").write_text("")
    saved(stage, session, "A jar.")
    session.later(300)
    assert not stage.world.requests
    assert len(session.told("held")) == 1
    stage.path(f".git/{name}").unlink()
    session.later(2.9)
    assert not stage.world.requests
    session.later(20)
    assert stage.paid() == ["A jar."]
    clean(stage)


def test_it_holds_for_the_settle_time_after_head_moves(stage: Stage) -> None:
    session = Session(stage)
    session.later(1)
    saved(stage, session, "A jar.")
    session.later(2.5)
    stage.git("commit", "-q", "--allow-empty", "-m", "elsewhere")
    session.later(2.9)
    assert stage.posts() == 0
    session.later(20)
    assert stage.paid() == ["A jar."]


def test_it_holds_when_git_begins_between_the_look_and_the_pass(stage: Stage) -> None:
    session = Session(stage)
    saved(stage, session, "A jar.")
    session.later(2.9)
    session.desk.within = lambda: stage.path(".git/MERGE_HEAD").write_text("")
    session.later(300)
    assert not stage.world.requests
    session.desk.within = lambda: None
    stage.path(".git/MERGE_HEAD").unlink()
    session.later(60)
    assert stage.paid() == ["A jar."]


def test_a_worktree_has_a_git_folder_of_its_own(stage: Stage) -> None:
    other = stage.worktree("second", "-b", "second")
    stage.path(".git/MERGE_HEAD").write_text("")
    session = Session(other)
    saved(other, session, "A jar.")
    session.later(20)
    assert stage.paid() == ["A jar."], "the merge is in the first one"
    other.path(other.read(".git").removeprefix("gitdir:").strip() + "/MERGE_HEAD").write_text("")
    saved(other, session, "A lid.")
    session.later(60)
    assert stage.paid() == ["A jar."]


# --- What goes wrong --------------------------------------------------------------------------------------------


def test_an_hour_of_503_ends_nothing(make: Maker) -> None:
    stage = make()
    session = Session(stage)
    session.later(5)
    stage.faults({"answer": {"status": 503}})
    saved(stage, session, "A jar.")
    with machine(client=Fast()):
        session.later(3600)
    assert not stage.charges()
    assert len(session.told("error")) == 1
    stage.faults()
    session.later(120)
    assert stage.paid() == ["A jar."]
    clean(stage)


def test_a_revoked_key_is_told_and_waits_for_a_change(stage: Stage) -> None:
    session = Session(stage)
    stage.faults({"answer": {"status": 401}})
    saved(stage, session, "A jar.")
    session.later(3600)
    assert len(session.told("error")) == 1
    assert len(stage.world.requests) < 40
    stage.faults()
    session.hear("notes.md")
    session.later(5)
    assert stage.paid() == ["A jar."]
    session.later(30)
    clean(stage)


def test_a_request_that_sume_refuses_is_not_sent_again_before_it_changes(stage: Stage) -> None:
    stage.faults({**POST, "answer": {"status": 422}})
    session = Session(stage)
    saved(stage, session, "A jar.")
    session.later(3600)
    assert stage.posts() == 1
    stage.faults()
    saved(stage, session, "A lid.")
    session.later(30)
    assert stage.paid() == ["A lid."]


def test_an_unknown_outcome_is_never_paid_for_again(stage: Stage) -> None:
    stage.faults({**POST, "answer": {"status": 500}, "after": True})
    session = Session(stage)
    saved(stage, session, "A jar.")
    session.later(3600)
    assert len(stage.charges()) == 1
    stage.faults()
    stage.here("resolve", "hero", "--adopt", stage.charges()[0].job_id, code=0)
    session.later(120)
    clean(stage)
    assert len(stage.charges()) == 1


def test_a_laptop_that_slept_looks_first(stage: Stage) -> None:
    session = Session(stage)
    saved(stage, session, "A jar.")
    session.later(1)
    session.clock.asleep += 30_000
    stage.spec("hero", "A lid.")
    session.later(30)
    assert stage.paid() == ["A lid."]


def test_the_folder_that_vanishes_ends_it_clearly(stage: Stage) -> None:
    session = Session(stage)
    session.later(5)
    aside = stage.root.with_name("aside")
    stage.root.rename(aside)
    with pytest.raises(LocalStateError, match="folder is gone"):
        session.later(70)
    aside.rename(stage.root)


def test_settings_that_vanish_or_break_are_told_once_and_waited_for(stage: Stage) -> None:
    session = Session(stage)
    session.later(5)
    kept = stage.read("sumesync.toml")
    stage.path("sumesync.toml").unlink()
    saved(stage, session, "A jar.")
    session.later(200)
    stage.write("sumesync.toml", "[defaults")
    session.hear("sumesync.toml")
    session.later(200)
    assert len(session.told("error")) == 2
    assert not stage.world.requests
    stage.write("sumesync.toml", kept)
    session.hear("sumesync.toml")
    session.later(20)
    assert stage.paid() == ["A jar."]


def test_a_session_of_the_sandbox_never_turns_to_sume(stage: Stage) -> None:
    kept = stage.read("sumesync.toml")
    stage.write("sumesync.toml", 'endpoint = "sandbox"\n' + kept)
    session = Session(stage)
    session.later(5)
    stage.write("sumesync.toml", kept)
    saved(stage, session, "A jar.")
    session.hear("sumesync.toml")
    session.later(300)
    assert not stage.world.requests
    assert len(session.told("error")) == 1


def test_a_lock_with_merge_markers_is_told_once_and_left_alone(stage: Stage) -> None:
    session = Session(stage)
    session.later(5)
    kept = stage.read("sume.lock")
    stage.write("sume.lock", "<<<<<<< ours\n=======\n>>>>>>> theirs\n")
    saved(stage, session, "A jar.")
    session.later(200)
    assert len(session.told("error")) == 1
    assert stage.read("sume.lock").startswith("<<<<")
    stage.write("sume.lock", kept)
    session.later(70)
    assert stage.paid() == ["A jar."]


def test_a_folder_that_comes_and_goes(stage: Stage) -> None:
    session = Session(stage)
    stage.spec("deep/three", "A hand.")
    session.hear("deep")
    session.later(20)
    shutil.rmtree(stage.path("deep"))
    session.hear("deep")
    session.later(20)
    stage.spec("deep/three", "A hand.")
    session.hear("deep")
    session.later(20)
    assert stage.paid() == ["A hand."]
    clean(stage)


def test_no_thread_is_left_by_any_number_of_passes(stage: Stage) -> None:
    session = Session(stage)
    for number in range(5):
        saved(stage, session, f"Picture {number}.")
        session.later(20)
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("sumesync-") and thread.is_alive()]
    for thread in ours:
        thread.join(PATIENCE)
        assert not thread.is_alive()


# --- Credits ----------------------------------------------------------------------------------------------------


def test_credits_are_a_budget_of_the_whole_session(stage: Stage) -> None:
    """Four a picture: the first is of unknown cost, then the balance and the price tell."""
    session = Session(stage, max_credits=9)
    for number in range(4):
        saved(stage, session, f"Picture {number}.", f"s{number}")
        session.later(40)
    session.later(1200)
    assert stage.paid() == ["Picture 0.", "Picture 1."]
    assert [note["text"] for note in session.told("guard")] == ["8 of 9 credits used; the next submit needs 4"]
    assert session.told("end") == []


def test_under_a_budget_jobs_of_unknown_cost_go_one_at_a_time(stage: Stage) -> None:
    stage.slow()
    session = Session(stage, max_credits=100)
    for number in range(3):
        saved(stage, session, f"Picture {number}.", f"s{number}")
    session.later(120)
    stage.later()
    session.later(300)
    assert len(stage.charges()) == 3
    clean(stage)
