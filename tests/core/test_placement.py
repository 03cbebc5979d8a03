"""Where outputs belong, and whose bytes they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sumesync.core.action import Observed
from sumesync.core.paid import index
from sumesync.core.placement import (
    Ours,
    beside_of,
    clashes,
    edited,
    ours,
    paths_of_interest,
    recorded_paths,
    taken,
    target_of,
)
from sumesync.model import SUME, Fact, FileFact, JobState, Wanted
from tests.builders import OTHER, entry, fact, file, job, lock, output, past, pointer, sha, wanted
from tests.values import HERO, HERO_DONE, HERO_JOB, RED, RED_JOB, TEASER

TALL = wanted("launch/hero.sume.toml", variant="tall")
ROOT = wanted("hero.sume.toml")
CLIPS = wanted("launch/hero.sume.toml", folder="clips", stem="x.y")


@pytest.mark.parametrize(
    ("spec", "index", "target", "beside"),
    [
        (HERO, 1, "launch/hero.png", "launch/hero.job_1.png"),
        (HERO, 2, "launch/hero-2.png", "launch/hero-2.job_1.png"),
        (TALL, 1, "launch/hero-tall.png", "launch/hero-tall.job_1.png"),
        (TALL, 3, "launch/hero-tall-3.png", "launch/hero-tall-3.job_1.png"),
        (ROOT, 1, "hero.png", "hero.job_1.png"),
        (CLIPS, 1, "clips/x.y.png", "clips/x.y.job_1.png"),
    ],
)
def test_names_of_outputs(spec: Wanted, index: int, target: str, beside: str) -> None:
    assert target_of(spec, index, ".png") == target
    assert beside_of(spec, index, ".png", "job:1") == beside


def test_ours_is_what_jobs_made_anywhere_and_never_what_a_person_accepted() -> None:
    blessed = output("launch/hero.png", "by hand")
    whole = lock(entry(HERO, HERO_JOB, accepted=(blessed,), history=(past(RED, RED_JOB),)))
    told = fact(TEASER, job("j", JobState.COMPLETED, output("old/teaser.mp4", "old teaser")))
    own = ours(whole, [told], Observed())
    assert own.hashes == {sha("the hero"), sha("the red hero"), sha("old teaser")}
    assert own.recorded == {"launch/hero.png"}


@pytest.mark.parametrize(
    ("stands", "owned"),
    [(file("the hero"), True), (pointer("the hero"), True), (file("else"), False), (OTHER, False)],
)
def test_a_file_is_ours_by_its_bytes_alone(stands: FileFact, owned: bool) -> None:
    assert ours(lock(HERO_DONE), [], Observed()).owns("a.png", stands) is owned


def test_where_our_bytes_stand_is_told_in_order() -> None:
    files = {"z.png": file("the hero"), "a.png": file("the hero"), "b.png": OTHER, "c.png": file("else")}
    assert ours(lock(HERO_DONE), [], Observed(files)).standing == {sha("the hero"): ("a.png", "z.png")}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["hero.png"], ("launch/hero.png",)),
        (["HERO.JPEG", "hero.webp"], ("launch/HERO.JPEG", "launch/hero.webp")),
        (["hero.txt", "hero", "hero.sume.toml", "hero.png.bak"], ()),
        (["hero-2.png", "heroes.png", "hero.job_1.png"], ()),
    ],
)
def test_a_stem_is_taken_by_any_media_of_that_name(names: list[str], found: tuple[str, ...]) -> None:
    observed = Observed(names={"launch": frozenset(names)})
    assert taken(HERO, 1, observed, Ours()) == found


def test_as_many_stems_are_taken_as_there_are_outputs() -> None:
    observed = Observed(names={"launch": frozenset(["hero-2.png", "hero-3.png"])})
    assert taken(HERO, 2, observed, Ours()) == ("launch/hero-2.png",)


def test_our_own_bytes_take_no_place() -> None:
    observed = Observed({"launch/hero.png": file("the red hero")}, {"launch": frozenset(["hero.png"])})
    assert taken(HERO, 1, observed, Ours(frozenset([sha("the red hero")]))) == ()


def test_edited_are_recorded_places_with_bytes_that_are_not_ours() -> None:
    outputs = [output("a.png", "a"), output("b.png", "b"), output("c.png", "c"), output("d.png", "d")]
    observed = Observed({"a.png": file("a"), "b.png": file("retouched"), "c.png": OTHER})
    assert edited(outputs, observed, Ours(frozenset([sha("a"), sha("b")]))) == ("b.png", "c.png")


def test_clashes_are_told_to_both_and_only_to_them() -> None:
    one, two, three = wanted("a.sume.toml"), wanted("sub/A.sume.toml", folder=""), wanted("b.sume.toml")
    counts = {each.key: 1 for each in (one, two, three)}
    assert clashes([one, two, three], counts) == {one.key: two.key, two.key: one.key}


def test_folders_clash_without_regard_to_case_too() -> None:
    one, two = wanted("Sub/a.sume.toml"), wanted("sub/a.sume.toml")
    assert set(clashes([one, two], {one.key: 1, two.key: 1})) == {one.key, two.key}


def test_a_spec_does_not_clash_with_itself() -> None:
    assert clashes([HERO, HERO], {HERO.key: 3}) == {}


@pytest.mark.parametrize(
    ("facts", "committed", "owns", "yields"),
    [
        ([fact(HERO, HERO_JOB)], {}, True, True),
        ([fact(HERO, HERO_JOB)], {"a.png": ""}, True, True),
        ([], {}, True, False),
        ([], {"a.png": ""}, False, False),
        ([], {"a.png": sha("the hero")}, True, True),
        ([], {"a.png": sha("what it was before")}, False, False),
        ([replace(fact(HERO, HERO_JOB), written=frozenset())], {"a.png": ""}, False, False),
    ],
    ids=["ledger", "ledger-asked", "not-asked", "lock-alone", "committed", "committed-otherwise", "hearsay"],
)
def test_what_the_lock_alone_calls_ours_yields_only_where_git_has_it(
    facts: list[Fact], committed: dict[str, str], owns: bool, yields: bool
) -> None:
    own = ours(lock(HERO_DONE), facts, Observed(committed=committed))
    assert (own.owns("a.png", file("the hero")), own.yields("a.png", file("the hero"))) == (owns, yields)


def test_every_path_that_a_plan_may_ask_about() -> None:
    blessed, old = output("launch/blessed.png", "by hand"), output("old/red.png", "the red hero")
    whole = lock(entry(HERO, HERO_JOB, accepted=(blessed,), history=(past(RED, job("j", JobState.COMPLETED, old)),)))
    told = fact(TEASER, job("k", JobState.COMPLETED, output("told/teaser.mp4", "teaser")))
    paid = index(whole, [told], [], SUME)
    assert paths_of_interest([], recorded_paths(whole), [told], paid) == {
        "launch/hero.png",
        "launch/blessed.png",
        "old/red.png",
        "told/teaser.mp4",
    }
    moved = wanted("b/x.sume.toml", "A cup on a white table")
    assert paths_of_interest([moved, wanted("c.sume.toml", "new")], [], [], paid) == {"b/x.png"}
