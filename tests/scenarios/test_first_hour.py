"""The first hour with a project: what costs, and what does not."""

from __future__ import annotations

import json
import os

import pytest

from .conftest import Maker
from .stage import Stage


@pytest.fixture
def launch(stage: Stage) -> Stage:
    """Three specs, applied."""
    stage.spec("hero", "A jar on a white counter.", aspect_ratio="4:5")
    stage.spec("launch/demo", "A hand opens the jar.")
    stage.spec("launch/detail", "The lid, very close.")
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 3
    return stage


def unchanged(stage: Stage, lock: str) -> None:
    """Nothing is left to do, nothing was paid for, and the lock is the same to the byte."""
    paid = len(stage.charges())
    assert "Nothing to do" in stage.here("apply", "--yes", code=0).out
    stage.here("plan", "--exit-code", code=0)
    assert stage.read("sume.lock") == lock
    assert len(stage.charges()) == paid


def test_from_nothing_to_media_with_the_real_command(make: Maker) -> None:
    stage = make(project=False, drawn=True)
    assert "init" in stage.run("plan", code=64).err
    stage.run("init", code=0)
    assert sorted(stage.tree()) == [".gitignore", "sume.lock", "sumesync.toml"]
    stage.run("new", "image", "hero", "--prompt", "A jar on a white counter.", code=0)
    stage.run("new", "video", "launch/demo", "--prompt", "A hand opens the jar.", code=0)

    before = stage.tree()
    plan = stage.run("plan", code=0, env={"SUME_API_KEY": None})
    assert "2 to create" in plan.out
    assert "2 paid jobs" in plan.out
    assert stage.tree() == before
    assert not stage.world.requests

    done = stage.run("apply", "--yes", code=0)
    assert "2 jobs paid for" in done.out
    assert "sume.lock" in done.out
    stage.all_there("hero", "launch/demo")
    assert sorted(stage.paid()) == ["A hand opens the jar.", "A jar on a white counter."]

    before = stage.tree()
    again = stage.run("apply", "--yes", code=0)
    assert "Nothing to do" in again.out
    assert stage.tree() == before
    assert len(stage.charges()) == 2
    stage.run("check", code=0)


def test_outside_git_it_is_the_same(make: Maker) -> None:
    stage = make(git=False)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    unchanged(stage, stage.read("sume.lock"))
    stage.nothing_lost()
    assert (stage.root / ".sume/ledger.jsonl").exists()


def test_the_embedded_sandbox_needs_no_key_and_no_network(make: Maker) -> None:
    stage = make(project=False)
    alone = {"SUME_API_KEY": None, "SUME_API_BASE_URL": "http://127.0.0.1:1/api/v1"}
    stage.run("init", "--sandbox", code=0, env=alone)
    stage.write("sumesync.toml", 'endpoint = "sandbox"\n[sandbox]\nseconds = { image = 0.05 }\n')
    stage.spec("hero", "A jar.")
    stage.run("apply", "--yes", code=0, env=alone)
    assert stage.sha256("hero.png") == stage.outputs("hero.sume.toml")[0]["sha256"]
    assert "Nothing to do" in stage.run("apply", "--yes", code=0, env=alone).out
    assert stage.read(".sume/.gitignore").splitlines()[-1] == "*"
    assert " .sume/" not in stage.git("status", "--porcelain")
    assert not stage.world.requests


def test_what_the_sandbox_made_is_worth_nothing_at_sume(stage: Stage) -> None:
    stage.write("sumesync.toml", "[sandbox]\nseconds = { image = 0.05 }\n")
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--sandbox", code=0)
    plan = stage.here("plan", code=0)
    assert "1 paid job" in plan.out
    assert "1 entry of the lock achieved at the sandbox only" in plan.out
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == 1
    # And the other way round: the sandbox must not put its own in the place of what was paid for.
    data = stage.path("hero.png").read_bytes()
    stage.here("apply", "--yes", "--sandbox", code=3)
    assert stage.path("hero.png").read_bytes() == data


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('aspect_ratio = "4:5"\n', '# a note\naspect_ratio = "4:5"  # and one more\n', id="comment"),
        pytest.param(
            'prompt = "A jar on a white counter."\naspect_ratio = "4:5"\n',
            'aspect_ratio="4:5"\n\n\nprompt   =   "A jar on a white counter."\n',
            id="order-and-layout",
        ),
        pytest.param("\n", "\r\n", id="crlf"),
        pytest.param('"A jar on a white counter."', "'''\nA jar on a white counter.'''", id="another-quotation"),
        pytest.param('prompt = "', 'kind = "image"\ntake = 1\nprompt = "', id="what-is-the-default"),
    ],
)
def test_what_does_not_change_the_request_costs_nothing(launch: Stage, before: str, after: str) -> None:
    lock, text = launch.read("sume.lock"), launch.read("hero.sume.toml")
    assert before in text
    launch.write("hero.sume.toml", text.replace(before, after))
    unchanged(launch, lock)


