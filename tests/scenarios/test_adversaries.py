"""What careless writers, impatient CI and hostile pull requests have tried, each once and for good."""

from __future__ import annotations

import hashlib
import json

import pytest

from .conftest import Maker
from .stage import Stage, png


def a_hero(stage: Stage) -> Stage:
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", code=0)
    return stage


# --- Hostile pull requests ---------------------------------------------------------------------------


def test_a_lock_cannot_make_a_source_file_ours_to_move(stage: Stage) -> None:
    a_hero(stage)
    stage.write("LICENSE", "precious")
    sha256 = hashlib.sha256(b"precious").hexdigest()
    lines = stage.read("sume.lock").replace('path = "hero.png"', 'path = "LICENSE"').split("\n")
    stage.write("sume.lock", "\n".join(f'sha256 = "{sha256}"' if "sha256 = " in line else line for line in lines))
    stage.path("hero.png").unlink()
    before = stage.tree()
    assert "no media file" in stage.here("apply", "--yes", code=3).err
    assert stage.tree() == before


def a_poisoned_lock(stage: Stage, path: str, spec: str = "hero") -> None:
    """A pull request: a spec that was made already, and an old result of it that is somebody's picture."""
    stage.write(path, png("by hand"))
    stage.spec(spec, "A jar.")
    stage.write(
        "sume.lock",
        stage.read("sume.lock")
        + f"""
[[entry]]
path = "{spec}.sume.toml"
kind = "image"
fingerprint = "v1:{"0" * 64}"
[[entry.jobs]]
id = "job_theirs"
state = "completed"
attempt = 1
[[entry.jobs.outputs]]
index = 1
path = "{path}"
sha256 = "{stage.sha256(path)}"
size = {len(png("by hand"))}
media_type = "image/png"
""",
    )


@pytest.mark.parametrize("path", ["hero.png", "photos/family.png"], ids=["in-place", "elsewhere"])
@pytest.mark.parametrize("git", [True, False], ids=["git", "no-git"])
def test_a_lock_alone_cannot_make_a_picture_ours_to_replace(make: Maker, path: str, git: bool) -> None:
    stage = make(git=git)
    a_poisoned_lock(stage, path)
    before = stage.path(path).read_bytes()
    for args in (("plan",), ("apply", "--yes"), ("apply", "--yes")):
        result = stage.here(*args)
        assert stage.path(path).read_bytes() == before, result
    stage.spec("hero", "Another jar.")  # what the run before told the ledger makes no difference
    stage.here("apply", "--yes")
    assert stage.path(path).read_bytes() == before
    if path == "hero.png":
        assert "sume.lock alone calls it ours" in stage.here("plan").out
        assert stage.charges() == ()
        stage.here("apply", "--yes", "--replace-edited", "hero", code=0)
        assert stage.path(path).read_bytes() != before


@pytest.mark.parametrize("git", [True, False], ids=["git", "no-git"])
def test_a_lock_alone_cannot_make_a_picture_ours_to_prune(make: Maker, git: bool) -> None:
    stage = make(git=git)
    a_poisoned_lock(stage, "photos/family.png")
    stage.write("hero.sume.json", '{"mine": true}')
    stage.path("hero.sume.toml").unlink()
    result = stage.here("apply", "--yes", "--prune", code=0)
    assert "photos/family.png stays" in result.out
    assert stage.has("photos/family.png")
    assert stage.has("hero.sume.json")


FORGED = (".sume/sandbox/ledger.jsonl", ".sume/ledger.jsonl", ".sume/sandbox/journal/key.json", ".sume/x")


@pytest.mark.parametrize("path", FORGED)
def test_a_committed_ledger_or_journal_is_not_believed(stage: Stage, path: str) -> None:
    """A pull request can add by force what ``.sume`` tells git to ignore."""
    stage.spec("hero", "A jar.")
    stage.write(path, '{"forged": true}\n')
    stage.git("add", "-f", path)
    stage.commit()
    before = stage.tree()
    for args in (("plan",), ("check",), ("status",), ("apply", "--yes"), ("plan", "--sandbox"), ("lock", "rebuild")):
        refused = stage.here(*args, code=3).err
        assert f"git tracks {path}" in refused, args
        assert "git rm -r .sume" in refused, args
        assert "git rm --cached -r .sume" in refused, args
    assert stage.read(path) == '{"forged": true}\n'
    assert stage.tree() == before
    assert stage.posts() == 0
    stage.git("rm", "-q", "-r", ".sume")
    stage.here("apply", "--yes", code=0)
    stage.all_there("hero")


