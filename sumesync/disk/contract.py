"""The kept copy of the API's OpenAPI document: ``.sume/openapi.json``."""

from __future__ import annotations

import os
from typing import Final

from sumesync.core import contract
from sumesync.core.contract import Contract, Unfit
from sumesync.disk import atomic
from sumesync.disk.project import Home, make_private, read_bytes

NAME: Final = "openapi.json"


def path(home: Home) -> str:
    """Where it stands, as people are told."""
    return (home.private / NAME).relative_to(home.root).as_posix()


def keep(home: Home, text: str) -> None:
    """Replace the copy, durably."""
    make_private(home)
    atomic.write(home.private / NAME, text.encode())


def load(home: Home) -> Contract | None:
    """The copy; None where there is none. Raises Unfit."""
    if not os.path.lexists(home.private / NAME):
        return None
    data = read_bytes(home.root, path(home), contract.MAX_BYTES)
    if isinstance(data, str):
        raise Unfit(data)
    return contract.read(data)