def test_meta_costs_nothing_and_reaches_the_metadata(launch: Stage) -> None:
    lock = launch.read("sume.lock")
    launch.write("hero.sume.toml", launch.read("hero.sume.toml") + '[meta]\ntitle = "Hero"\ntags = ["spring"]\n')
    launch.here("apply", "--yes", code=0)
    assert json.loads(launch.read("hero.sume.json"))["meta"] == {"title": "Hero", "tags": ["spring"]}
    unchanged(launch, lock)
    assert "1 spec" in launch.here("plan", "--tag", "spring", "--verbose", code=0).text


def test_a_renamed_spec_takes_its_media_along(launch: Stage) -> None:
    data = launch.path("hero.png").read_bytes()
    os.rename(launch.path("hero.sume.toml"), launch.path("opening.sume.toml"))
    assert "renamed from hero.sume.toml" in launch.here("plan", code=0).out
    launch.here("apply", "--yes", code=0)
    assert launch.path("opening.png").read_bytes() == data
    for gone in ("hero.png", "hero.sume.json"):
        assert not launch.has(gone), gone
    assert "hero.sume.toml" not in launch.lock()
    launch.all_there()
    unchanged(launch, launch.read("sume.lock"))
    assert len(launch.charges()) == 3


def test_a_rename_of_spec_media_and_metadata_together(launch: Stage) -> None:
    for suffix in (".sume.toml", ".sume.json", ".png"):
        (launch.root / "shots").mkdir(exist_ok=True)
        os.rename(launch.path(f"hero{suffix}"), launch.path(f"shots/first{suffix}"))
    launch.here("apply", "--yes", code=0)
    assert not launch.has("hero.png")
    assert "hero.sume.toml" not in launch.lock()
    launch.all_there()
    unchanged(launch, launch.read("sume.lock"))
    assert len(launch.charges()) == 3


def test_one_changed_prompt_is_one_job_and_the_plan_says_from_what_to_what(launch: Stage) -> None:
    others = {path: launch.path(path).read_bytes() for path in ("launch/demo.png", "launch/detail.png")}
    launch.spec("hero", "A jar on a black counter.", aspect_ratio="9:16")
    plan = launch.here("plan", code=0)
    assert "1 paid job." in plan.out
    assert '"4:5" → "9:16"' in plan.out
    assert '"A jar on a white counter." → "A jar on a black counter."' in plan.out
    [action] = [item for item in launch.here("plan", "--json").json["actions"] if item["action"] == "update"]
    assert {(c["field"], c["from"], c["to"]) for c in action["changes"]} == {
        ("prompt", "A jar on a white counter.", "A jar on a black counter."),
        ("aspect_ratio", "4:5", "9:16"),
    }
    first = launch.sha256("hero.png")
    launch.here("apply", "--yes", code=0)
    assert launch.paid()[3:] == ["A jar on a black counter."]
    assert launch.sha256("hero.png") != first
    assert {path: launch.path(path).read_bytes() for path in others} == others
    [before] = launch.lock()["hero.sume.toml"]["history"]
    assert before["jobs"][0]["outputs"][0]["sha256"] == first
    launch.all_there()
    unchanged(launch, launch.read("sume.lock"))


def test_the_old_output_stands_until_the_new_one_is_there(launch: Stage) -> None:
    first = launch.sha256("hero.png")
    launch.slow()
    launch.spec("hero", "A jar on a black counter.")
    launch.here("apply", "--yes", "--no-wait", code=5)
    assert launch.sha256("hero.png") == first
    launch.later()
    launch.here("apply", "--yes", code=0)
    assert launch.sha256("hero.png") != first
    launch.all_there()


@pytest.mark.parametrize("lost", ["hero.png", "hero.sume.json"])
def test_what_was_deleted_comes_back_for_free(launch: Stage, lost: str) -> None:
    lock, data = launch.read("sume.lock"), launch.path(lost).read_bytes()
    launch.path(lost).unlink()
    launch.here("check", code=2)
    launch.here("apply", "--yes", code=0)
    assert launch.path(lost).read_bytes() == data
    unchanged(launch, lock)
    assert len(launch.charges()) == 3


