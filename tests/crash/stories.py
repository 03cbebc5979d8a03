"""What is at work when a process dies: a project, a command, and the weather at Sume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.crash.yard import Yard
from tests.scenarios.stage import png

APPLY: Final = ("apply", "--yes")
MINE: Final = png("made by hand")
"""Bytes that no command may touch, wherever a story has them."""
_POST: Final = {"method": "POST", "route": "/images/generations", "times": 1}


@dataclass(frozen=True)
class Story:
    """``charges``: how many jobs must have been paid for when all is done, not one more at any time.
    ``again``: the command is to be given again after it was killed, before ``apply`` finishes the work."""

    name: str
    prepare: Callable[[Yard], None]
    charges: int
    args: Sequence[str] = APPLY
    again: bool = False
    finish: Sequence[str] = APPLY
    mine: tuple[str, ...] = ()
    absent: bool = False
    """Whether media of completed jobs may be missing."""

    @property
    def recovery(self) -> Sequence[str]:
        """What is run after the command was killed, and is killed in its turn."""
        return self.args if self.again else self.finish


@dataclass(frozen=True)
class Weather:
    """What becomes of the first paid request."""

    name: str
    rules: tuple[Mapping[str, Any], ...] = ()


CALM: Final = Weather("calm")


# --- Projects -----------------------------------------------------------------------------------------


def _project(yard: Yard) -> None:
    yard.stage.write("sumesync.toml", "")


def _first(yard: Yard) -> None:
    """The first picture of a project that has no lock yet."""
    _project(yard)
    yard.stage.spec("hero", "A jar.")


def _in_git(yard: Yard) -> None:
    yard.stage.git("init", "-q", "-b", "main", "--template=")
    _first(yard)


def _pair(yard: Yard) -> None:
    """Two at once, in folders of their own, of two kinds."""
    _project(yard)
    yard.stage.spec("a/hero", "A jar.")
    yard.stage.spec("b/film", "A lid.", kind="video")


def _mixed(yard: Yard) -> None:
    """One of everything: new, changed, renamed, missing, gone; and a picture made by hand."""
    stage = yard.stage
    _project(yard)
    for name in ("changed", "renamed", "missing", "gone"):
        stage.spec(name, f"Picture {name}.")
    _done(yard)
    stage.spec("changed", "Another picture.")
    stage.path("renamed.sume.toml").rename(stage.path("moved.sume.toml"))
    stage.path("missing.png").unlink()
    stage.path("gone.sume.toml").unlink()
    stage.spec("new", "A new one.")
    stage.write("mine.png", MINE)


def _chain(yard: Yard) -> None:
    """A clip of a picture of the same run."""
    _first(yard)
    _clip(yard, "film", '{ from = "hero.sume.toml", output = 1 }')


def _upload(yard: Yard) -> None:
    """Two clips of one file."""
    _project(yard)
    yard.stage.write("in/take.png", MINE)
    for name in ("one", "two"):
        _clip(yard, name, '{ file = "in/take.png" }')


def _clip(yard: Yard, name: str, media: str) -> None:
    text = f'kind = "video"\nprompt = "Clip {name}."\nreference_image_urls = [{media}]\n'
    yard.stage.write(f"{name}.sume.toml", text)


def _swapped(yard: Yard) -> None:
    """Two specs change names: each one's picture goes where the other's stands."""
    stage = yard.stage
    _project(yard)
    for name in ("one", "two"):
        stage.spec(name, f"Picture {name}.")
    _done(yard)
    one, two = stage.path("one.sume.toml"), stage.path("two.sume.toml")
    texts = one.read_text(), two.read_text()
    one.write_text(texts[1])
    two.write_text(texts[0])


def _in_flight(yard: Yard) -> None:
    """Two jobs run at Sume; nobody waits for them. They have ended when the next run looks."""
    _pair(yard)
    yard.stage.slow()
    ended = yard.run("apply", "--yes", "--no-wait")
    assert ended.result.code == 5, str(ended.result)
    yard.stage.later()


def _failed(yard: Yard) -> None:
    _first(yard)
    yard.script({**_POST, "job": {"ends_as": "failed", "error_code": "render_failed"}})
    ended = yard.run(*APPLY)
    assert ended.result.code == 1, str(ended.result)
    yard.script()


def _edited(yard: Yard) -> None:
    _first(yard)
    _done(yard)
    yard.stage.write("hero.png", MINE)


def _complete(yard: Yard) -> None:
    _first(yard)
    _done(yard)


def _changed_since(yard: Yard) -> None:
    """A second picture stands where the first one stood."""
    _complete(yard)
    yard.stage.spec("hero", "Another jar.")
    _done(yard)


def _missing(yard: Yard) -> None:
    _complete(yard)
    yard.stage.path("hero.png").unlink()


def _unlocked(yard: Yard) -> None:
    _complete(yard)
    yard.stage.path("sume.lock").unlink()


def _unknown(yard: Yard) -> None:
    """A request was sent, a job was made, and the answer was lost."""
    _first(yard)
    yard.script({**_POST, "drop": "after-creating"})
    ended = yard.run(*APPLY)
    assert ended.result.code == 4, str(ended.result)
    yard.script()


def _adopted(yard: Yard) -> None:
    _unknown(yard)
    ended = yard.run("resolve", "hero", "--adopt", "job_0001")
    assert ended.result.code == 0, str(ended.result)


def _never_made(yard: Yard) -> None:
    _first(yard)
    yard.script({**_POST, "answer": {"status": 500}})
    ended = yard.run(*APPLY)
    assert ended.result.code == 4, str(ended.result)
    yard.script()


def _empty(yard: Yard) -> None:
    """A folder that is no project yet."""
    yard.stage.spec("hero", "A jar.")


def _done(yard: Yard) -> None:
    ended = yard.run(*APPLY)
    assert ended.result.code == 0, str(ended.result)


# --- The two lists --------------------------------------------------------------------------------------

STORIES: Final = {
    story.name: story
    for story in (
        Story("first", _first, 1),
        Story("first, in git", _in_git, 1),
        Story("pair", _pair, 2),
        Story("mixed", _mixed, 6, ("apply", "--yes", "--prune"), again=True, mine=("mine.png",), absent=True),
        # A part file may hold the only copy of one of the two; the next run sweeps it and fetches the picture again.
        Story("swapped", _swapped, 2, absent=True),
        Story("chain", _chain, 2),
        Story("upload", _upload, 2, mine=("in/take.png",)),
        Story("in flight", _in_flight, 2),
        Story("retry", _failed, 2, ("apply", "--yes", "--retry-failed"), finish=("apply", "--yes", "--retry-failed")),
        Story("accept", _edited, 1, ("accept", "hero"), again=True, mine=("hero.png",), absent=True),
        Story("retake", _complete, 2, ("retake", "hero"), again=True),
        Story("restore", _changed_since, 2, ("restore", "hero", "job_0001", "--yes"), absent=True),
        Story("fetch", _missing, 1, ("fetch",), again=True, absent=True),
        Story("lock rebuild", _unlocked, 1, ("lock", "rebuild"), again=True),
        Story("adopt", _unknown, 1, ("resolve", "hero", "--adopt", "job_0001"), again=True),
        Story("undo", _adopted, 1, ("resolve", "hero", "--undo")),
        Story("not created", _never_made, 1, ("resolve", "hero", "--not-created"), again=True),
        Story("init", _empty, 1, ("init",), again=True),
    )
}

WEATHERS: Final = (
    CALM,
    Weather("500", ({**_POST, "answer": {"status": 500}},)),
    Weather("500 after the job was made", ({**_POST, "answer": {"status": 500}, "after": True},)),
    Weather("502 after the job was made", ({**_POST, "answer": {"status": 502}, "after": True},)),
    Weather("408 after the job was made", ({**_POST, "answer": {"status": 408}, "after": True},)),
    Weather("reset while it is sent", ({**_POST, "drop": "before-reading", "reset": True},)),
    Weather("closed before the job was made", ({**_POST, "drop": "after-reading"},)),
    Weather("reset after the job was made", ({**_POST, "drop": "after-creating", "reset": True},)),
    Weather("cut in the middle of the answer", ({**_POST, "drop": "mid-answer"},)),
    Weather("an answer in HTML", ({**_POST, "garble": "html"},)),
    Weather("an answer without an id", ({**_POST, "garble": "no-id"},)),
    Weather("an answer with an id like a path", ({**_POST, "garble": "job-id"},)),
    Weather("a redirect", ({**_POST, "redirect": "http://10.0.0.1/"},)),
    Weather("429", ({**_POST, "answer": {"status": 429, "headers": {"Retry-After": "3"}}},)),
    Weather("409", ({**_POST, "answer": {"status": 409}},)),
    Weather("402", ({**_POST, "answer": {"status": 402}},)),
    Weather("401", ({**_POST, "answer": {"status": 401}},)),
    Weather("422", ({**_POST, "answer": {"status": 422}},)),
)
