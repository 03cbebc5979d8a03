"""Whether an OpenAPI document declares a header for a POST route. Tolerant; False on anything odd."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sumesync.api.reading import as_list, as_object
from sumesync.core.contract import followed
from sumesync.model import Json

_SPELLINGS = 4  # of one path: with the base or without, with a last slash or without


def declares_header(document: Json, route: str, base: str = "", header: str = "Idempotency-Key") -> bool:
    """Whether ``document`` (parsed) declares ``header``, in any case, for POST ``route``.

    ``route`` is relative to the API's base (``/images/generations``); ``base`` is the path of that base
    (``/api/v1``): the document may spell its paths with or without it. Parameters may stand at the
    operation or at the path, and be ``$ref``s inside the document.
    """
    paths = as_object(as_object(document).get("paths"))
    wanted = {route.rstrip("/"), base.rstrip("/") + route.rstrip("/")}
    spelt = (item for path, item in paths.items() if path.rstrip("/") in wanted)
    items = [followed(document, item) for item in islice(spelt, _SPELLINGS)]
    return any(
        parameter.get("in") == "header" and str(parameter.get("name")).lower() == header.lower()
        for item in items
        for parameter in _parameters(document, item)
    )


def _parameters(document: Json, item: dict[str, Json]) -> Iterator[dict[str, Json]]:
    post = item.get("post")
    if not isinstance(post, dict):
        return
    operation = followed(document, post)
    for parameter in [*as_list(operation.get("parameters")), *as_list(item.get("parameters"))]:
        yield followed(document, parameter)
