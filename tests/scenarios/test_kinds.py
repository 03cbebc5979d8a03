"""What holds of every kind: a start by ``new``, defaults of the project, and what an empty spec lacks."""

from __future__ import annotations

import re

import pytest

from sumesync.disk import schemas

from .stage import Stage, png

KINDS = schemas.for_specs().kinds
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(64)


def files(stage: Stage) -> None:
    """What the examples name."""
    stage.write("take1.mp4", FILM)
    stage.write("product.png", png("product"))


def examples(stage: Stage, kind: str) -> list[str]:
    """Every field of a new spec with the example that stands in its comment."""
    stage.here("new", kind, "x", code=0)
    lines = [line.removeprefix("# ") for line in stage.read("x.sume.toml").splitlines()[1:] if " = " in line]
    return [re.sub(r'(""|\[\])  # .*such as (.*)', r"\2", line).replace('""  # What', '"A cup"  #') for line in lines]


PAID = [name for name, kind in KINDS.items() if not kind.free]


@pytest.mark.parametrize("kind", PAID)
def test_a_new_spec_that_nobody_has_edited_costs_nothing(stage: Stage, kind: str) -> None:
    stage.here("new", kind, "x", code=0)
    told = stage.here("validate", code=64).text
    assert "x.sume.toml:" in told
    assert "empty" in told or "there is no file" in told or "must be an https" in told
    stage.here("apply", "--yes", code=64)
    assert stage.posts() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_new_spec_shows_a_value_that_is_allowed(stage: Stage, kind: str) -> None:
    files(stage)
    meta = ["[meta]"]
    lines = examples(stage, kind)
    stage.write("x.sume.toml", "\n".join(lines[:-2] + meta + lines[-2:]) + "\n")
    stage.here("validate", code=0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_but_the_prompt_may_be_a_default(stage: Stage, kind: str) -> None:
    files(stage)
    kept = [
        line
        for line in examples(stage, kind)[:-2]
        if line.split(" = ")[0] in KINDS[kind].fields and not line.startswith("prompt")
    ]
    stage.write("sumesync.toml", f"[defaults.{kind}]\n" + "\n".join(kept) + "\n")
    prompt = '\nprompt = "A cup"' if "prompt" in KINDS[kind].fields else ""
    stage.write("x.sume.toml", f'kind = "{kind}"{prompt}\n')
    stage.here("validate", code=0)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.required])
def test_a_spec_without_what_its_kind_needs_is_told_and_spends_nothing(stage: Stage, kind: str) -> None:
    stage.write("x.sume.toml", f'kind = "{kind}"\n')
    told = stage.here("plan", code=64).out
    for name in KINDS[kind].required:
        assert f"x.sume.toml:1:1: the {kind} has no {name}" in told
    stage.here("apply", "--yes", code=64)
    assert not stage.world.requests


def test_a_kind_without_a_prompt_takes_none(stage: Stage) -> None:
    assert "face-swap has no prompt" in stage.here("new", "face-swap", "x", "--prompt", "A cup", code=64).text
    assert not stage.has("x.sume.toml")
