"""``report``: a page of the project's media, now and since a commit. It changes nothing and asks nobody."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from sumesync.disk import mutex

from .conftest import Maker
from .stage import Stage, png


def report(stage: Stage, *args: str, code: int | None = 0) -> str:
    """The page."""
    target = stage.root.parent / "report"
    stage.others.append(target)  # searched for secrets
    before = stage.tree()
    charges = stage.charges()
    stage.here("report", "--html", str(target), *args, code=code, env={"SUME_API_KEY": None})
    assert stage.tree() == before, "a report changes nothing"
    assert stage.charges() == charges
    return (target / "index.html").read_text(encoding="utf-8") if code == 0 else ""


def cards(page: str) -> dict[str, str]:
    """The markup of each card by its key."""
    parts = page.split('<li class="card"')[1:]
    return {found[1]: part for part in parts if (found := re.search(r"<bdi>(.*?)</bdi>", part))}


def became(page: str) -> dict[str, str]:
    found = ((key, re.search(r'data-since="(\w+)"', part)) for key, part in cards(page).items())
    return {key: match[1] for key, match in found if match}


def states(page: str) -> dict[str, str]:
    found = ((key, re.search(r'data-state="(\w+)"', part)) for key, part in cards(page).items())
    return {key: match[1] for key, match in found if match}


def kept(stage: Stage) -> set[str]:
    folder = stage.root.parent / "report/media"
    return {path.stem for path in folder.iterdir()}


def test_every_spec_with_its_picture_state_and_cost(make: Maker) -> None:
    stage = make({"route": "/images/generations", "prompt": "A broken cup.", "job": {"ends_as": "failed"}})
    stage.spec("launch/hero", "A red <cup>.")
    stage.spec("plate", "A plate.")
    stage.spec("edited", "A spoon.")
    stage.spec("broken", "A broken cup.")
    stage.spec("gone", "A fork.")
    stage.spec("later", "A knife.")
    names = ["launch", "plate", "edited", "broken", "gone"]
    stage.here("apply", "--yes", *(n if n == "launch" else f"{n}.sume.toml" for n in names), code=1)
    stage.write("edited.png", png("mine"))
    stage.spec("plate", "A blue plate.")
    stage.write("bad.sume.toml", 'promt = "x"\n')
    stage.path("gone.sume.toml").unlink()
    stage.path("launch/hero.png").unlink()
    page = report(stage)
    assert states(page) == {
        "bad.sume.toml": "invalid",
        "broken.sume.toml": "failed",
        "edited.sume.toml": "edited",
        "gone.sume.toml": "gone",
        "later.sume.toml": "create",
        "plate.sume.toml": "update",
        "launch/hero.sume.toml": "fetch",
    }
    hero = cards(page)["launch/hero.sume.toml"]
    assert "A red &lt;cup&gt;." in hero
    assert "The file is not here. <code>sumesync fetch launch/hero.sume.toml</code>" in hero
    assert re.search(r"<b>2</b> need you", page)
    assert re.search(r"<b>6</b> specs", page)
    assert kept(stage) == {stage.sha256(name)[:32] for name in ("edited.png", "plate.png", "gone.png")}
    assert "promt" in cards(page)["bad.sume.toml"]


def test_a_film_has_a_poster_and_keys_are_taken_out(make: Maker) -> None:
    stage = make(drawn=True)
    stage.spec("film", "A cup turns. https://a.example/x.png?sig=0123456789abcdef", kind="video", duration=5)
    stage.here("apply", "--yes", code=0)
    page = report(stage)
    name = stage.sha256("film.mp4")[:32]
    assert f'src="media/{name}.mp4" poster="thumbs/{name}.jpg"' in page
    assert "0123456789abcdef" not in page
    stage.path("film.sume.toml").unlink()  # which may have it


def test_what_is_not_here_says_what_to_do(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    stage.here("apply", "--yes", code=0)
    size = stage.path("hero.png").stat().st_size
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{stage.sha256('hero.png')}\nsize {size}\n"
    stage.write("hero.png", pointer)
    assert "Kept in git-lfs, and not here yet. <code>git lfs pull</code>" in report(stage)
    stage.path("hero.png").unlink()
    stage.write("sumesync.toml", stage.read("sumesync.toml") + '\n[media]\nstore = "none"\n')
    assert "Media are not kept in git here. <code>sumesync fetch hero.sume.toml</code>" in report(stage)


def test_a_result_that_is_a_document(make: Maker) -> None:
    stage = make(seconds={"reference-analysis": 0})
    stage.write("reel.sume.toml", 'kind = "reference-analysis"\nurl = "https://www.tiktok.com/@brand/video/1"\n')
    stage.here("apply", "--yes", code=0)
    stage.commit()
    page = report(stage, "--since", "main")
    assert became(page) == {"reel.sume.toml": "same"}
    assert '<pre tabindex="0" class="document">{' in page
    assert "a document" in page
    stage.path("reel.sume.json").unlink()
    assert "The result is not here. <code>sumesync fetch reel.sume.toml</code>" in report(stage)


def test_narrowed_and_told_to_programs(stage: Stage) -> None:
    stage.spec("a/hero", "A cup.")
    stage.write("b/plate.sume.toml", 'prompt = "A plate."\n[meta]\ntags = ["web"]\n')
    target = str(stage.root.parent / "report")
    told = stage.here("report", "--html", target, "--json", "a", code=0).json
    assert told == {
        "format_version": 1,
        "page": f"{target}/index.html",
        "specs": 1,
        "variants": 1,
        "media": 0,
        "bytes": 0,
    }
    stage.here("report", "--html", target, "--tag", "web", code=0)
    assert "b/plate.sume.toml" in Path(target, "index.html").read_text()
    stage.here("report", "--html", target, "--tag", "wbe", code=64)
    stage.here("report", code=64)


def test_it_needs_no_lock_and_may_stand_in_the_project(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    stage.here("apply", "--yes", code=0)
    before = stage.tree()
    with mutex.hold(stage.state_folder(), "apply", 0, lambda _who: None):
        stage.here("report", "--html", str(stage.path("out/report")), code=0)
    after = stage.tree()
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in set(after) - set(before)} == {"out"}
    stage.here("check", code=0)
    refused = stage.here("report", "--html", str(stage.root), code=64)
    assert "is the project itself" in refused.err
    assert "git" in stage.here("report", "--html", str(stage.path(".git/report")), code=64).err
    stage.write("notes/mine.txt", "mine")
    assert (
        "mine.txt is not of an earlier report" in stage.here("report", "--html", str(stage.path("notes")), code=64).err
    )
    assert stage.read("notes/mine.txt") == "mine"


def before_and_after(stage: Stage) -> None:
    stage.spec("hero", "A red cup.")
    stage.spec("same", "A plate.")
    stage.spec("old-name", "A spoon.")
    stage.spec("gone", "A fork.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    stage.git("checkout", "-q", "-b", "feature")
    stage.spec("hero", "A blue cup.")
    stage.git("mv", "old-name.sume.toml", "new-name.sume.toml")
    stage.path("gone.sume.toml").unlink()
    stage.spec("new", "A knife.")
    stage.here("apply", "--yes", "--prune", code=0)
    stage.commit()


def test_since_a_commit(stage: Stage) -> None:
    before_and_after(stage)
    old = _blob(stage, "hero.png")
    page = report(stage, "--since", "main")
    assert became(page) == {
        "new.sume.toml": "new",
        "hero.sume.toml": "changed",
        "new-name.sume.toml": "moved",
        "gone.sume.toml": "removed",
        "same.sume.toml": "same",
    }
    hero = cards(page)["hero.sume.toml"]
    assert "A <del>red</del> <ins>blue</ins> cup." in hero
    assert 'type="range"' in hero
    assert hashlib.sha256(old).hexdigest()[:32] in kept(stage)
    assert stage.sha256("hero.png")[:32] in kept(stage)
    assert "A fork." in cards(page)["gone.sume.toml"]
    assert "<code>old-name.sume.toml</code>" in cards(page)["new-name.sume.toml"]
    assert set(became(report(stage, "--since", "main", "hero.sume.toml"))) == {"hero.sume.toml"}


def _blob(stage: Stage, path: str) -> bytes:
    """A file as it was on main: read without sumesync, and as bytes."""
    stage.git("worktree", "add", "-q", "../main", "main")
    data = (stage.root.parent / "main" / path).read_bytes()
    stage.git("worktree", "remove", "--force", "../main")
    return data


def test_since_is_where_the_branches_part(stage: Stage) -> None:
    before_and_after(stage)
    stage.git("checkout", "-q", "main")
    stage.spec("same", "Another plate, on main only.")
    stage.commit()
    stage.git("checkout", "-q", "feature")
    assert became(report(stage, "--since", "main"))["same.sume.toml"] == "same"
    assert set(became(report(stage, "--since", "HEAD")).values()) == {"same"}


def test_a_spec_whose_entry_stands_in_the_lock_is_removed_too(stage: Stage) -> None:
    stage.spec("hero", "A cup.")
    stage.here("apply", "--yes", code=0)
    stage.commit()
    stage.path("hero.sume.toml").unlink()
    assert became(report(stage, "--since", "main")) == {"hero.sume.toml": "removed"}


def test_variants_and_media_that_a_spec_takes(stage: Stage) -> None:
    stage.write("cup.png", png("theirs"))
    matrix = '[matrix]\ncolour = ["red", "blue"]\n'
    takes = 'reference_image_urls = [{ file = "cup.png" }]\n'
    stage.write("hero.sume.toml", f'prompt = "A {{colour}} cup."\n{takes}{matrix}')
    stage.commit()
    assert set(became(report(stage, "--since", "main")).values()) == {"same"}
    stage.write("hero.sume.toml", stage.read("hero.sume.toml").replace('"red"', '"green"'))
    page = report(stage, "--since", "main")
    assert became(page)["hero.sume.toml[blue]"] == "same"
    assert became(page)["hero.sume.toml[green]"] == "new"
    assert became(page)["hero.sume.toml[red]"] == "removed"
    assert '<dd dir="auto">cup.png</dd>' in cards(page)["hero.sume.toml[blue]"]
    stage.write("cup.png", png("another"))
    assert became(report(stage, "--since", "main"))["hero.sume.toml[blue]"] == "changed"
    stage.write("hero.sume.toml", "prompt = 3\n")
    found = became(report(stage, "--since", "main"))
    assert {key: since for key, since in found.items() if key.startswith("hero")} == {"hero.sume.toml": "changed"}


def test_media_in_git_lfs_have_a_placeholder(stage: Stage) -> None:
    stage.spec("hero", "A red cup.")
    stage.here("apply", "--yes", code=0)
    data = stage.path("hero.png").read_bytes()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{stage.sha256('hero.png')}\nsize {len(data)}\n"
    stage.write("hero.png", pointer)
    stage.commit()
    stage.write("hero.png", data)
    stage.spec("hero", "A blue cup.")
    stage.here("apply", "--yes", code=0)
    assert "Kept in git-lfs then." in cards(report(stage, "--since", "main"))["hero.sume.toml"]


@pytest.mark.parametrize(
    "ref", ["--upload-pack=/bin/true", "-h", "", "no-such-branch", "main\nHEAD", "HEAD:hero.png", ".."]
)
def test_a_hostile_or_unknown_commit_is_refused(stage: Stage, ref: str) -> None:
    stage.spec("hero", "A cup.")
    stage.commit()
    report(stage, f"--since={ref}", code=64)
    assert not (stage.root.parent / "report").exists()


def test_a_shallow_clone_says_what_to_fetch(stage: Stage) -> None:
    before_and_after(stage)
    clone = stage.root.parent / "clone"
    url = f"file://{stage.root}"
    stage.git("clone", "-q", "--depth=1", "--no-single-branch", "--branch=feature", url, str(clone))
    away = stage.elsewhere(clone)
    target = str(stage.root.parent / "report")
    said = away.here("report", "--html", target, "--since", "origin/main", code=64).err
    assert "git fetch --unshallow" in said
    assert "git fetch origin v1" in away.here("report", "--html", target, "--since", "v1", code=64).err
    assert not os.path.lexists(target)


def test_since_needs_git(make: Maker) -> None:
    stage = make(git=False)
    stage.spec("hero", "A cup.")
    report(stage)
    target = str(stage.root.parent / "other")
    assert "needs a git repository" in stage.here("report", "--html", target, "--since", "main", code=64).err
