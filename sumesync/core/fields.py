"""Which keys of a spec, or of a kind's defaults, are request fields, and which are sumesync's own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sumesync.core.matrix import MATRIX
from sumesync.core.text import printable
from sumesync.core.validate import Finding
from sumesync.model import Json

STRUCTURE: Final = ("kind", "take", "extra", "output", "meta", MATRIX)


def flat(table: Mapping[str, Any]) -> dict[str, Json]:
    """The request fields of a table, ``[extra]`` beside them; whole floats as integers, as JSON sees them."""
    own = {k: v for k, v in table.items() if k not in STRUCTURE and k != "prompt_file"}
    extra = table.get("extra", {})
    return {key: _whole(value) for key, value in {**own, **(extra if isinstance(extra, dict) else {})}.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


def twice(table: Mapping[str, Any], base: tuple[str, ...]) -> Iterator[Finding]:
    extra = table.get("extra")
    for key in extra if isinstance(extra, dict) else ():
        if key in (*STRUCTURE, "prompt_file") or (key == "prompt" and "prompt_file" in table):
            yield Finding(
                (*base, "extra", key), f"{key} stands in [extra]", f"it belongs above: {key} is sumesync's own"
            )
        elif key in table:
            where = (*base, "extra", key)
            yield Finding(where, f"{printable(key, 60)} stands at the top and in [extra]", "keep one of them")