def test_fetch_brings_everything_back_to_a_clone_without_media(launch: Stage) -> None:
    tree = launch.tree()
    for path in ("hero.png", "launch/demo.png", "launch/detail.png"):
        launch.path(path).unlink()
    launch.here("fetch", "launch", code=0)
    assert not launch.has("hero.png")
    launch.here("fetch", code=0)
    assert launch.tree() == tree
    assert "Nothing to fetch" in launch.here("fetch", code=0).text


def test_a_metadata_file_that_was_scribbled_on_is_written_again(launch: Stage) -> None:
    told = launch.path("hero.sume.json").read_bytes()
    launch.write("hero.sume.json", told.replace(b"white", b"green"))
    launch.here("apply", "--yes", code=0)
    assert launch.path("hero.sume.json").read_bytes() == told
    assert len(launch.charges()) == 3


def test_a_copy_of_a_spec_is_free(launch: Stage) -> None:
    launch.write("copies/again.sume.toml", launch.read("hero.sume.toml"))
    launch.here("apply", "--yes", code=0)
    assert launch.sha256("copies/again.png") == launch.sha256("hero.png")
    assert len(launch.charges()) == 3
    launch.all_there()
    unchanged(launch, launch.read("sume.lock"))


def test_the_same_request_twice_in_one_plan_is_one_job(stage: Stage) -> None:
    for name in ("one", "two", "deep/three"):
        stage.spec(name, "The very same.")
    assert "1 paid job." in stage.here("plan", code=0).out
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == ["The very same."]
    assert stage.sha256("one.png") == stage.sha256("two.png") == stage.sha256("deep/three.png")
    stage.all_there()
    unchanged(stage, stage.read("sume.lock"))


def test_back_and_forth_is_free(launch: Stage) -> None:
    first = launch.read("hero.sume.toml"), launch.sha256("hero.png")
    launch.spec("hero", "A jar on a black counter.")
    launch.here("apply", "--yes", code=0)
    second = launch.read("hero.sume.toml"), launch.sha256("hero.png")
    for text, sha256 in (first, second, first):
        launch.write("hero.sume.toml", text)
        assert "Nothing to pay" in launch.here("plan", code=0).out
        launch.here("apply", "--yes", code=0)
        assert launch.sha256("hero.png") == sha256
        launch.all_there()
    unchanged(launch, launch.read("sume.lock"))
    assert len(launch.charges()) == 4


def test_a_new_output_name_or_folder_moves_the_file(launch: Stage) -> None:
    data, text = launch.path("hero.png").read_bytes(), launch.read("hero.sume.toml")
    launch.write("hero.sume.toml", text + '[output]\nname = "poster"\ndir = "media/wide"\n')
    launch.here("apply", "--yes", code=0)
    assert launch.path("media/wide/poster.png").read_bytes() == data
    assert not launch.has("hero.png")
    launch.all_there()
    unchanged(launch, launch.read("sume.lock"))
    launch.write("hero.sume.toml", text)
    launch.here("apply", "--yes", code=0)
    assert launch.path("hero.png").read_bytes() == data
    assert not launch.has("media/wide/poster.png")
    assert len(launch.charges()) == 3


def test_two_specs_that_swap_their_names(launch: Stage) -> None:
    one, two = launch.path("launch/demo.sume.toml"), launch.path("launch/detail.sume.toml")
    before = launch.sha256("launch/demo.png"), launch.sha256("launch/detail.png")
    one_text, two_text = one.read_text(), two.read_text()
    one.write_text(two_text)
    two.write_text(one_text)
    assert "Nothing to pay" in launch.here("plan", code=0).out
    launch.here("apply", "--yes", code=0)
    assert (launch.sha256("launch/detail.png"), launch.sha256("launch/demo.png")) == before
    launch.all_there()
    unchanged(launch, launch.read("sume.lock"))
    assert len(launch.charges()) == 3


def test_a_prompt_file_counts_by_its_words(stage: Stage) -> None:
    stage.write("prompts/demo.md", "A hand\nopens the jar.\n")
    stage.write("demo.sume.toml", 'prompt_file = "prompts/demo.md"\n')
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == ["A hand\nopens the jar."]
    lock = stage.read("sume.lock")
    stage.write("prompts/demo.md", b"\xef\xbb\xbfA hand\r\nopens the jar.\r\n\r\n")
    unchanged(stage, lock)
    stage.write("prompts/demo.md", "A hand\ncloses the jar.\n")
    assert "prompt" in stage.here("plan", code=0).out
    stage.here("apply", "--yes", code=0)
    assert stage.paid()[1:] == ["A hand\ncloses the jar."]
    stage.all_there("demo")


