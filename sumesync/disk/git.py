"""What we ask of git: where its common folder is, and which files it does not ignore. Nothing is written
but our own folder beneath the common one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sumesync.core.text import printable
from sumesync.disk import asking
from sumesync.errors import LocalStateError

_UNTRACKED = "?"
_NAMED = 3
"""Files that are named of any number."""


def common_folder(start: Path) -> Path | None:
    """As ``asking.common_folder``; None outside git."""
    found = asking.common_folder(str(start))
    return Path(found) if found else None


def committed(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """The object id of each of ``paths`` (relative to ``root``) in the last commit, of those that are in it."""
    said = _run(
        root, asking.COMMITTED, "git does not say what is committed", "".join(f"HEAD:./{path}\n" for path in paths)
    )
    found = zip(paths, said.splitlines(), strict=True)
    return {path: line.removesuffix(" blob") for path, line in found if line.endswith(" blob")}


def files(root: Path) -> list[str]:
    """Specs below ``root`` that git tracks or does not ignore, relative to it. Deleted files may be among them.

    Raises LocalStateError where git does not answer: without it an ignored draft would be taken for a spec,
    and paid for. So it does where git tracks anything in ``.sume``: what somebody committed there
    would be taken for what this machine knows.
    """
    said = _run(root, asking.SPECS, "git does not say which files it ignores")
    found = {(line[2:], line[0] != _UNTRACKED) for line in said.split("\0") if line}
    inside = {(name, tracked) for name, tracked in found if name.split("/")[0].lower() == asking.PRIVATE}
    if committed_ := sorted(name for name, tracked in inside if tracked):
        raise _tracked(committed_)
    return sorted({name for name, _ in found - inside})


def _tracked(names: list[str]) -> LocalStateError:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(printable(name, 120) for name in names[:_NAMED])
    mend = f"if they came from others: git rm -r {asking.PRIVATE}"
    return LocalStateError(
        f"git tracks {shown}{more}: nobody's cache belongs in git, and a stranger's would be believed here",
        f"{mend}; if they are your own: git rm --cached -r {asking.PRIVATE}",
    )


def ignored(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of ``paths`` that git does not track and is told to ignore. Raises LocalStateError as ``files`` does."""
    asked = "\0".join(sorted(paths))
    if not asked:
        return frozenset()
    said = _run(root, asking.IGNORED, "git does not say whether it ignores a prompt file", asked, 1)
    return frozenset(name for name in said.split("\0") if name)


def hidden(root: Path) -> frozenset[str]:
    """Specs below ``root`` that git tracks and that a sparse checkout leaves out."""
    said = _run(root, asking.HIDDEN, "git does not say what the sparse checkout hides")
    return frozenset(line.removeprefix("S ") for line in said.split("\0") if line.startswith("S "))


def conflicts(root: Path, patterns: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """Files below ``root`` that match and that git has in conflict: their base, ours and theirs; "" where a side has no
    such file."""
    asked = ["ls-files", "-z", "--unmerged", "--", *patterns]
    said = _run(root, asked, "git does not say what is in conflict")
    found: dict[str, list[str]] = {}
    for line in filter(None, said.split("\0")):
        facts, _, path = line.partition("\t")
        _, object_id, stage = facts.split(" ")
        found.setdefault(path, ["", "", ""])[int(stage) - 1] = _blob(root, object_id)
    return {path: (base, ours, theirs) for path, (base, ours, theirs) in found.items()}


def _blob(root: Path, object_id: str) -> str:
    return _run(root, ["cat-file", "blob", object_id], "git does not show a file that is in conflict")


def configure(root: Path, name: str, value: str) -> None:
    """Set a value in the repository's own configuration, which no pull request can write."""
    _run(root, ["config", "--local", name, value], "git does not take a setting")


def configured(root: Path, name: str) -> str:
    """A value of git's configuration; "" where it has none."""
    return _run(root, ["config", "--get", name], "git does not tell its settings", none=1).strip()


def _run(root: Path, arguments: Sequence[str], failed: str, asked: str = "", none: int = 0) -> str:
    return os.fsdecode(ask(root, arguments, failed, os.fsencode(asked), none))


def ask(
    root: Path,
    arguments: Sequence[str],
    failed: str,
    asked: bytes = b"",
    none: int = 0,
    into: IO[bytes] | None = None,
    offline: bool = False,
) -> bytes:
    """What git answers to ``asked`` (b"" where that goes ``into`` a file); ``none`` is its exit code for "no such
    files". ``offline``: a partial clone may not fetch what it lacks."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands; what comes from outside is data to them
            asking.command(str(root), arguments),
            stdout=into or subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=asking.environment(offline),
            check=False,
            input=asked,
        )
    except OSError as error:
        raise LocalStateError(
            f"git cannot be run ({error.strerror})", "install git: it says which specs count"
        ) from None
    if done.returncode not in (0, none):
        said = printable(os.fsdecode(done.stderr).strip().replace("\n", " "), 300)
        raise LocalStateError(f"{failed}: {said}", "mend that, then run again")
    answer = done.stdout or b""
    for heard in _listening:
        heard.append(Asked(str(root), tuple(arguments), asked, answer, done.returncode, into is None and not offline))
    return answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that git was asked, and its answer. ``whole``: whether asking it again tells if that still holds."""

    root: str
    arguments: tuple[str, ...]
    asked: bytes
    answer: bytes
    code: int
    whole: bool


_listening: list[list[Asked]] = []


@contextmanager
def heard() -> Iterator[list[Asked]]:
    """All that git is asked meanwhile, and answers: what a look depends on."""
    asked: list[Asked] = []
    _listening.append(asked)
    try:
        yield asked
    finally:
        _listening.remove(asked)