def test_in_a_folder_of_the_repository_too(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.write("sub/sumesync.toml", "")
    stage.write("sub/.sume/sandbox/ledger.jsonl", "")
    stage.git("add", "-f", "sub")
    assert "git tracks .sume/sandbox/ledger.jsonl" in stage.run("plan", code=3, cwd="sub").err
    stage.here("plan", code=0)


def test_caches_that_git_does_not_track_are_nobodys_business(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    for number in range(5):
        stage.write(f".sume/cache-{number}", "")
    stage.here("plan", code=0)
    stage.git("add", "-f", ".sume")
    assert "git tracks .sume/.gitignore, .sume/cache-0, .sume/cache-1 and " in stage.here("plan", code=3).err
    stage.git("rm", "-q", "--cached", "-r", ".sume")
    stage.here("plan", code=0)
    assert stage.has(".sume/cache-0")


def test_what_git_can_bring_back_is_shown_before_it_is_replaced(stage: Stage) -> None:
    """A fresh clone has no ledger: there the committed media are ours by the lock."""
    a_poisoned_lock(stage, "hero.png")
    stage.commit()
    assert "replaces hero.png" in stage.here("plan", code=0).out
    (action,) = stage.here("plan", "--json", code=0).json["actions"]
    assert action["replaces"] == ["hero.png"]
    stage.here("apply", "--yes", code=0)
    assert stage.sha256("hero.png") == stage.outputs("hero.sume.toml")[0]["sha256"]


def test_what_git_can_bring_back_is_shown_before_it_is_pruned(stage: Stage) -> None:
    a_poisoned_lock(stage, "photos/family.png")
    stage.commit()
    stage.path("hero.sume.toml").unlink()
    assert "--prune removes photos/family.png" in stage.here("plan", "--prune", code=0).out
    stage.here("apply", "--yes", "--prune", code=0)
    assert not stage.has("photos/family.png")


def test_a_git_lfs_object_is_committed_by_its_pointer(stage: Stage) -> None:
    a_poisoned_lock(stage, "hero.png")
    data = stage.path("hero.png").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    stage.write("hero.png", f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(data)}\n")
    stage.commit()
    stage.here("plan", code=0)
    assert "replaces hero.png" in stage.here("plan", code=0).out
    stage.write("hero.png", data)
    assert "replaces hero.png" in stage.here("plan", code=0).out


def test_what_a_sparse_checkout_hides_is_not_gone(stage: Stage) -> None:
    a_hero(stage)
    stage.spec("away/lid", "A lid.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    before = stage.read("sume.lock")
    stage.git("sparse-checkout", "set", "--no-cone", "/*", "!/away/")
    assert not stage.has("away/lid.sume.toml")
    result = stage.here("plan", "--prune", "--exit-code", code=0)
    assert "1 spec outside the sparse checkout: left alone." in result.out
    assert stage.here("plan", "--json", code=0).json["left_alone"] == [{"path": "away/lid.sume.toml", "why": "sparse"}]
    stage.spec("copy", "A lid.")  # no rename: the other one is still there
    stage.here("apply", "--yes", "--prune", code=0)
    assert len(stage.charges()) == 2
    assert "away/lid.sume.toml" in stage.lock()
    stage.git("sparse-checkout", "disable")
    stage.all_there()
    stage.path("copy.sume.toml").unlink()
    stage.here("apply", "--yes", "--prune", code=0)
    assert stage.read("sume.lock") == before


def test_what_lies_in_a_nested_project_is_left_alone(stage: Stage) -> None:
    a_hero(stage)
    stage.spec("shop/lid", "A lid.")
    stage.here("apply", "--yes", code=0)
    stage.write("shop/sumesync.toml", "")
    before = stage.tree()
    result = stage.here("plan", "--prune", "--exit-code", code=0)
    assert "1 spec in a project of its own (shop/lid.sume.toml): left alone." in result.out
    stage.here("apply", "--yes", "--prune", code=0)
    assert stage.tree() == before
    stage.spec("lid", "A lid.")  # the same request: a copy, not a move
    stage.here("apply", "--yes", "--prune", code=0)
    assert stage.has("shop/lid.png")
    assert stage.has("lid.png")
    assert len(stage.charges()) == 2


def test_outputs_do_not_go_into_a_nested_project(stage: Stage) -> None:
    stage.write("shop/sumesync.toml", "")
    stage.write("hero.sume.toml", 'prompt = "A jar."\n[output]\nname = "x"\ndir = "shop/media"\n')
    result = stage.here("apply", "--yes", code=64)
    assert "hero.sume.toml:4:1: output.dir: shop is a project of its own" in result.out
    assert stage.charges() == ()


def test_what_the_sandbox_made_here_gives_way_to_the_real_thing(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--sandbox", code=0)
    before = stage.sha256("hero.png")
    stage.here("apply", "--yes", code=0)
    assert stage.sha256("hero.png") != before


def test_a_lock_cannot_name_a_variant_that_leads_outside(stage: Stage) -> None:
    a_hero(stage)
    text = stage.read("sume.lock").replace('path = "hero.sume.toml"', 'path = "z.sume.toml"\nvariant = "/../../x"')
    stage.write("sume.lock", text)
    stage.here("apply", "--yes", "--prune", code=3)


def test_what_a_lock_alone_says_of_a_job_is_not_kept_for_ever(stage: Stage) -> None:
    """A poisoned lock is reverted; the ledger must not have learned from it."""
    a_hero(stage)
    good = stage.read("sume.lock")
    stage.write(
        "sume.lock", good.replace('state = "completed"', 'state = "gone"').replace("attempt = 1", "attempt = 999")
    )
    stage.spec("other", "A lid.")
    stage.here("apply", "--yes", "other")
    stage.write("sume.lock", good)
    stage.here("apply", "--yes", code=0)
    stage.here("plan", "--exit-code", code=0)


def test_a_link_in_the_place_of_our_private_folder_is_not_followed(make: Maker) -> None:
    stage = make()
    outside = stage.root.parent / "outside"
    outside.mkdir()
    stage.path(".sume").symlink_to(outside, target_is_directory=True)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--sandbox", code=3)
    assert list(outside.iterdir()) == []


def test_hidden_files_are_no_prompts(stage: Stage) -> None:
    stage.write(".env", "DB_PASSWORD=hunter2\n")
    stage.write("a.sume.toml", 'prompt_file = ".env"\n')
    result = stage.here("plan", code=64)
    assert "hunter2" not in result.out + result.err


def test_where_git_does_not_say_what_it_ignores_nothing_is_bought(stage: Stage) -> None:
    stage.write(".gitignore", "drafts/\n")
    stage.spec("drafts/d", "A draft.")
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", env={"PATH": "/nonexistent"}, code=3)
    assert stage.charges() == ()


def test_a_plan_is_never_saved_over_something_else(stage: Stage) -> None:
    a_hero(stage)
    stage.write("notes.json", "{}")
    before = stage.tree()
    for name in ("sume.lock", "hero.sume.toml", "notes.json", "hero.sume.json"):
        assert stage.here("plan", "--out", name).code in (3, 64)
    assert stage.tree() == before


# --- Careless people ---------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_not_another_one(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.run("apply", "--yes", "-C", "nosuch", code=64)
    assert stage.charges() == ()


@pytest.mark.parametrize("command", [["accept", "hero"], ["fetch"], ["retake", "hero"], ["plan"], ["lock", "rebuild"]])
def test_settings_that_are_wrong_do_not_change_the_endpoint(stage: Stage, command: list[str]) -> None:
    a_hero(stage)
    stage.write("sumesync.toml", 'endpoint = "sandbox"\n[aply]\n')
    before = stage.tree()
    assert "sumesync.toml:2:2: aply is not a field" in stage.here(*command, code=64).err
    assert stage.tree() == before


def test_our_own_words_in_extra_are_an_error(stage: Stage) -> None:
    stage.write("a.sume.toml", 'prompt = "A jar."\n[extra]\nseed = 3\ntake = 2\n')
    assert "a.sume.toml:4:1: take stands in [extra]" in stage.here("validate", code=64).out


def test_an_entry_lost_in_a_merge_is_not_bought_again(make: Maker) -> None:
    stage = make()
    stage.write("sumesync.toml", '[media]\nstore = "none"\n')
    a_hero(stage)
    head = stage.read("sume.lock").partition("[[entry]]")[0]
    stage.write("sume.lock", head)
    (stage.state_folder() / "ledger.jsonl").unlink()
    stage.path("hero.png").unlink()
    stage.here("apply", "--yes", code=1)
    assert len(stage.charges()) == 1
    stage.here("lock", "rebuild", code=0)
    stage.here("plan", "--exit-code", code=0)


def test_a_metadata_file_that_is_not_ours_survives_a_rename(stage: Stage) -> None:
    stage.write("a.sume.toml", 'prompt = "A jar."\n[output]\nname = "x"\n')
    stage.here("apply", "--yes", code=0)
    stage.write("b.sume.json", '{"mine": true}')
    stage.path("a.sume.toml").rename(stage.path("b.sume.toml"))
    stage.here("apply", "--yes")
    assert stage.read("b.sume.json") == '{"mine": true}'


# --- Impatient CI ------------------------------------------------------------------------------------


def test_no_wait_again_and_again_submits_everything(make: Maker) -> None:
    stage = make(capacity=2)
    for number in range(5):
        stage.spec(f"s{number}", f"Picture {number}.")
    for _ in range(4):
        stage.here("apply", "--yes", "--no-wait")
    stage.here("apply", "--yes", code=0)
    assert len(stage.charges()) == 5


def test_a_saved_plan_takes_no_other_options(stage: Stage) -> None:
    stage.spec("hero", "A jar.")
    stage.here("plan", "--out", "p.json", code=0)
    stage.here("apply", "p.json", "--prune", code=64)
    stage.here("apply", "p.json", "--tag", "x", code=64)
    stage.here("apply", "p.json", code=0)


@pytest.mark.parametrize("options", ['{"paths": 5}', '{"paths": [[1]]}', '{"regenerate": 3}', "[]"])
def test_a_saved_plan_that_is_none_is_told(stage: Stage, options: str) -> None:
    stage.write("p.json", '{"format_version": 1, "digest": "x", "options": ' + options + "}")
    stage.here("apply", "p.json", code=64)


def test_fetch_never_pays(make: Maker) -> None:
    """Not even by sending a lost request again, where Sume documents that as safe."""
    lost = {"method": "POST", "route": "/images/generations", "drop": "after-reading", "times": 1}
    stage = make(lost)
    stage.spec("a", "A jar.")
    stage.here("apply", "--yes", code=4)
    stage.here("fetch")
    assert stage.charges() == ()
    assert [step["step"] for step in stage.journal()] == ["unknown"]


def test_an_open_payment_is_told_also_when_its_spec_has_changed(make: Maker) -> None:
    stage = make({"method": "POST", "route": "/images/generations", "drop": "after-creating", "times": 1})
    stage.spec("a", "A jar.")
    stage.here("apply", "--yes", code=4)
    stage.spec("a", "Another jar.")
    assert "sumesync resolve a.sume.toml" in stage.here("plan", code=0).out
    result = stage.here("apply", "--yes", code=4)
    assert "sumesync resolve a.sume.toml" in result.out
    end = json.loads(stage.here("apply", "--yes", "--json", code=4).out.strip().split("\n")[-1])
    assert [each["path"] for each in end["unknown"]] == ["a.sume.toml"]


def test_a_colleagues_job_of_the_same_request_does_not_settle_ours(make: Maker) -> None:
    stage = make({"method": "POST", "route": "/images/generations", "drop": "after-creating", "times": 1})
    stage.git("add", "-A")
    stage.git("commit", "-qm", "start", "--allow-empty")
    stage.spec("a", "A jar.")
    stage.here("apply", "--yes", code=4)
    (key,) = [step["key"] for step in stage.journal()]
    other = stage.read("sume.lock") + (
        '\n[[entry]]\npath = "a.sume.toml"\nkind = "image"\n'
        f'fingerprint = "{stage.journal()[0]["fingerprint"]}"\n'
        '[[entry.jobs]]\nid = "job_theirs"\nstate = "completed"\nattempt = 1\n'
    )
    stage.write("sume.lock", other)
    for _ in range(2):
        stage.here("apply", "--yes", code=4)
    assert [step["key"] for step in stage.journal()] == [key]
