"""Two hundred specs in folders, applied with the real command: what the issue calls done, with made-up prompts."""

from __future__ import annotations

import itertools
import os

import pytest

from .conftest import Maker
from .stage import Stage

_PLACES = ("kitchen", "harbour", "attic", "orchard", "night train")
_THINGS = ("a jar", "two lemons", "an open book", "a ship’s bell", "paper “stars”", "grüne Äpfel", "猫", "a \\ key")
_WAYS = ("in soft light", "seen from above\non two lines", "as a woodcut", "with 'quotes' and # marks", "100 % blue")


@pytest.fixture
def many(make: Maker) -> Stage:
    stage = make(capacity=40)
    for number, (place, thing, way) in enumerate(itertools.product(_PLACES, _THINGS, _WAYS), start=1):
        folder = place.replace(" ", "-")
        ratio = {"aspect_ratio": ("1:1", "4:5", "9:16")[number % 3]} if number % 2 else {}
        stage.spec(f"{folder}/shot-{number:03}", f"In the {place}: {thing}, {way}.", **ratio)
    return stage


def test_two_hundred_specs_one_after_another_change(many: Stage) -> None:
    # The guard first: two hundred jobs are more than a slip of the hand may buy.
    assert "--max-jobs 200" in many.here("apply", "--yes", code=3).err
    assert not many.posts()

    many.run("apply", "--yes", "--max-jobs", "200", code=0)
    assert len(many.charges()) == len(set(many.paid())) == 200
    assert len(many.lock()) == 200
    many.all_there()
    many.nothing_lost()
    assert not many.journal()

    lock, asked = many.read("sume.lock"), len(many.world.requests)
    assert "Nothing to do: 200 specs" in many.here("apply", "--yes", code=0).out
    assert many.read("sume.lock") == lock
    assert len(many.world.requests) == asked, "nothing to do asks nobody"

    many.write("kitchen/shot-001.sume.toml", "# a note\n" + many.read("kitchen/shot-001.sume.toml"))
    os.rename(many.path("kitchen/shot-002.sume.toml"), many.path("kitchen/renamed.sume.toml"))
    many.spec("attic/shot-090", "Something else.")
    many.path("harbour/shot-050.png").unlink()
    assert "1 paid job." in many.here("plan", code=0).out
    many.here("apply", "--yes", code=0)
    assert many.paid()[200:] == ["Something else."]
    many.all_there()
    many.here("plan", "--exit-code", code=0)
