"""Documents and searches through the loop: what is kept where, what is asked of Sume, and what a crash leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from sumesync.answers import JobResult, Scene, ScenePage
from sumesync.core import lock as locks
from sumesync.core import paths
from sumesync.core.action import Policy, Verb
from sumesync.core.fingerprint import fingerprint
from sumesync.errors import ApiError
from sumesync.model import EntryKey, JobState, Json, News, Wanted

from .desk import LINEAGE, Crash, Desk, Fuse


def spec(path: str, kind: str, **request: Json) -> Wanted:
    key = EntryKey(path)
    return Wanted(key, kind, 1, request, fingerprint(kind, request), paths.parent(path), paths.spec_stem(path))


REEL = spec("reel.sume.toml", "reference-analysis", url="https://www.tiktok.com/@a/video/1")
HOOK = spec("hook.sume.toml", "reference-analysis", url="https://www.tiktok.com/@a/video/1")
CLIPS = spec("clips.sume.toml", "asset-search", q="hands", cta_present=True, min_duration_seconds=1.5)
THREE = spec("three.sume.toml", "asset-search", q="hands", limit=3)
REFRESH = Policy(refresh=True)


def analyst(*specs: Wanted) -> Desk:
    desk = Desk(list(specs))
    desk.sume.document = {"summary": "a hook", "media_url": "https://media.sume.so/x.mp4?X-Signature=1"}
    return desk


def result(desk: Desk, path: str) -> Json:
    found: Json = json.loads(desk.disk.texts[path]).get("result")
    return found


def keeps(desk: Desk) -> bool:
    return all(action.verb is Verb.KEEP and not action.pending for action in desk.plan().actions)


def test_an_analysis_is_paid_for_once_and_kept_in_its_metadata() -> None:
    desk = analyst(REEL)
    outcome, telling = desk.apply()
    assert outcome.codes() == set()
    assert result(desk, "reel.sume.json") == {
        "job": "job_1",
        "summary": "a hook",
        "media_url": "https://media.sume.so/x.mp4",
    }
    assert [event.text for event in telling.events if event.news is News.DONE] == ["analysis"]
    assert outcome.written == ["reel.sume.json"]
    assert desk.disk.files == {}
    assert keeps(desk)
    assert len(desk.sume.jobs) == 1
    desk.apply()
    assert len(desk.sume.jobs) == 1


def test_metadata_that_are_written_anew_keep_the_result() -> None:
    desk = analyst(REEL)
    desk.apply()
    had, asked = result(desk, "reel.sume.json"), len(desk.sume.requests)
    desk.specs = [replace(REEL, meta={"title": "The hook"})]
    (action,) = desk.plan().actions
    assert (action.verb, action.metadata) == (Verb.KEEP, True)
    desk.apply()
    assert json.loads(desk.disk.texts["reel.sume.json"])["meta"] == {"title": "The hook"}
    assert (result(desk, "reel.sume.json"), len(desk.sume.requests)) == (had, asked)
    assert keeps(desk)


def test_a_lock_that_forgot_learns_from_the_ledger_and_asks_nobody() -> None:
    desk = analyst(REEL)
    desk.apply()
    asked = len(desk.sume.requests)
    desk.disk.lock = locks.new_text(LINEAGE)
    desk.apply()
    assert len(desk.sume.requests) == asked
    assert keeps(desk)


def test_two_specs_of_one_analysis_share_the_job_and_have_the_result_each() -> None:
    desk = analyst(REEL, HOOK)
    desk.apply()
    assert len(desk.sume.jobs) == 1
    assert result(desk, "reel.sume.json") is not None
    assert result(desk, "reel.sume.json") == result(desk, "hook.sume.json")
    assert keeps(desk)


@pytest.mark.parametrize(
    "harm",
    [
        lambda texts: texts.pop("reel.sume.json"),
        lambda texts: texts.update({"reel.sume.json": "{}"}),
        lambda texts: texts.update({"reel.sume.json": texts["reel.sume.json"].replace("a hook", "mine")}),
    ],
    ids=["deleted", "emptied", "edited"],
)
def test_metadata_that_lost_the_result_get_it_again_for_free(harm: Callable[[dict[str, str]], object]) -> None:
    desk = analyst(REEL)
    desk.apply()
    before = desk.disk.texts["reel.sume.json"]
    harm(desk.disk.texts)
    (action,) = desk.plan().actions
    assert (action.verb, action.pays) == (Verb.FETCH, 0)
    desk.apply()
    assert desk.disk.texts["reel.sume.json"] == before
    assert len(desk.sume.jobs) == 1
    assert keeps(desk)


def test_a_result_that_comes_back_in_other_words_is_what_is_recorded_from_then_on() -> None:
    desk = analyst(REEL)
    desk.apply()
    desk.disk.texts.clear()
    desk.sume.document = {"summary": "another word"}
    outcome, _ = desk.apply()
    assert outcome.failed == []
    assert result(desk, "reel.sume.json") == {"job": "job_1", "summary": "another word"}
    assert keeps(desk)


@pytest.mark.parametrize("old", [REEL, CLIPS])
def test_a_rename_carries_the_result_along_and_asks_nobody(old: Wanted) -> None:
    desk = analyst(old)
    desk.library.pages = {None: ScenePage((Scene("scene_1", document={"id": "scene_1"}),))}
    desk.apply()
    had = result(desk, old.key.path.replace(".toml", ".json"))
    asked = len(desk.sume.requests), len(desk.library.asked)
    desk.specs = [spec("new/name.sume.toml", old.kind, **old.request)]
    desk.apply()
    assert list(desk.disk.texts) == ["new/name.sume.json"]
    assert result(desk, "new/name.sume.json") == had
    assert had is not None
    assert (len(desk.sume.requests), len(desk.library.asked)) == asked
    assert keeps(desk)


def test_two_specs_that_swap_their_names_swap_their_results() -> None:
    one, two = REEL, spec("hook.sume.toml", "reference-analysis", url="https://www.tiktok.com/@a/video/2")
    desk = analyst(one, two)
    desk.apply()
    had = [result(desk, path) for path in ("reel.sume.json", "hook.sume.json")]
    desk.specs = [spec("hook.sume.toml", one.kind, **one.request), spec("reel.sume.toml", two.kind, **two.request)]
    assert {action.verb for action in desk.plan().actions} <= {Verb.MOVE, Verb.COPY}
    desk.apply()
    assert [result(desk, path) for path in ("hook.sume.json", "reel.sume.json")] == had
    assert keeps(desk)
    assert len(desk.sume.jobs) == 2


def test_a_result_that_went_while_the_plan_was_applied_is_no_completed_move() -> None:
    desk = analyst(REEL)
    desk.apply()
    desk.specs = [HOOK]
    stolen = desk.disk.texts
    plan_ = desk.plan
    desk.plan = lambda policy=None: (plan_(policy), stolen.update({"reel.sume.json": "{}"}))[0]  # type: ignore[method-assign]
    outcome, _ = desk.apply()
    assert [trouble.text for trouble in outcome.failed] == [
        "the result in reel.sume.json changed while the plan was being applied"
    ]
    desk.plan = plan_  # type: ignore[method-assign]  # as it was
    desk.apply()
    assert keeps(desk)
    assert len(desk.sume.jobs) == 1


def test_a_result_that_is_too_large_is_told_and_not_asked_for_again() -> None:
    desk = analyst(REEL)
    desk.sume.document = {"summary": "x" * (5 << 20)}
    outcome, _ = desk.apply()
    (trouble,) = outcome.failed
    assert "5.0 MiB of text, more than the 4 MiB" in trouble.text
    assert desk.sume.requests.count("result") == 1
    assert "completed" not in (desk.disk.lock or "")


def test_a_result_of_which_nothing_may_be_kept_is_told() -> None:
    desk = analyst(REEL)
    desk.sume.result = lambda job_id, sent=frozenset(), **_: JobResult((), document={"api_key": "x"})  # type: ignore[method-assign]
    outcome, _ = desk.apply()
    assert [trouble.text for trouble in outcome.failed] == ["the result of job_1 is empty"]


def _effects(desk: Desk, policy: Policy | None = None) -> list[str]:
    fuse = Fuse()
    desk.apply(policy, fuse)
    return fuse.log


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_effect_an_analysis_is_paid_for_once_and_never_called_done_without_its_result(
    after: bool,
) -> None:
    log = _effects(analyst(REEL, HOOK))
    assert log.index("metadata") < len(log) - 1 - log[::-1].index("lock")
    for at in range(1, len(log) + 1):
        desk = analyst(REEL, HOOK)
        with pytest.raises(Crash):
            desk.apply(None, Fuse(at, after))
        for key, entry in (desk.state().lock.entries).items():
            done = any(job.state is JobState.COMPLETED for job in entry.jobs)
            assert not done or result(desk, key.path.replace(".toml", ".json")) is not None, (at, log[at - 1])
        desk.sume.idempotent = True
        desk.clock.at += 60
        desk.apply()
        desk.apply()
        assert len(desk.sume.jobs) == 1, (at, log[at - 1])
        assert keeps(desk), (at, log[at - 1])


# --- Searches -----------------------------------------------------------------------------------------------------


def scenes(*ids: str, cursor: str | None = None) -> ScenePage:
    return ScenePage(tuple(Scene(id_, id_, {"id": id_, "clip_url": f"https://m/{id_}?sig=1"}) for id_ in ids), cursor)


def test_a_search_is_free_and_no_job() -> None:
    desk = Desk([CLIPS])
    desk.library.pages = {None: scenes("a", "b")}
    assert desk.plan().pays == 0
    outcome, telling = desk.apply()
    assert result(desk, "clips.sume.json") == {
        "count": 2,
        "more": False,
        "scenes": [{"id": "a", "clip_url": "https://m/a"}, {"id": "b", "clip_url": "https://m/b"}],
    }
    query = {"q": "hands", "cta_present": "true", "min_duration_seconds": "1.5", "limit": "20"}
    assert desk.library.asked == [(query, None)]
    assert (outcome.bought, outcome.credits, outcome.running) == ([], None, {})
    assert [event.text for event in telling.events if event.news is News.DONE] == ["2 scenes"]
    assert desk.disk.facts == []  # nothing was paid for
    assert desk.sume.requests == []
    assert f"search-{CLIPS.fingerprint[3:19]}" in (desk.disk.lock or "")
    assert keeps(desk)
    desk.apply()
    assert len(desk.library.asked) == 1


def test_pages_are_followed_to_the_limit() -> None:
    desk = Desk([THREE])
    desk.library.pages = {None: scenes("a", "b", cursor="2"), "2": scenes("b", "c", "d", cursor="3")}
    desk.apply()
    found = result(desk, "three.sume.json")
    assert isinstance(found, dict)
    assert (found["count"], found["more"]) == (3, True)
    assert [cursor for _, cursor in desk.library.asked] == [None, "2"]


@pytest.mark.parametrize(
    "pages",
    [
        {None: scenes("a", cursor="2"), "2": scenes("b", cursor="2")},
        {None: scenes("a", cursor="2"), "2": scenes(cursor="3"), "3": scenes("c")},
    ],
    ids=["a cursor that comes again", "an empty page"],
)
def test_pages_that_lead_nowhere_come_to_an_end(pages: dict[str | None, ScenePage]) -> None:
    desk = Desk([THREE])
    desk.library.pages = pages
    desk.apply()
    assert [cursor for _, cursor in desk.library.asked] == [None, "2"]


def test_a_search_is_made_again_only_when_asked_for() -> None:
    desk = Desk([CLIPS, THREE])
    desk.library.pages = {None: scenes("a")}
    desk.apply()
    desk.library.pages = {None: scenes("z")}
    desk.apply()
    assert len(desk.library.asked) == 2
    desk.apply(REFRESH)
    assert len(desk.library.asked) == 4
    for path in ("clips.sume.json", "three.sume.json"):
        assert result(desk, path) == {"count": 1, "more": False, "scenes": [{"id": "z", "clip_url": "https://m/z"}]}
    assert keeps(desk)


def test_a_search_that_fails_is_tried_again_and_then_told() -> None:
    desk = Desk([CLIPS])
    desk.library.pages = {None: scenes("a")}
    desk.library.broken = [ApiError("the connection failed")]
    outcome, _ = desk.apply()
    assert outcome.failed == []
    assert keeps(desk)


def test_a_key_that_is_refused_is_not_tried_again() -> None:
    desk = Desk([CLIPS])
    desk.library.broken = [ApiError("Sume refuses the key", "check SUME_API_KEY", status=401)] * 9
    outcome, _ = desk.apply()
    assert [trouble.text for trouble in outcome.failed] == ["Sume refuses the key"]
    assert len(desk.library.asked) == 1
    assert "search-" not in (desk.disk.lock or "")


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_effect_a_search_is_made_again(after: bool) -> None:
    def desk() -> Desk:
        made = Desk([CLIPS, spec("again.sume.toml", CLIPS.kind, **CLIPS.request)])
        made.library.pages = {None: scenes("a")}
        return made

    log = _effects(desk())
    for at in range(1, len(log) + 1):
        killed = desk()
        with pytest.raises(Crash):
            killed.apply(None, Fuse(at, after))
        killed.apply()
        assert keeps(killed), (at, log[at - 1])
        assert killed.disk.facts == []
        assert killed.sume.requests == []


def test_a_renamed_search_whose_result_is_lost_is_made_again_under_its_new_name() -> None:
    desk = Desk([CLIPS])
    desk.library.pages = {None: scenes("a")}
    desk.apply()
    desk.disk.texts.clear()
    desk.specs = [spec("new.sume.toml", CLIPS.kind, **CLIPS.request)]
    desk.apply()
    assert [key.path for key in desk.state().lock.entries] == ["new.sume.toml"]
    assert keeps(desk)


def test_prune_forgets_a_search_without_a_word_to_the_ledger() -> None:
    desk = Desk([CLIPS])
    desk.library.pages = {None: scenes("a")}
    desk.apply()
    desk.specs = []
    desk.apply(Policy(prune=True))
    assert (desk.state().lock.entries, desk.disk.texts, desk.disk.facts) == ({}, {}, [])
