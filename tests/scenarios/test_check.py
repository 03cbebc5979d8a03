"""``check`` before and after the apply that a pull request waits for."""

from __future__ import annotations

from .stage import Stage


def test_a_pull_request_that_is_applied_later(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    stage.spec("plate", "A plate.")
    assert stage.here("check", code=2).out.count("sumesync apply") == 2
    later = stage.here("check", "--allow-pending", code=0)
    assert later.err == "Nothing wrong; 2 specs for a later apply (see: sumesync plan).\n"
    stage.here("apply", "--yes", code=0)
    stage.path("plate.png").unlink()
    stage.spec("hero", "A red cup.")
    assert "2 specs for a later apply" in stage.here("check", "--allow-pending", code=0).err
    stage.here("apply", "--yes", code=0)
    assert stage.here("check", "--allow-pending", code=0).err.startswith("All agree: 2 specs")


def test_what_needs_a_person_is_not_allowed_to_wait(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    stage.here("apply", "--yes", code=0)
    stage.write("hero.png", "mine")
    found = stage.here("check", "--allow-pending", code=2)
    assert "sumesync accept hero.sume.toml" in found.out
    stage.write("bad.sume.toml", 'promt = "x"\n')
    found = stage.here("check", "--allow-pending", "--json", code=64)
    assert [finding["path"] for finding in found.json["findings"]] == [
        "bad.sume.toml:1:1",
        "bad.sume.toml:1:1",
        "hero.sume.toml",
    ]
