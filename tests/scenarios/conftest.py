"""Stages for the stories, each with the canary check at its end."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage, Sume

Maker = Callable[..., Stage]


@functools.cache
def _new_project(git: bool, project: bool) -> tempfile.TemporaryDirectory[str]:
    """Made once and copied: four processes fewer a story."""
    folder = tempfile.TemporaryDirectory(prefix="sumesync-new-")
    base = Path(folder.name).resolve()
    for name in ("project", "home"):
        (base / name).mkdir()
    stage = Stage(base / "project", base / "home", Sume.serve())
    if git:
        stage.git("init", "-q", "-b", "main", "--template=")
    if project:
        stage.here("init", code=0)
    if git and project:
        stage.commit()
    stage.close()
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    """``make(*faults, git=True, project=True, **settings)``: a stage; several where a story needs them."""
    made: list[Stage] = []

    def maker(*rules: Any, git: bool = True, project: bool = True, drawn: bool = False, **settings: Any) -> Stage:
        base = tmp_path / f"stage{len(made) or ''}"
        (base / "home").mkdir(parents=True)
        shutil.copytree(Path(_new_project(git, project).name).resolve() / "project", base / "project", symlinks=True)
        stage = Stage((base / "project").resolve(), base / "home", Sume.serve(*rules, drawn=drawn, **settings))
        made.append(stage)
        return stage

    yield maker
    for stage in made:
        stage.close()
    for stage in made:
        stage.no_secret()


@pytest.fixture
def stage(make: Maker) -> Stage:
    """A new project in git, committed."""
    return make()
