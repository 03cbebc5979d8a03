"""What holds of every kind: a start by ``new``, defaults of the project, and what an empty spec lacks."""

from __future__ import annotations

import pytest

from sumesync.disk import schemas

from .stage import Stage, png

KINDS = schemas.for_specs().kinds
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(64)


def files(stage: Stage) -> None:
    """What the examples name."""
    stage.write("take1.mp4", FILM)
    stage.write("product.png", png("product"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_spec_is_valid_with_and_without_its_comments(stage: Stage, kind: str) -> None:
    files(stage)
    stage.here("new", kind, "x", code=0)
    stage.here("validate", code=0)
    lines = stage.read("x.sume.toml").splitlines()
    whole = "\n".join(line.removeprefix("# ") if " = " in line else line for line in lines)
    stage.write("x.sume.toml", whole.replace("# [meta]", "[meta]"))
    stage.here("validate", code=0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_but_the_prompt_may_be_a_default(stage: Stage, kind: str) -> None:
    files(stage)
    stage.here("new", kind, "x", code=0)
    text = stage.read("x.sume.toml").partition("# [meta]")[0]
    fields = [line.removeprefix("# ") for line in text.splitlines() if " = " in line]
    kept = [line for line in fields if line.split(" = ")[0] in KINDS[kind].fields and not line.startswith("prompt")]
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
