"""How git is asked, whoever asks: the same words give the same answer. Imports next to nothing."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing itself costs more than all that is imported here
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A pull request can commit what looks like a bare repository, and its config names programs that git runs.
_OUR_OWN = ("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=")

PRIVATE = ".sume"
SPECS = (
    "ls-files",
    "-z",
    "-t",
    "--cached",
    "--others",
    "--exclude-standard",
    "--",
    "*.sume.toml",
    f":(icase){PRIVATE}",
)
"""Which files are specs, and what git has in ``.sume``. The disk may take .SUME for .sume."""
IGNORED = ("check-ignore", "-z", "--stdin")
"""Which of the files that are named on stdin it does not track and is told to ignore."""
HIDDEN = ("ls-files", "-z", "-t", "--cached", "--", "*.sume.toml")
"""Which specs a sparse checkout leaves out."""
COMMITTED = ("cat-file", "--batch-check=%(objectname) %(objecttype)")
"""What of the objects that are named on stdin there is."""
REPEATABLE = frozenset((SPECS, IGNORED, HIDDEN, COMMITTED))
"""Questions that change nothing and run nothing but git, and may be asked again because a file says so."""


def command(root: str, arguments: Sequence[str]) -> list[str]:
    """The command line of a question, asked below ``root``."""
    return ["git", *_OUR_OWN, "-C", root, *arguments]


def environment(offline: bool = False) -> dict[str, str]:
    """``offline``: a partial clone may not fetch what it lacks."""
    said = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "0"}
    return said | {"GIT_NO_LAZY_FETCH": "1"} if offline else said


def common_folder(start: str) -> str:
    """The ``.git`` folder that all worktrees of the repository around ``start`` share; "" outside git.

    Read from the files themselves: asking the git command would cost a process on every run, and it
    refuses repositories that another user owns.
    """
    for folder in upwards(start):
        marker = os.path.join(folder, ".git")
        if os.path.isdir(marker) and os.path.isfile(os.path.join(marker, "HEAD")):
            return marker
        if os.path.isfile(marker):
            return _of_worktree(marker)
    return ""


def upwards(start: str) -> Iterator[str]:
    """``start`` and every folder that it lies in."""
    folder = start
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


def _of_worktree(marker: str) -> str:
    try:
        named = _line(marker)
        if not named.startswith("gitdir:"):
            return ""
        folder = os.path.realpath(os.path.join(os.path.dirname(marker), named.removeprefix("gitdir:").strip()))
        shared = os.path.join(folder, "commondir")
        if os.path.isfile(shared):
            folder = os.path.realpath(os.path.join(folder, _line(shared)))
        return folder if os.path.isdir(folder) else ""
    except (OSError, ValueError):
        return ""


def _line(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()