def test_a_default_changes_every_spec_that_does_not_say_otherwise(launch: Stage) -> None:
    settings = launch.read("sumesync.toml")
    launch.write("sumesync.toml", '[defaults.image]\naspect_ratio = "9:16"\n')
    assert "2 paid jobs" in launch.here("plan", code=0).out
    launch.here("apply", "--yes", code=0)
    assert [charge.body.get("aspect_ratio") for charge in launch.charges()[3:]] == ["9:16", "9:16"]
    launch.all_there()
    launch.write("sumesync.toml", settings)
    launch.here("apply", "--yes", code=0)
    assert len(launch.charges()) == 5
    launch.all_there()


def test_another_take_is_another_job_and_the_first_stays_known(launch: Stage) -> None:
    first, text = launch.sha256("hero.png"), launch.read("hero.sume.toml")
    launch.write("hero.sume.toml", "take = 2\n" + text)
    launch.here("apply", "--yes", code=0)
    assert launch.paid()[3:] == ["A jar on a white counter."]
    assert launch.sha256("hero.png") != first
    launch.write("hero.sume.toml", text)
    launch.here("apply", "--yes", code=0)
    assert launch.sha256("hero.png") == first
    assert len(launch.charges()) == 4


def test_retake_raises_the_take_and_leaves_the_rest_of_the_spec(launch: Stage) -> None:
    launch.write("hero.sume.toml", b"# my note\r\n" + launch.path("hero.sume.toml").read_bytes() + b"# the end\r\n")
    launch.here("retake", "hero", code=0)
    text = launch.read("hero.sume.toml")
    assert "take = 2" in text
    assert "# my note\r\n" in text
    assert "# the end\r\n" in text
    assert len(launch.charges()) == 3, "retake itself pays nothing"
    launch.here("apply", "--yes", code=0)
    assert len(launch.charges()) == 4
    launch.here("retake", "hero.sume.toml", code=0)
    assert "take = 3" in launch.read("hero.sume.toml")
    launch.here("apply", "--yes", code=0)
    assert len(launch.charges()) == 5
    launch.all_there()


def test_only_what_was_named_is_applied(stage: Stage) -> None:
    for name in ("a/one", "a/two", "b/three"):
        stage.spec(name, f"The picture {name}.")
    stage.here("apply", "--yes", "b", code=0)
    assert stage.paid() == ["The picture b/three."]
    stage.here("apply", "--yes", "a/one", code=0)
    assert stage.paid()[1:] == ["The picture a/one."]
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 3
    stage.all_there()


def test_several_pictures_of_one_request(stage: Stage) -> None:
    stage.spec("hero", "Three jars.", image_count=3)
    stage.here("apply", "--yes", code=0)
    assert [out["path"] for out in stage.outputs("hero.sume.toml")] == ["hero.png", "hero-2.png", "hero-3.png"]
    stage.all_there("hero")
    stage.path("hero-2.png").unlink()
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")
    assert len(stage.charges()) == 1


def test_changing_nothing_but_where_you_stand(launch: Stage) -> None:
    assert "Nothing to do" in launch.run("apply", "--yes", cwd="launch", code=0).out
    assert "launch/demo.sume.toml" in launch.run("status", "demo", cwd="launch", code=0).out


@pytest.mark.parametrize(
    ("line", "cwd", "expected"),
    [
        pytest.param("sumesync plan h", "", "plain,hero.sume.toml", id="here"),
        pytest.param("sumesync plan -C shop h", "..", "", id="a-folder-without"),
        pytest.param("sumesync plan -C project h", "..", "plain,hero.sume.toml", id="there"),
        pytest.param("sumesync resolve -C project launch/d", "..", "plain,launch/dusk.sume.toml", id="a-folder-there"),
    ],
)
def test_specs_are_completed_from_the_folder_that_counts(stage: Stage, line: str, cwd: str, expected: str) -> None:
    stage.spec("hero", "A jar.")
    stage.spec("launch/dusk", "Dusk.")
    stage.write("../shop/note.txt", "")
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_SUMESYNC_COMPLETE": "bash_complete"}
    assert stage.run(env=words, cwd=cwd).out.split() == expected.split()
