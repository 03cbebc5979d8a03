"""Specs that take files and each other's outputs: what is paid for, what is sent and how often, and what stops it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from sumesync.core.text import in_bytes
from tests import canaries

from .conftest import Maker
from .stage import POST, Stage, png

HERO = "A jar on a white counter."
FILM = "The camera goes round the jar."
TAKE = png("a take of our own")
VIDEO = {"method": "POST", "route": "/videos/generations"}


def film(stage: Stage, prompt: str = FILM, *media: str, name: str = "film") -> None:
    """A clip of ``media``, each as it stands in the spec; of the hero unless said otherwise."""
    listed = ", ".join(media or ['{ from = "hero.sume.toml", output = 1 }'])
    stage.write(f"{name}.sume.toml", f'kind = "video"\nprompt = "{prompt}"\nreference_image_urls = [{listed}]\n')


def file(path: str = "in/take.png") -> str:
    return f'{{ file = "{path}" }}'


def taken(stage: Stage, prompt: str) -> Any:
    """What the last request for ``prompt`` named."""
    return [charge.body["reference_image_urls"] for charge in stage.charges() if charge.body["prompt"] == prompt][-1]


def uploads(stage: Stage) -> tuple[int, int]:
    """Places asked for, and files sent."""
    puts = [seen for seen in stage.world.requests if seen.method == "PUT"]
    return len(stage.seen("POST", ".*/uploads/presign")), len(puts)


@pytest.fixture
def chain(stage: Stage) -> Stage:
    """An image, and a clip of it, made."""
    stage.spec("hero", HERO)
    film(stage)
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == [HERO, FILM]
    return stage


def test_a_chain_is_made_in_one_run_and_is_then_up_to_date(chain: Stage) -> None:
    hero, clip = chain.charges()
    (url,) = taken(chain, FILM)
    assert hero.job_id in url
    assert clip.body["prompt"] == FILM
    chain.all_there()
    chain.nothing_lost()
    chain.here("plan", "--exit-code", code=0)
    assert url.partition("?")[0] not in chain.read("sume.lock") + chain.read("film.sume.json") + chain.ledger()


def test_a_changed_clip_costs_the_clip_and_a_changed_image_both(chain: Stage) -> None:
    film(chain, "It falls over.")
    chain.here("apply", "--yes", code=0)
    assert chain.paid()[2:] == ["It falls over."]
    chain.spec("hero", "A lid.")
    assert "2 paid jobs" in chain.here("plan", code=0).out
    chain.here("apply", "--yes", code=0)
    assert chain.paid()[3:] == ["A lid.", "It falls over."]
    chain.all_there()
    chain.spec("hero", HERO)
    film(chain)
    chain.here("apply", "--yes", code=0)
    assert len(chain.charges()) == 5, "what was paid for once comes back for nothing"


def test_an_upstream_that_moved_or_was_lost_changes_nothing(chain: Stage) -> None:
    chain.path("hero.png").unlink()
    chain.here("apply", "--yes", code=0)
    chain.path("hero.sume.toml").rename(chain.path("main.sume.toml"))
    film(chain, FILM, '{ from = "main.sume.toml" }')
    chain.here("apply", "--yes", code=0)
    assert len(chain.charges()) == 2
    chain.here("plan", "--exit-code", code=0)


def test_an_accepted_edit_is_what_the_next_clip_is_made_of(chain: Stage) -> None:
    chain.write("hero.png", TAKE)
    chain.here("accept", "hero", code=0)
    chain.here("plan", "--exit-code", code=0)
    assert uploads(chain) == (0, 0)
    film(chain, "It falls over.")
    chain.here("apply", "--yes", code=0)
    assert chain.paid()[2:] == ["It falls over."]
    assert uploads(chain) == (1, 1)
    assert chain.charges()[0].job_id not in taken(chain, "It falls over.")[0]
    film(chain, "It stands up.")
    chain.here("apply", "--yes", code=0)
    assert uploads(chain) == (1, 1)
    assert chain.read("hero.png".replace("png", "sume.json"))
    assert chain.path("hero.png").read_bytes() == TAKE


def test_an_edited_image_is_accepted_and_changes_nothing_until_somebody_asks(chain: Stage) -> None:
    """The clip is paid for as it stands; what will be sent for the next one is told, and a retake costs it alone."""
    chain.write("hero.png", TAKE)
    film(chain, "It falls over.")
    assert "takes what Sume made, not your edit of hero.png" in chain.here("plan", code=0).out
    film(chain)
    accepted = chain.here("accept", "hero", code=0).err
    assert (
        "film.sume.toml takes it, and stays as it was made. To make it anew: sumesync retake film.sume.toml" in accepted
    )
    assert "takes it" not in chain.here("accept", "hero", code=0).err
    chain.here("check", code=0)
    assert "Nothing to do" in chain.here("plan", code=0).out
    chain.here("retake", "film", code=0)
    planned = chain.here("plan", code=0).out
    assert "takes hero.png as you accepted it" in planned
    assert "1 paid job" in planned
    (action,) = [each for each in chain.here("plan", "--json", code=0).json["actions"] if each["paid_jobs"]]
    assert action["handmade"] == [{"path": "hero.png", "of": {"path": "hero.sume.toml"}, "accepted": True}]
    assert "takes hero.png as you accepted it" in chain.here("plan", "--format", "markdown", code=0).out
    chain.here("apply", "--yes", code=0)
    assert chain.paid() == [HERO, FILM, FILM]
    assert chain.world.uploads()[0].sha256 == hashlib.sha256(TAKE).hexdigest()
    chain.here("check", code=0)


def test_a_changed_image_that_was_edited_is_decided_on_before_its_clip_costs_anything(chain: Stage) -> None:
    chain.write("hero.png", TAKE)
    chain.spec("hero", "A lid.")
    told = chain.here("apply", "--yes", code=1).out
    assert "waits for hero.sume.toml, whose output it takes" in told
    assert len(chain.charges()) == 2
    chain.here("accept", "hero", code=0)
    chain.here("apply", "--yes", code=0)
    assert chain.paid() == [HERO, FILM, FILM], "the picture costs nothing, the clip is made of it"
    assert uploads(chain) == (1, 1)


def test_the_same_bytes_are_uploaded_once_for_two_specs_and_two_runs(stage: Stage) -> None:
    stage.write("in/take.png", TAKE)
    stage.write("other/copy.png", TAKE)
    film(stage, "One.", file(), name="one")
    film(stage, "Two.", file("other/copy.png"), name="two")
    first = stage.here("apply", "--yes", code=0).err
    assert re.findall(r"uploading \S+ \(.*\)", first) == [f"uploading in/take.png ({in_bytes(len(TAKE))})"]
    film(stage, "Three.", file(), name="three")
    assert "uploading" not in stage.here("apply", "--yes", code=0).err
    assert uploads(stage) == (1, 1)
    assert len(stage.charges()) == 3
    stage.all_there()
    stage.here("plan", "--exit-code", code=0)


def test_a_file_under_another_name_is_the_same_request(stage: Stage) -> None:
    stage.write("in/take.png", TAKE)
    film(stage, FILM, file())
    stage.here("apply", "--yes", code=0)
    stage.path("in/take.png").rename(stage.path("in/best.png"))
    film(stage, FILM, file("in/best.png"))
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 1
    stage.write("in/best.png", png("another take"))
    stage.here("apply", "--yes", code=0)
    assert (len(stage.charges()), uploads(stage)) == (2, (2, 2))


def test_a_git_lfs_pointer_is_told_by_plan_and_refused_by_apply(stage: Stage) -> None:
    sha256 = hashlib.sha256(TAKE).hexdigest()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(TAKE)}\n"
    stage.write("in/take.png", text)
    stage.spec("hero", HERO)
    film(stage, FILM, file())
    command = "git lfs pull --include in/take.png"
    assert command in stage.here("plan", code=0).err
    refused = stage.here("apply", "--yes", code=3)
    assert command in refused.err
    assert "nothing was submitted" in refused.err
    assert (stage.posts(), stage.charges()) == (0, ())
    going = stage.here("apply", "--yes", "--keep-going", code=1)
    assert command in going.out
    assert stage.paid() == [HERO]
    stage.write("in/take.png", TAKE)
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == [HERO, FILM]


def test_a_clip_whose_image_failed_is_not_begun(make: Maker) -> None:
    stage = make({**POST, "job": {"ends_as": "failed", "error_code": "render_failed"}, "times": 1})
    stage.spec("hero", HERO)
    film(stage)
    ended = stage.here("apply", "--yes", code=1)
    assert "waits for hero.sume.toml, which failed" in ended.text
    assert stage.paid() == [HERO]
    stage.here("apply", "--yes", code=1)
    assert stage.paid() == [HERO]
    stage.here("apply", "--yes", "--retry-failed", code=0)
    assert stage.paid() == [HERO, HERO, FILM]


def test_a_clip_whose_image_has_an_unknown_outcome_is_not_begun(make: Maker) -> None:
    stage = make({**POST, "answer": {"status": 500}, "after": True, "times": 1})
    stage.spec("hero", HERO)
    film(stage)
    stage.here("apply", "--yes", code=4)
    stage.here("apply", "--yes", code=4)
    assert stage.paid() == [HERO]
    stage.here("resolve", "hero", "--adopt", stage.charges()[0].job_id, code=0)
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == [HERO, FILM]


def test_without_waiting_the_clip_is_left_for_the_next_run(stage: Stage) -> None:
    stage.slow()
    stage.spec("hero", HERO)
    film(stage)
    stage.here("apply", "--yes", "--no-wait", code=5)
    assert stage.paid() == [HERO]
    stage.later()
    stage.here("apply", "--yes", code=0)
    assert stage.paid() == [HERO, FILM]
    stage.all_there()


def test_an_upload_that_sume_does_not_take_any_more_is_made_again(stage: Stage) -> None:
    stage.write("in/take.png", TAKE)
    film(stage, "One.", file(), name="one")
    stage.here("apply", "--yes", code=0)
    film(stage, "Two.", file(), name="two")
    stage.faults({**VIDEO, "answer": {"status": 422}, "times": 1})
    assert "uploaded anew" in stage.here("apply", "--yes", code=1).out
    stage.faults()
    stage.here("apply", "--yes", code=0)
    assert uploads(stage) == (2, 2)
    assert stage.paid() == ["One.", "Two."]


def test_no_url_of_an_upstreams_result_is_told_or_kept(make: Maker) -> None:
    stage = make()
    canaries.plant(stage.sume.running)
    stage.spec("hero", HERO)
    film(stage)
    stage.here("plan", "--json")
    stage.here("apply", "--yes", "--json", code=0)
    stage.here("status", code=0)
    stage.all_there()


def test_the_embedded_sandbox_makes_chains_and_uploads_over_several_runs(make: Maker) -> None:
    stage = make()
    stage.write("in/take.png", TAKE)
    stage.spec("hero", HERO)
    film(stage, FILM, file(), '{ from = "hero.sume.toml" }')
    stage.here("apply", "--yes", "--sandbox", code=0)
    film(stage, "Again.", file(), '{ from = "hero.sume.toml" }', name="again")
    stage.here("apply", "--yes", "--sandbox", code=0)
    stage.here("plan", "--sandbox", "--exit-code", code=0)
    assert stage.charges() == ()


# --- Kinds that take nothing but uploads ----------------------------------------------------------------------------


AT_ONCE = {"image": 0, "video": 0, "face-swap": 0, "asset-upload": 0}


@pytest.fixture
def fast(make: Maker) -> Stage:
    return make(seconds=AT_ONCE)


def swaps(stage: Stage) -> None:
    lines = ('kind = "face-swap"', 'source_video_url = { from = "clip.sume.toml" }', 'avatar_ids = ["avatar_mara"]')
    stage.write("swap.sume.toml", "\n".join(lines) + "\n")


def test_a_face_swap_of_a_film_of_the_project_is_made_of_its_upload(fast: Stage) -> None:
    stage = fast
    stage.write("clip.sume.toml", f'kind = "video"\nprompt = "{FILM}"\n')
    swaps(stage)
    stage.here("apply", "--yes", code=0)
    assert stage.has("swap.mp4")
    (upload,) = stage.world.uploads()
    assert (upload.purpose, upload.sha256) == ("face_swap_source_video", stage.sha256("clip.mp4"))
    assert str(stage.charges()[1].body["source_video_url"]).endswith(upload.path)
    stage.here("check", code=0)
    stage.here("plan", "--exit-code", code=0)


def test_a_face_swap_of_a_film_that_was_edited_waits_until_that_is_accepted(fast: Stage) -> None:
    stage = fast
    stage.write("clip.sume.toml", f'kind = "video"\nprompt = "{FILM}"\n')
    stage.here("apply", "--yes", code=0)
    stage.write("clip.mp4", stage.path("clip.mp4").read_bytes() + b"cut")
    swaps(stage)
    assert "waits for clip.sume.toml" in stage.here("apply", "--yes", code=1).out
    assert (len(stage.charges()), uploads(stage)) == (1, (0, 0))
    stage.here("accept", "clip", code=0)
    stage.here("apply", "--yes", code=0)
    assert stage.world.uploads()[0].sha256 == stage.sha256("clip.mp4")


def test_a_face_swap_alone_loads_the_film_that_it_needs_first(fast: Stage) -> None:
    stage = fast
    stage.write("clip.sume.toml", f'kind = "video"\nprompt = "{FILM}"\n')
    stage.here("apply", "--yes", code=0)
    stage.path("clip.mp4").unlink()
    swaps(stage)
    planned = stage.here("plan", "swap.sume.toml", "--json", code=0).json
    assert {action["path"]: action["action"] for action in planned["actions"]} == {
        "clip.sume.toml": "fetch",
        "swap.sume.toml": "create",
    }
    stage.here("apply", "swap.sume.toml", "--yes", code=0)
    assert stage.world.uploads()[0].sha256 == stage.sha256("clip.mp4")
    assert len(stage.charges()) == 2


def test_the_story_of_an_asset(make: Maker) -> None:
    """Its file goes up once, its asset is in the library, and a title costs only the ingest."""
    stage = make(seconds=AT_ONCE)
    stage.write("in/take.png", TAKE)

    def asks(title: str) -> None:
        stage.write("lib.sume.toml", f'kind = "asset-upload"\nmedia = {file()}\ntitle = "{title}"\n')

    asks("A jar")
    assert "1 paid job" in stage.here("plan", code=0).out
    stage.here("apply", "--yes", code=0)
    (charge,) = stage.charges()
    assert charge.body == {"upload_id": stage.world.uploads()[0].id, "title": "A jar"}
    assert stage.world.uploads()[0].sha256 == hashlib.sha256(TAKE).hexdigest()
    result = json.loads(stage.read("lib.sume.json"))["result"]
    found = stage.here("assets", "search", "--q", "jar", "--json", code=0).json["assets"]
    assert result["asset_id"] in [asset["id"] for asset in found]
    assert "?" not in str(result["asset"]["media_url"])
    stage.here("check", code=0)
    stage.here("plan", "--exit-code", code=0)
    asks("A lid")
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 2
    assert stage.charges()[1].body["upload_id"] != charge.body["upload_id"], "an upload is finalised once"


def test_an_asset_of_an_image_of_the_project(fast: Stage) -> None:
    stage = fast
    stage.spec("hero", HERO)
    stage.write("lib.sume.toml", 'kind = "asset-upload"\nmedia = { from = "hero.sume.toml" }\n')
    stage.here("apply", "--yes", code=0)
    assert [upload.sha256 for upload in stage.world.uploads()] == [stage.sha256("hero.png")]
    assert stage.world.assets()[0].upload.family == "image"
    stage.here("check", code=0)
