"""Keeping what a command said, with the signs of all that it hung on, for ``cli.entry`` to say again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sumesync.cli.options import Common
from sumesync.cli.session import Session
from sumesync.cli.talk import Quit
from sumesync.disk import asking, atomic, git, memory, signs
from sumesync.errors import Exit


@dataclass(frozen=True, slots=True)
class Looked:
    """How a command ended that only looks. ``session``: all that it hung on; None where it hung on more, such as an
    answer of Sume's."""

    session: Session | None
    code: Exit = Exit.DONE


def remembered(command: Callable[..., Looked]) -> Callable[..., None]:
    """For a command that changes nothing: the same question is answered at once while nothing has changed."""

    @functools.wraps(command)
    def wrapped(common: Common, **options: Any) -> None:
        common.talk.listen()
        with git.heard() as asked:
            looked = command(common, **options)
        if looked.session is not None and common.talk.heard is not None:
            arguments = click.get_current_context().find_root().obj
            with suppress(OSError):  # such as that of a working folder that is gone: then nothing is remembered
                _keep(arguments, looked.session, asked, (int(looked.code), common.talk.heard))
        if looked.code is not Exit.DONE:
            raise Quit(looked.code)

    return wrapped


def _keep(arguments: tuple[str, ...], session: Session, asked: list[git.Asked], said: memory.Said) -> None:
    if (new := world(session, asked)) is not None:
        root = str(session.place.home.root)
        new.answers[memory.key(arguments)] = said
        atomic.keep(Path(root, memory.NAME), memory.rendered(memory.with_answer(memory.read(root), new)))


def world(session: Session, asked: list[git.Asked]) -> memory.Memory | None:
    """All that a look hung on, which asked git ``asked``; None where it hung on more than can be seen again."""
    root = str(session.place.home.root)
    if session.began is None or session.state.journal or not all(_again(one, root) for one in asked):
        return None  # a request that is out hangs on other processes, too
    folders, newest = session.signs
    if newest >= session.began or signs.at(str(session.place.home.config)) != session.place.sign:
        return None  # something was written while we looked
    questions = {(one.arguments, one.asked): memory.answered(one.answer, one.code) for one in asked}
    told = [(words, given, answer) for (words, given), answer in questions.items()]
    return memory.Memory(memory.tool(), asking.common_folder(root), folders, told, {})


def _again(one: git.Asked, root: str) -> bool:
    return one.whole and one.root == root and one.arguments in asking.REPEATABLE
