"""What we ask of git: where its common folder is, and which files it does not ignore. Nothing is written
but our own folder beneath the common one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from sumesync.core.text import printable
from sumesync.errors import LocalStateError

# A pull request can commit what looks like a bare repository, and its config names programs that git runs.
_OUR_OWN = ("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=")
_UNTRACKED = "?"
_NAMED = 3
"""Files that are named of any number."""


def common_folder(start: Path) -> Path | None:
    """The ``.git`` folder that all worktrees of the repository around ``start`` share; None outside git.

    Read from the files themselves: asking the git command would cost a process on every run, and it
    refuses repositories that another user owns.
    """
    for folder in (start, *start.parents):
        marker = folder / ".git"
        if marker.is_dir() and (marker / "HEAD").is_file():
            return marker
        if marker.is_file():
            return _of_worktree(marker)
    return None


def _of_worktree(marker: Path) -> Path | None:
    try:
        named = marker.read_text(encoding="utf-8").strip()
        if not named.startswith("gitdir:"):
            return None
        folder = (marker.parent / named.removeprefix("gitdir:").strip()).resolve()
        shared = folder / "commondir"
        if shared.is_file():
            folder = (folder / shared.read_text(encoding="utf-8").strip()).resolve()
    except (OSError, ValueError):
        return None
    return folder if folder.is_dir() else None


def committed(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """The object id of each of ``paths`` (relative to ``root``) in the last commit, of those that are in it."""
    command = ["cat-file", "--batch-check=%(objectname) %(objecttype)"]
    said = _run(root, command, "git does not say what is committed", "".join(f"HEAD:./{path}\n" for path in paths))
    found = zip(paths, said.splitlines(), strict=True)
    return {path: line.removesuffix(" blob") for path, line in found if line.endswith(" blob")}


def files(root: Path, pattern: str, private: str = "") -> list[str]:
    """Paths below ``root`` that match and that git tracks or does not ignore, relative to it. Deleted files may be
    among them.

    Raises LocalStateError where git does not answer: without it an ignored draft would be taken for a spec,
    and paid for. So it does where git tracks the folder ``private`` or anything in it: what somebody committed there
    would be taken for what this machine knows.
    """
    command = ["ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--"]
    # The disk may take .SUME for .sume.
    asked = [pattern, f":(icase){private}"] if private else [pattern]
    said = _run(root, [*command, *asked], "git does not say which files it ignores")
    found = {(line[2:], line[0] != _UNTRACKED) for line in said.split("\0") if line}
    inside = {(name, tracked) for name, tracked in found if private and name.split("/")[0].lower() == private}
    if committed_ := sorted(name for name, tracked in inside if tracked):
        raise _tracked(committed_, private)
    return sorted({name for name, _ in found - inside})


def _tracked(names: list[str], private: str) -> LocalStateError:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(printable(name, 120) for name in names[:_NAMED])
    return LocalStateError(
        f"git tracks {shown}{more}: nobody's cache belongs in git, and a stranger's would be believed here",
        f"if they came from others: git rm -r {private}; if they are your own: git rm --cached -r {private}",
    )


def ignored(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of ``paths`` that git does not track and is told to ignore. Raises LocalStateError as ``files`` does."""
    asked = "\0".join(sorted(paths))
    if not asked:
        return frozenset()
    said = _run(root, ["check-ignore", "-z", "--stdin"], "git does not say whether it ignores a prompt file", asked, 1)
    return frozenset(name for name in said.split("\0") if name)


def hidden(root: Path, pattern: str) -> frozenset[str]:
    """Paths below ``root`` that match, that git tracks, and that a sparse checkout leaves out."""
    said = _run(
        root, ["ls-files", "-z", "-t", "--cached", "--", pattern], "git does not say what the sparse checkout hides"
    )
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
    command = ["git", *_OUR_OWN, "-C", str(root), *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "0"}
    if offline:
        environment["GIT_NO_LAZY_FETCH"] = "1"
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands; what comes from outside is data to them
            command, stdout=into or subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=False, input=asked
        )
    except OSError as error:
        raise LocalStateError(
            f"git cannot be run ({error.strerror})", "install git: it says which specs count"
        ) from None
    if done.returncode not in (0, none):
        said = printable(os.fsdecode(done.stderr).strip().replace("\n", " "), 300)
        raise LocalStateError(f"{failed}: {said}", "mend that, then run again")
    return done.stdout or b""
