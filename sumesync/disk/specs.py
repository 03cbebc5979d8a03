"""What the specs of a project say, with the files that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from sumesync.core import chain, kept, toml
from sumesync.core.chain import Draft
from sumesync.core.config import Config, Schemas
from sumesync.core.document import Document, Found, PromptFile, open_spec
from sumesync.core.inputs import InputFile
from sumesync.core.locate import Locator
from sumesync.core.spec import resolve
from sumesync.core.text import printable
from sumesync.core.view import Project
from sumesync.disk import ahead, git, recall
from sumesync.disk.facts import Facts
from sumesync.disk.hashes import Hashes
from sumesync.disk.observe import FACTS, HASHES, look_input
from sumesync.disk.project import Home, inside, nested, read_bytes
from sumesync.errors import LocalStateError, Problem

_OWN_SHARE: Final = 0.3
"""Of specs, where there is a lock to read and what it tells of to look at, while a child reads the others."""
_OWN: Final = "outputs stay inside the project"


def read_project(
    home: Home,
    found: list[str],
    config: Config,
    problems: tuple[Problem, ...],
    schemas: Schemas,
    instead: Mapping[str, bytes] = MappingProxyType({}),
    hashes: Hashes = HASHES,
    facts: Facts = FACTS,
    meanwhile: Callable[[], object] | None = None,
) -> Project:
    """All specs, those of ``found``, resolved. ``problems`` are those of the settings. ``instead``: what specs would
    say. ``facts``: what is remembered of them. ``meanwhile``: what else is to be done, about as long; it is called
    where others read the most of many specs."""
    proved: set[str] = set()
    reachable: set[str] = set()
    recalled = _recalled(home, [path for path in found if path not in instead], facts, proved, reachable)
    unread = [path for path in found if path not in recalled]
    learning = recall.Learning(home.root, facts, [path for path in unread if path not in instead], proved)
    own, others = ahead.shares(unread, _OWN_SHARE if meanwhile else 0.5) if not instead else (unread, [])

    def read(some: Iterable[str]) -> _Read:
        opened = {path: _open_spec(home.root, path, config, schemas, instead.get(path), proved) for path in some}
        return _resolved(home, opened, config, schemas, hashes, learning, reachable)

    with ahead.ahead(lambda: _plain(home.root, others, config, schemas), bool(others)) as told:
        if others and meanwhile:
            meanwhile()
        first = read(own)
        plain = told() or {}
    known = _told(home, plain, reachable)
    for path in known:
        if plain[path][1]:
            learning.told(path, plain[path][0])
    last = read([path for path in others if path not in known])
    by_path = {path: each.drafts for path, each in recalled.items()} | first.drafts | known | last.drafts
    reads = {path: each.prompts for path, each in recalled.items()} | first.reads | last.reads
    reads |= dict.fromkeys(known, frozenset())
    made = [draft for drafts in by_path.values() for draft in drafts]
    folders = {draft.wanted.folder for draft in made} | first.folders | last.folders
    wrong = [*first.broken, *last.broken, *first.wrong, *last.wrong]
    spec_paths = frozenset(found)
    wanted, problems_ = chain.linked(
        [draft for path in found for draft in by_path.get(path, ())], wrong, spec_paths, schemas.kinds
    )
    return Project(wanted, problems_, problems, spec_paths, reads=reads, folders=frozenset(folders))


@dataclass(frozen=True, slots=True)
class _Read:
    """What specs say: the drafts of those that are right, what each names, the folders that outputs would go to, and
    the problems of those that could not be opened and of the others."""

    drafts: dict[str, tuple[Draft, ...]] = field(default_factory=dict)
    reads: dict[str, frozenset[str]] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    broken: list[Problem] = field(default_factory=list)
    wrong: list[Problem] = field(default_factory=list)


def _resolved(
    home: Home,
    opened: Mapping[str, Document | tuple[Problem, ...]],
    config: Config,
    schemas: Schemas,
    hashes: Hashes,
    learning: recall.Learning,
    reachable: set[str],
) -> _Read:
    documents = [document for document in opened.values() if isinstance(document, Document)]
    learning.prompts(_prompts(documents))
    named = _named(home, documents, hashes)
    found = _Read(
        broken=[problem for broken in opened.values() if not isinstance(broken, Document) for problem in broken]
    )
    for document in documents:
        path = document.path
        made, trouble = _apart(resolve(document, config, schemas, named))
        found.folders.update([draft.wanted.folder for draft in made])
        trouble = trouble or _unreachable(home.root, document, made, reachable)
        prompts = document.prompts
        found.reads[path] = prompts | document.files
        found.wrong.extend(trouble)
        if not trouble:
            found.drafts[path] = made
            learning.learn(path, prompts, made)
    return found


def _plain(root: Path, some: Iterable[str], config: Config, schemas: Schemas) -> dict[str, Any]:
    """Those of ``some`` that are right and name no file, as ``kept`` has them, and whether they may be remembered.
    Nothing is told of the others."""
    proved: set[str] = set()
    found = {}
    for path in some:
        opened = _open_spec(root, path, config, schemas, None, proved)
        if isinstance(opened, Document) and not opened.prompts and not opened.files:
            drafts, trouble = _apart(resolve(opened, config, schemas))
            if drafts and not trouble:
                found[path] = [kept.written(drafts), kept.rememberable(drafts)]
    return found


def _told(home: Home, plain: Mapping[str, Any], reachable: set[str]) -> dict[str, tuple[Draft, ...]]:
    """What a child found, but for specs whose outputs could not go where they say: of those the problem is told."""
    found = {path: kept.read(path, told) for path, (told, _) in plain.items()}
    folders = {draft.wanted.folder for drafts in found.values() for draft in drafts}
    lost = {folder for folder in folders if not _usable(home, folder, reachable)}
    return {path: drafts for path, drafts in found.items() if lost.isdisjoint(d.wanted.folder for d in drafts)}


def _usable(home: Home, folder: str, reachable: set[str]) -> bool:
    """Whether outputs can go to ``folder``. ``reachable``: those of this look that are known to be."""
    if folder and folder not in reachable:
        if _no_folder(home.root, folder) or _leads_elsewhere(home.root, folder):
            return False
        reachable.add(folder)
    return True


def _recalled(
    home: Home, found: list[str], facts: Facts, proved: set[str], reachable: set[str]
) -> dict[str, recall.Recalled]:
    """The specs that need not be read."""
    recalled = recall.recalled(home.root, found, facts, proved, lambda folder: _usable(home, folder, reachable))
    hidden = _ignored(home, frozenset[str]().union(*(each.prompts for each in recalled.values())))
    return {path: each for path, each in recalled.items() if not each.prompts & hidden}


def _prompts(documents: Iterable[Document]) -> frozenset[str]:
    return frozenset[str]().union(*(document.prompts for document in documents))


def _apart(result: tuple[Draft, ...] | tuple[Problem, ...]) -> tuple[tuple[Draft, ...], tuple[Problem, ...]]:
    drafts = tuple([item for item in result if isinstance(item, Draft)])
    return drafts, tuple([item for item in result if isinstance(item, Problem)])


def _open_spec(
    root: Path, path: str, config: Config, schemas: Schemas, instead: bytes | None, proved: set[str]
) -> Document | tuple[Problem, ...]:
    data = read_bytes(root, path, toml.MAX_BYTES, proved) if instead is None else instead
    return (Problem(printable(path), data),) if isinstance(data, str) else open_spec(path, data, config, schemas)


def _named(home: Home, documents: Collection[Document], hashes: Hashes) -> Found:
    """The prompt files and the media that specs name, each looked at once."""
    prompts = _prompts(documents)
    files = frozenset[str]().union(*(document.files for document in documents))
    hidden = _ignored(home, prompts | files)
    return Found(
        {path: _prompt(home.root, path, hidden) for path in prompts},
        {path: _input(home.root, path, hidden, hashes) for path in files},
    )


def _ignored(home: Home, named: frozenset[str]) -> frozenset[str]:
    """Those that git is told to ignore: one question for all of them, none where there are none."""
    if not named or not home.in_git:
        return frozenset()
    reachable = set()
    for path in named:
        with suppress(LocalStateError):  # told where it is read; git would not answer for the others
            inside(home.root, path)
            reachable.add(path)
    return git.ignored(home.root, reachable)


def _prompt(root: Path, path: str, hidden: frozenset[str]) -> PromptFile:
    if path in hidden:
        # What a project keeps out of git may be a secret, and a prompt is sent, shown and committed.
        return PromptFile(fault=f"git ignores {printable(path)}")
    text = read_bytes(root, path, toml.MAX_BYTES)
    return PromptFile(fault=text) if isinstance(text, str) else PromptFile(data=text)


def _input(root: Path, path: str, hidden: frozenset[str], hashes: Hashes) -> InputFile:
    if path in hidden:
        return InputFile(fault=f"git ignores {printable(path)}", hint="what is kept out of git is not sent")
    return look_input(root, path, hashes)


def _unreachable(root: Path, document: Document, drafts: tuple[Draft, ...], reachable: set[str]) -> tuple[Problem, ...]:
    """What a path says is judged in ``core``; where it leads is for the disk to tell. ``reachable``: the folders of
    this look that are."""
    for folder in dict.fromkeys([draft.wanted.folder for draft in drafts]):
        if folder and folder not in reachable:
            if trouble := _unreachable_folder(root, document, folder):
                return trouble
            reachable.add(folder)
    return ()


def _unreachable_folder(root: Path, document: Document, folder: str) -> tuple[Problem, ...]:
    if file := _no_folder(root, folder):
        return _wrong_folder(document, f"{printable(file)} is not a folder", "name another folder, or move it away")
    if not (error := _leads_elsewhere(root, folder)):
        return ()
    if error.hint == _OWN:
        return _wrong_folder(document, error.what, error.hint)
    return (Problem(document.path, f"its media would go to {folder}: {error.what}", error.hint, 1, 1),)


def _leads_elsewhere(root: Path, folder: str) -> LocalStateError | None:
    """Why outputs in ``folder`` would not lie in this project."""
    try:
        inside(root, folder)
    except LocalStateError as error:
        return error
    known: dict[str, bool] = {"": False}
    if not nested(root, folder, known):
        return None
    other = min(name for name, is_nested in known.items() if is_nested)
    return LocalStateError(f"{printable(other)} is a project of its own", _OWN)


def _wrong_folder(document: Document, what: str, hint: str) -> tuple[Problem, ...]:
    line, column = Locator(document.text).find(("output", "dir")) or (1, 1)
    return (Problem(document.path, f"output.dir: {what}", hint, line, column),)


def _no_folder(root: Path, folder: str) -> str:
    """What stands where ``folder``, or one that it lies in, would be made; "" when nothing does."""
    for above in (folder, *(parent.as_posix() for parent in PurePosixPath(folder).parents)):
        if os.path.lexists(root / above):
            return "" if (root / above).is_dir() else above
    return ""
