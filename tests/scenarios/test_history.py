"""What was paid for before: listed by ``history``, brought back for nothing by ``restore``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .conftest import Maker
from .stage import Stage

FIRST = """# The hero of the page.
prompt = "A jar on a white counter."
aspect_ratio = "4:5"  # portrait

[meta]
title = "Hero"
"""


@pytest.fixture
def hero(stage: Stage) -> Stage:
    """A picture that was made three times, of three requests: job_0001 to job_0003."""
    stage.write("hero.sume.toml", FIRST)
    stage.here("apply", "--yes", code=0)
    stage.write("hero.sume.toml", FIRST.replace("white", "marble").replace("4:5", "1:1"))
    stage.here("apply", "--yes", code=0)
    stage.write("hero.sume.toml", FIRST.replace("white", "wooden") + "[extra]\nseed = 7\n")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    return stage


def jobs(stage: Stage) -> list[str]:
    """The jobs in the order in which they were made."""
    return [charge.job_id for charge in stage.charges()]


def test_history_lists_what_was_paid_for_the_latest_first(hero: Stage) -> None:
    told = hero.here("history", "hero", code=0).out
    one, two, three = jobs(hero)
    assert told.index(three) < told.index(two) < told.index(one)
    assert "3 jobs" in told
    assert "4 credits" in told
    assert "[-white-] {+wooden+}" in told
    assert f"sumesync restore hero.sume.toml {one}" in told
    listed = hero.here("history", "hero", "--json", code=0).json["takes"]
    assert [(each["job"], each["now"]) for each in listed] == [(three, True), (two, False), (one, False)]
    assert listed[2]["request"] == {"prompt": "A jar on a white counter.", "aspect_ratio": "4:5"}
    assert not hero.here("history", "hero", code=0).err


def test_each_take_comes_back_for_nothing_and_the_file_keeps_its_comments(hero: Stage) -> None:
    one, two, three = jobs(hero)
    last = hero.sha256("hero.png")
    text = hero.read("hero.sume.toml")
    posts = hero.posts()
    shown = hero.here("restore", "hero", one, "--yes", code=0)
    assert "[-wooden-] {+white+}" in shown.err
    assert "replaces hero.png" in shown.err
    assert "nothing paid for" in shown.out
    assert hero.read("hero.sume.toml").startswith(FIRST)
    assert "Nothing to do" in hero.here("plan", code=0).out
    hero.here("check", code=0)
    hero.here("restore", "hero", two, "--yes", code=0)
    assert 'aspect_ratio = "1:1"  # portrait' in hero.read("hero.sume.toml")
    hero.here("restore", "hero.sume.toml", three, "--yes", code=0)
    assert hero.sha256("hero.png") == last
    assert hero.read("hero.sume.toml") == text
    assert {each["job"] for each in hero.here("history", "hero", "--json", code=0).json["takes"]} == {one, two, three}
    hero.here("check", code=0)
    assert hero.posts() == posts


def test_a_prompt_file_gives_way_to_its_words(stage: Stage) -> None:
    stage.write("p.md", "A jar.\nOn a counter.\n")
    stage.write("hero.sume.toml", 'prompt_file = "p.md"\ntake = 2\n')
    stage.here("apply", "--yes", code=0)
    stage.write("p.md", "A lid.\n")
    stage.write("hero.sume.toml", 'prompt_file = "p.md"\n')
    stage.here("apply", "--yes", code=0)
    stage.here("restore", "hero", jobs(stage)[0], "--yes", code=0)
    assert 'prompt = """\nA jar.\nOn a counter."""' in stage.read("hero.sume.toml")
    assert "take = 2" in stage.read("hero.sume.toml")
    assert stage.read("p.md") == "A lid.\n"
    stage.here("check", code=0)


def test_another_kind_comes_back(stage: Stage) -> None:
    stage.spec("hero", "A jar turns.", kind="video", duration=4)
    stage.here("apply", "--yes", code=0)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    film, picture = jobs(stage)
    stage.here("restore", "hero", film, "--yes", code=0)
    assert (stage.has("hero.mp4"), stage.has("hero.png")) == (True, False)
    stage.here("check", code=0)
    stage.here("restore", "hero", picture, "--yes", code=0)
    assert (stage.has("hero.mp4"), stage.has("hero.png")) == (False, True)
    stage.here("check", code=0)


def test_what_was_asked_for_moves_with_the_spec(hero: Stage) -> None:
    one = jobs(hero)[0]
    hero.path("hero.sume.toml").rename(hero.path("jar.sume.toml"))
    hero.here("apply", "--yes", code=0)
    assert hero.here("history", "jar", "--json", code=0).json["takes"][-1]["request"]["aspect_ratio"] == "4:5"
    hero.here("restore", "jar", one, "--yes", code=0)
    hero.here("check", code=0)


def test_an_upstream_that_comes_back_tells_who_takes_it(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.write(
        "film.sume.toml", 'kind = "video"\nprompt = "It turns."\nreference_image_urls = [{ from = "hero.sume.toml" }]\n'
    )
    stage.here("apply", "--yes", code=0)
    stage.spec("hero", "A lid.")
    stage.here("apply", "--yes", code=0)
    done = stage.here("restore", "hero", jobs(stage)[0], "--yes", code=0)
    assert "Other specs take its output (1 variant): sumesync plan" in done.err
    posts = stage.posts()
    stage.here("apply", "--yes", code=0)  # the film of that picture was paid for, too
    assert stage.posts() == posts
    stage.here("check", code=0)


def stripped(stage: Stage) -> None:
    """As an older version wrote it: no requests in the history."""
    document = json.loads(stage.read("hero.sume.json"))
    for past in document["history"]:
        del past["request"]
    stage.write("hero.sume.json", json.dumps(document, indent=2) + "\n")


def edited(stage: Stage) -> None:
    stage.write("hero.png", stage.path("hero.png").read_bytes() + b"by hand")


def varied(stage: Stage) -> None:
    stage.write("hero.sume.toml", stage.read("hero.sume.toml") + "[matrix]\nresolution = ['1k', '2k']\n")


def defaults(stage: Stage) -> None:
    stage.write("sumesync.toml", '[defaults.image]\nresolution = "2k"\n')


def gone(stage: Stage) -> None:
    stage.world.forget(jobs(stage)[0])


def nothing(_stage: Stage) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "job", "code", "told"),
    [
        pytest.param(nothing, "job_nowhere", 64, "has no job job_nowhere", id="no such job"),
        pytest.param(nothing, "../../\x1b[2J", 64, "has no job", id="a hostile name"),
        pytest.param(nothing, "the last", 64, "asks for what", id="what it asks for now"),
        pytest.param(stripped, "", 3, "is not written down in the metadata", id="nobody wrote it down"),
        pytest.param(edited, "", 3, "cannot be brought back", id="a picture that was edited by hand"),
        pytest.param(varied, "", 64, "has a matrix", id="a matrix"),
        pytest.param(defaults, "", 3, "resolution would differ", id="a default that there was not"),
        pytest.param(gone, "", 1, "no longer has the result", id="Sume let go of it"),
    ],
)
def test_what_cannot_be_brought_back_changes_nothing(
    hero: Stage, before: Callable[[Stage], None], job: str, code: int, told: str
) -> None:
    one, _, three = jobs(hero)
    before(hero)
    there, posts = hero.tree(), hero.posts()
    ended = hero.here("restore", "hero", {"the last": three, "": one}.get(job, job), "--yes", code=code)
    assert told in ended.text
    assert "\x1b" not in ended.text
    after = hero.tree()
    assert (after["hero.sume.toml"], after["hero.png"]) == (there["hero.sume.toml"], there["hero.png"])
    assert hero.posts() == posts


def test_forced_it_replaces_what_was_edited_by_hand(hero: Stage) -> None:
    edited(hero)
    hero.here("restore", "hero", jobs(hero)[0], "--yes", "--force", code=0)
    hero.here("check", code=0)


def test_nobody_there_to_ask_is_told_to_say_yes(hero: Stage) -> None:
    assert "--yes" in hero.here("restore", "hero", jobs(hero)[0], code=64).text


def test_a_job_that_failed_is_in_the_list_and_made_nothing(make: Maker) -> None:
    stage = make({"method": "POST", "times": 1, "job": {"ends_as": "failed", "error_code": "no_light"}})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=1)
    stage.spec("hero", "A lid.")
    stage.here("apply", "--yes", code=0)
    assert "no_light" in stage.here("history", "hero", code=0).out
    assert "made nothing: it is failed" in stage.here("restore", "hero", jobs(stage)[0], "--yes", code=64).text


def test_a_spec_that_nothing_was_paid_for(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    assert "Nothing was paid for yet" in stage.here("history", "hero", code=0).err
    assert stage.here("history", "hero", "--json", code=0).json["takes"] == []
    assert "no spec at" in stage.here("history", "nowhere", code=64).text
