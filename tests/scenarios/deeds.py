"""What the tables of bad input and of hostile pull requests do to a project, one line each."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from .stage import Stage

Deed = Callable[[Stage], object]


def write(path: str, text: str | bytes) -> Deed:
    return lambda stage: stage.write(path, text)


def edit(path: str, before: str, after: str) -> Deed:
    def deed(stage: Stage) -> None:
        text = stage.read(path)
        assert before in text
        stage.write(path, text.replace(before, after, 1))

    return deed


def remove(path: str) -> Deed:
    return lambda stage: stage.path(path).unlink()


def link(path: str, target: str, folder: bool = False) -> Deed:
    """A link to ``target`` in the place of whatever stands there."""

    def deed(stage: Stage) -> None:
        full = stage.path(path)
        full.parent.mkdir(parents=True, exist_ok=True)
        if full.is_dir() and not full.is_symlink():
            shutil.rmtree(full)
        full.unlink(missing_ok=True)
        full.symlink_to(target, target_is_directory=folder)

    return deed


def all_of(*deeds: Deed) -> Deed:
    return lambda stage: [deed(stage) for deed in deeds]
