"""The JSON Schemas, found alike from a wheel, an editable install and a checkout."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from sumesync.core.config import Schemas
from sumesync.core.kinds import kinds_of
from sumesync.disk import shipped

NAMES: Final = ("spec", "config", "lock", "metadata", "plan")


def text(name: str) -> str:
    """The text of a schema, as it was shipped."""
    file = f"{name}.schema.json"
    return shipped.text(f"_schemas/{file}", f"schemas/{file}", f"the schema {name}")


@cache
def load(name: str) -> dict[str, Any]:
    """A schema as a value."""
    schema: dict[str, Any] = json.loads(text(name))
    return schema


def bundled(name: str) -> dict[str, Any]:
    """A schema that stands alone: one that refers to the lock's carries that within it."""
    schema = load(name)
    if "urn:sumesync:schema:lock:1#" in text(name):
        return {**schema, "$defs": {"lock": load("lock")}}
    return schema


@cache
def for_specs() -> Schemas:
    """What specs and settings are held against."""
    spec = load("spec")
    return Schemas(spec, load("config"), kinds_of(spec))
