"""Documents: results that are no media (an analysis, an ingest, the scenes of a search). Pure.

One stands in the metadata of its spec, under ``result``. Its identity is its canonical text, so neither the layout
of the file nor the order of its keys means anything.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Final

from sumesync.core.text import count, without_secrets
from sumesync.errors import MediaError
from sumesync.model import DOCUMENT, Json, Output

MAX_BYTES: Final = 4 << 20
"""Of a canonical text: metadata are read with every plan and committed."""
_DEEPEST: Final = 64
# Who it belongs to, where it is stored and how to get at it: nobody's business in a committed file.
_PRIVATE: Final = re.compile(
    r"(workspace|user|owner|account|organi[sz]ation)_?ids?|workspace|owner|e?_?mail|api_?key|authorization|password"
    r"|.*(object|storage|s3|gcs|bucket)_?(key|path|name|ur[il])s?|bucket"
    r"|(upload|pre_?signed|signed)_?url|required_?headers|(.*_)?(token|secret|signature|credentials?)",
    re.IGNORECASE,
)


class DocumentFault(MediaError):
    """A document that cannot be kept. Asking again would give the same."""


def canonical(document: Mapping[str, Json]) -> bytes:
    """The text that says what a document is. Raises ValueError for numbers that JSON has not."""
    return json.dumps(dict(document), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def output(path: str, document: Mapping[str, Json]) -> Output:
    """What the lock records of a document in the metadata at ``path``."""
    text = canonical(document)
    return Output(1, path, hashlib.sha256(text).hexdigest(), len(text), DOCUMENT)


def public(document: Mapping[str, Json], of: str) -> dict[str, Json]:
    """``document`` as it may be committed: URLs without their queries, nothing private, nothing that JSON cannot say.
    Raises DocumentFault for one that is too large or too deep; ``of`` names it."""
    found = {key: _public(value, of, 1) for key, value in _shown(document)}
    size = len(canonical(found))
    if size > MAX_BYTES:
        raise DocumentFault(
            f"{of} is {size / (1 << 20):,.1f} MiB of text, more than the {MAX_BYTES >> 20} MiB that metadata hold",
            "ask for less, such as a smaller limit; what was paid for stays at Sume under its job id",
        )
    return found


def _shown(table: Mapping[str, Json]) -> Iterable[tuple[str, Json]]:
    return ((_text(key), value) for key, value in table.items() if not _PRIVATE.fullmatch(key))


def _public(value: Json, of: str, depth: int) -> Json:
    if depth > _DEEPEST:
        raise DocumentFault(f"{of} is nested more than {_DEEPEST} deep", "ask Sume about it")
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_public(item, of, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _public(item, of, depth + 1) for key, item in _shown(value)}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(text: str) -> str:
    """Without secrets, and without halves of surrogate pairs, which no file can hold."""
    return without_secrets(text.encode("utf-8", "replace").decode())


def scenes(found: Iterable[Mapping[str, Json]], more: bool) -> dict[str, Json]:
    """What a search found, as one document. ``more``: Sume has further scenes that ``limit`` leaves out."""
    listed = [dict(scene) for scene in found]
    return {"count": len(listed), "more": more, "scenes": listed}  # type: ignore[dict-item]  # lists are invariant


def told(kind: str, document: Mapping[str, Json]) -> str:
    """A document in a few words."""
    if isinstance(number := document.get("count"), int) and isinstance(document.get("scenes"), list):
        return count(number, "scene") + (" of more" if document.get("more") is True else "")
    return {"reference-analysis": "analysis", "asset-upload": "ingested"}.get(kind, "result")
