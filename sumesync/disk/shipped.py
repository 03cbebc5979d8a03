"""Files that come with sumesync, found alike from a wheel, an editable install and a checkout."""

from __future__ import annotations

from pathlib import Path

from sumesync.errors import LocalStateError

_PACKAGE = Path(__file__).resolve().parent.parent
WORKFLOW = ("_workflows/sumesync.yml", "example-project/.github/workflows/sumesync.yml")
"""The workflow for GitHub: in the wheel, and in a checkout."""


def text(packed: str, beside: str, name: str) -> str:
    """What stands at ``packed`` in a wheel's package, or at ``beside`` in a checkout."""
    for path in (_PACKAGE / packed, _PACKAGE.parent / beside):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise LocalStateError(f"{name} is missing from this installation", "reinstall sumesync")


def asset(name: str) -> str:
    """A style or script of the report."""
    return text(f"render/{name}", f"sumesync/render/{name}", name)
