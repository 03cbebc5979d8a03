"""The state machine, without HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from sumesync.model import Json
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.jobs import Fate
from sumesync.sandbox.settings import Idempotency, Settings

from .client import CAT, Clock, make_world


def test_a_job_is_queued_behind_the_capacity_then_runs_then_ends() -> None:
    clock = Clock()
    world = make_world(clock, capacity=2, seconds={"image": 10})
    made = [world.create("image", CAT) for _ in range(5)]

    def words() -> list[str]:
        return [world.status(job) for job in made]

    assert words() == ["running", "running", "queued", "queued", "queued"]
    assert world.active() == 2
    clock.move(10)
    assert words() == ["completed", "completed", "running", "running", "queued"]
    clock.move(10)
    assert words() == ["completed"] * 4 + ["running"]
    clock.move(10)
    assert words() == ["completed"] * 5
    assert world.active() == 0


def test_jobs_of_different_lengths_share_the_places() -> None:
    clock = Clock()
    world = make_world(clock, capacity=2)
    long = world.create("image", CAT, fate=Fate(seconds=30))
    short = world.create("image", CAT, fate=Fate(seconds=10))
    third = world.create("image", CAT, fate=Fate(seconds=10))
    fourth = world.create("image", CAT, fate=Fate(seconds=10))
    assert [job.starts_at - clock.at for job in (long, short, third, fourth)] == [0, 0, 10, 20]


def test_a_video_shows_the_other_documented_word() -> None:
    world = make_world()
    assert world.status(world.create("video", CAT)) == "processing"


def test_every_creation_is_charged_once_and_at_once() -> None:
    world = make_world(credits=100)
    world.create("image", CAT, "key-1")
    world.create("video", {**CAT, "duration": 4, "resolution": "720p"}, "key-2")
    assert world.remaining() == 100 - 4 - 32
    assert [(c.idempotency_key, c.route, c.credits) for c in world.charges()] == [
        ("key-1", "/images/generations", 4),
        ("key-2", "/videos/generations", 32),
    ]
    assert world.charges()[0].body == CAT


def test_without_credits_nothing_is_made() -> None:
    world = make_world(credits=7)
    world.create("image", CAT)
    with pytest.raises(Refusal) as caught:
        world.create("image", CAT)
    assert (caught.value.status, caught.value.code) == (402, "insufficient_credits")
    assert len(world.charges()) == 1


def test_a_second_post_with_the_same_key_charges_again_where_the_key_is_ignored() -> None:
    world = make_world()
    assert world.create("image", CAT, "k").id != world.create("image", CAT, "k").id
    assert len(world.charges()) == 2


def test_the_same_key_finds_the_job_where_the_key_is_documented() -> None:
    world = make_world(idempotency=Idempotency.DOCUMENTED)
    first = world.create("image", CAT, "k")
    world.finish(first.id)
    assert world.status(world.create("image", CAT, "k")) == "completed"
    assert len(world.charges()) == 1
    with pytest.raises(Refusal) as caught:
        world.create("image", {"prompt": "another"}, "k")
    assert caught.value.status == 409
    assert world.create("image", CAT, "other").id != first.id
    assert world.create("video", CAT, "k").id != first.id
    assert world.create("image", CAT).id != world.create("image", CAT).id


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 100, 1000])
def test_pages_hold_every_job_once_newest_first(limit: int) -> None:
    world = make_world()
    made = [world.create("image", CAT).id for _ in range(7)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = world.page(limit, cursor)
        found += [job.id for job in page.jobs]
        cursor = page.cursor
        world.create("image", CAT)  # a newer job must not disturb the pages
    assert found == made[::-1]


def test_a_page_is_capped() -> None:
    world = make_world(page_limit=3, page_default=2)
    for _ in range(5):
        world.create("image", CAT)
    assert len(world.page(100).jobs) == 3
    assert len(world.page().jobs) == 2


def test_the_published_cap_and_limits() -> None:
    assert Settings().page_limit == 100
    settings = Settings().with_published_limits()
    assert (settings.reads_per_minute, settings.creates_per_minute) == (120, 10)


def test_filters() -> None:
    clock = Clock()
    world = make_world(clock)
    old = world.create("image", CAT)
    clock.move(100)
    new = world.create("video", CAT)
    assert [job.id for job in world.page(type_="image_generation").jobs] == [old.id]
    assert [job.id for job in world.page(status="processing").jobs] == [new.id]
    assert world.page(type_="nothing").jobs == ()


@pytest.mark.parametrize("cursor", ["x", "!!!", "bG9vcA", "é", "YmVmb3JlOng"])
def test_a_strange_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Refusal) as caught:
        make_world().page(cursor=cursor)
    assert caught.value.status == 400


def test_a_listing_may_lag() -> None:
    clock = Clock()
    world = make_world(clock)
    world.listing_lag = 30
    job = world.create("image", CAT)
    assert world.page().jobs == ()
    assert world.job(job.id) == job
    clock.move(30)
    assert world.page().jobs == (job,)


@pytest.mark.parametrize(
    ("fate", "word_while", "word_after"),
    [
        (Fate(), "running", "completed"),
        (Fate(ends_as="failed", error_code="content_policy"), "running", "failed"),
        (Fate(ends_as="canceled"), "running", "canceled"),
        (Fate(running_as="warming_up"), "warming_up", "completed"),
        (Fate(never_ends=True), "running", "running"),
        (Fate(ends_as="archived"), "running", "archived"),
        (Fate(seconds=0), "completed", "completed"),
    ],
)
def test_fates(fate: Fate, word_while: str, word_after: str) -> None:
    clock = Clock()
    world = make_world(clock)
    job = world.create("image", CAT, fate=fate)
    assert world.status(job) == word_while
    clock.move(10_000)
    assert world.status(job) == word_after


def test_jobs_that_never_end_do_not_stop_the_world() -> None:
    clock = Clock()
    world = make_world(clock, capacity=1)
    world.create("image", CAT, fate=Fate(never_ends=True))
    assert world.status(world.create("image", CAT)) == "running"


def test_a_job_ended_by_hand_frees_its_place() -> None:
    world = make_world(capacity=1)
    first = world.create("image", CAT)
    world.finish(first.id, "failed", "nsfw", "no")
    assert world.status(world.job(first.id)) == "failed"
    assert world.status(world.create("image", CAT)) == "running"


def test_a_forgotten_job_is_gone_and_stays_charged() -> None:
    world = make_world(credits=10)
    job = world.create("image", CAT)
    world.forget(job.id)
    with pytest.raises(Refusal) as caught:
        world.job(job.id)
    assert caught.value.status == 404
    assert world.page().jobs == ()
    assert (world.remaining(), len(world.charges())) == (6, 1)


def test_an_unknown_job_cannot_be_ended() -> None:
    with pytest.raises(KeyError):
        make_world().finish("job_none")


def test_a_prompt_may_hold_anything(tmp_path: Any) -> None:
    from sumesync.sandbox.world import World

    strange: dict[str, Json] = {"prompt": "\ud800 \u2028 \x00 😀", "extra": [None, 1.5, {"a": True}]}
    job = World.open(tmp_path).create("image", strange)
    assert World.open(tmp_path).job(job.id).body == strange
