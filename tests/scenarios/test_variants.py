"""Specs with a matrix, local inputs and chains through the real command: what is shown, paid for, moved and refused.

Everything that is wrong is told before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.conftest import Maker
from tests.scenarios.stage import Stage, png

MATRIX = 'prompt = "A {product} on marble."\n[matrix]\nproduct = ["serum", "cream"]\naspect_ratio = ["1:1", "9:16"]\n'


def pictures(stage: Stage) -> list[str]:
    return sorted(path.name for path in stage.root.glob("*.png"))


def test_each_variant_has_its_job_its_entry_and_its_files(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", MATRIX)
    shown = stage.here("plan", code=0)
    assert "4 paid jobs" in shown.out
    assert "1 spec in 4 variants" in shown.out
    stage.here("apply", "--yes", code=0)
    names = ["1x1-cream", "1x1-serum", "9x16-cream", "9x16-serum"]
    assert pictures(stage) == [f"hero-{name}.png" for name in names]
    assert all(stage.has(f"hero-{name}.sume.json") for name in names)
    assert sorted(stage.paid()) == ["A cream on marble."] * 2 + ["A serum on marble."] * 2
    assert "Nothing to do: 1 spec in 4 variants up to date." in stage.here("plan", "--exit-code", code=0).out
    stage.here("check", code=0)
    assert "What is here cost 16 credits." in stage.here("status", code=0).err
    assert "What is here cost 4 credits." in stage.here("status", "hero.sume.toml[1x1-serum]", code=0).err
    stage.nothing_lost()


def test_a_value_more_pays_for_the_new_ones_and_one_less_for_none(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", MATRIX)
    stage.here("apply", "--yes", code=0)
    stage.write("hero.sume.toml", MATRIX.replace('"cream"', '"cream", "soap"'))
    assert "2 paid jobs" in stage.here("plan", code=0).out
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 6
    stage.write("hero.sume.toml", MATRIX.replace('"serum", ', ""))
    shown = stage.here("plan", code=0)
    assert "hero.sume.toml[1x1-serum]" in shown.out
    assert "its spec asks for it no more; apply --prune" in shown.out
    assert "pruned: nothing asks for it now" in stage.here("apply", "--yes", "--prune", code=0).err
    assert pictures(stage) == ["hero-1x1-cream.png", "hero-9x16-cream.png"]
    assert not stage.has("hero-1x1-serum.sume.json")
    assert len(stage.charges()) == 6


def test_a_plain_spec_that_gets_a_matrix_keeps_what_it_has(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", 'prompt = "A serum on marble."\naspect_ratio = "1:1"\n')
    stage.here("apply", "--yes", code=0)
    before = stage.sha256("hero.png")
    stage.write("hero.sume.toml", MATRIX)
    shown = stage.here("plan", code=0)
    assert "moves hero.png to hero-1x1-serum.png" in shown.out
    assert "3 paid jobs" in shown.out
    stage.here("apply", "--yes", code=0)
    assert stage.sha256("hero-1x1-serum.png") == before
    assert not stage.has("hero.png")
    assert not stage.has("hero.sume.json")
    assert len(stage.charges()) == 4
    stage.write("hero.sume.toml", 'prompt = "A serum on marble."\naspect_ratio = "1:1"\n')
    stage.here("apply", "--yes", "--prune", code=0)
    assert (pictures(stage), stage.sha256("hero.png")) == (["hero.png"], before)
    assert len(stage.charges()) == 4


def test_a_hundred_variants_do_not_shout(make: Maker) -> None:
    stage = make()
    numbers = ", ".join(map(str, range(100)))
    stage.write("hero.sume.toml", f'prompt = "Cup {{n}}"\n[matrix]\nn = [{numbers}]\n')
    shown = stage.here("plan", code=0)
    assert "hero.sume.toml  100 variants · image · new" in shown.out
    assert len(shown.out.splitlines()) < 10
    assert stage.here("plan", "--verbose", code=0).out.count("hero.sume.toml[") == 100
    stage.write("hero.sume.toml", f'prompt = "Cup {{n}}"\n[matrix]\nn = [{numbers}, 100]\n')
    assert "[matrix] makes 101 variants; at most 100 are allowed" in stage.here("apply", "--yes", code=64).text
    stage.write("sumesync.toml", "[apply]\nmax_variants = 101\n")
    stage.here("validate", code=0)
    assert stage.posts() == 0


def test_one_variant_is_named_in_brackets(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", MATRIX)
    stage.here("apply", "--yes", "hero.sume.toml[1x1-serum]", code=0)
    assert pictures(stage) == ["hero-1x1-serum.png"]
    assert len(stage.charges()) == 1
    stage.here("apply", "--yes", "hero", code=0)
    assert len(stage.charges()) == 4
    told = stage.here("plan", "hero[1x1-serun]", code=64)
    assert "hero.sume.toml has no variant 1x1-serun" in told.text
    assert "did you mean 1x1-serum?" in told.text
    stage.write("hero-1x1-serum.png", png("by hand"))
    told = stage.here("accept", "hero.sume.toml", code=64)
    assert "hero.sume.toml has 4 variants" in told.text
    stage.here("accept", "hero.sume.toml[1x1-serum]", code=0)
    assert stage.here("retake", "hero.sume.toml", code=0).text.count("4 more jobs") == 1
    stage.here("retake", "hero.sume.toml[1x1-serum]", code=64)
    assert len(stage.charges()) == 4


def test_a_variant_may_not_write_another_specs_metadata(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", 'prompt = "A {p}"\n[matrix]\np = ["a"]\n')
    stage.write("hero-a.sume.toml", 'prompt = "B"\n[output]\nname = "other"\n')
    told = stage.here("apply", "--yes", code=64)
    assert "would write the same files as hero.sume.toml[a]" in told.text
    assert stage.posts() == 0


# --- What is wrong is told at its place and spends nothing ---------------------------------------------------


def link(stage: Stage) -> None:
    stage.write("real.png", png("x"))
    stage.path("in.png").symlink_to(stage.path("real.png"))


def hole(stage: Stage) -> None:
    with open(stage.path("in.png"), "wb") as file:
        file.write(png("x"))
        file.truncate((2 << 30) + 1)


def ignored(stage: Stage) -> None:
    stage.write("in.png", png("x"))
    stage.write(".gitignore", "in.png\n")


def pointer(name: str) -> Callable[[Stage], object]:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"
    return lambda stage: stage.write(name, text)


HERO = 'prompt = "A"\n'
TAKES = HERO + 'reference_image_urls = [{ file = "in.png" }]\n'
BAD: list[tuple[str, str, Callable[[Stage], object], str]] = [
    ("missing", TAKES, lambda _: None, "x.sume.toml:2:25: reference_image_urls[1]: there is no file in.png"),
    ("a folder", TAKES, lambda stage: stage.path("in.png").mkdir(), "in.png is not a file"),
    ("a link", TAKES, link, "in.png is a symbolic link"),
    ("too large", TAKES, hole, "in.png has 2,147,483,649 bytes"),
    ("ignored by git", TAKES, ignored, "git ignores in.png"),
    ("text", TAKES, lambda stage: stage.write("in.png", "<html>"), "in.png is an HTML page"),
    ("empty", TAKES, lambda stage: stage.write("in.png", ""), "in.png is an empty file"),
    ("a film", TAKES, lambda stage: stage.write("in.png", b"\0\0\0\x18ftypmp42"), "in.png is video/mp4; it must be an"),
    ("a pointer to a film", TAKES.replace("in.png", "in.mp4"), pointer("in.mp4"), "in.mp4 is video/mp4; it must be an"),
    ("a pointer to nothing known", TAKES.replace("in.png", "in.x"), pointer("in.x"), "in.x is a git-lfs pointer, and"),
    ("a cycle", HERO + 'reference_image_urls = [{ from = "x.sume.toml" }]\n', lambda _: None,
     "x.sume.toml:2:25: reference_image_urls[1] comes back to this spec: x.sume.toml -> x.sume.toml"),
    ("no spec", HERO + 'reference_image_urls = [{ from = "y.sume.toml" }]\n', lambda _: None, "there is no spec y."),
    ("an output too many", HERO + 'reference_image_urls = [{ from = "good.sume.toml", output = 2 }]\n', lambda _: None,
     "good.sume.toml makes 1 output, not 2"),
    ("an empty matrix", HERO + "[matrix]\n", lambda _: None, "x.sume.toml:2:2: [matrix] is empty"),
    ("a matrix over the cap", HERO + f"[matrix]\nseed = {list(range(101))}\n", lambda _: None, "makes 101 variants"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "spoil", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_told_and_spends_nothing(
    make: Maker, text: str, spoil: Callable[[Stage], object], says: str
) -> None:
    stage = make()
    stage.write("good.sume.toml", 'prompt = "good"\n')
    stage.write("x.sume.toml", text)
    spoil(stage)
    told = stage.here("apply", "--yes", code=64)
    assert says in told.text
    assert re.search(r"^x\.sume\.toml:[0-9]+:[0-9]+: ", told.out, re.MULTILINE), "told where it stands"
    assert len(stage.world.requests) == 0


def test_a_pointer_to_a_picture_is_planned_as_the_picture_that_it_names(make: Maker) -> None:
    stage = make()
    stage.write("x.sume.toml", TAKES)
    data = png("x")
    stage.write("in.png", data)
    whole = stage.here("plan", "--json", code=0).json["actions"][0]["fingerprint"]
    size, digest = len(data), stage.sha256("in.png")
    stage.write("in.png", f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n")
    assert stage.here("plan", "--json", code=0).json["actions"][0]["fingerprint"] == whole


def test_a_file_of_another_name_is_the_same_and_other_bytes_are_not(make: Maker) -> None:
    stage = make()
    stage.write("x.sume.toml", TAKES)
    stage.write("in.png", png("x"))

    def print_() -> str:
        return str(stage.here("plan", "--json", code=0).json["actions"][0]["fingerprint"])

    first = print_()
    Path(stage.path("in.png")).rename(stage.path("other.png"))
    stage.write("x.sume.toml", TAKES.replace("in.png", "other.png"))
    assert print_() == first
    stage.write("other.png", png("y"))
    assert print_() != first


def test_the_plan_of_a_chain_says_what_comes_after_what(make: Maker) -> None:
    stage = make()
    stage.write("hero.sume.toml", 'prompt = "A cup"\n')
    stage.write(
        "film.sume.toml", 'kind = "video"\nprompt = "B"\nreference_image_urls = [{ from = "hero.sume.toml" }]\n'
    )
    found = stage.here("plan", "--json", "film.sume.toml", code=0).json
    assert {action["path"]: action.get("after") for action in found["actions"]} == {
        "film.sume.toml": [{"path": "hero.sume.toml"}],
        "hero.sume.toml": None,
    }
    assert found["paid_jobs"] == 2
