"""Stages for the stories, each with the canary check at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage, Sume

Maker = Callable[..., Stage]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Maker]:
    """``make(*faults, git=True, project=True, **settings)``: a stage; several where a story needs them."""
    made: list[Stage] = []

    def maker(*rules: Any, git: bool = True, project: bool = True, drawn: bool = False, **settings: Any) -> Stage:
        base = tmp_path / f"stage{len(made) or ''}"
        for folder in ("project", "home"):
            (base / folder).mkdir(parents=True)
        stage = Stage((base / "project").resolve(), base / "home", Sume.serve(*rules, drawn=drawn, **settings))
        made.append(stage)
        if git:
            stage.git("init", "-q", "-b", "main", "--template=")
        if project:
            stage.here("init", code=0)
        if git and project:
            stage.commit()
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
