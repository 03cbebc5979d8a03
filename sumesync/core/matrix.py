"""``[matrix]``: one spec, and a request for every combination of the values that it lists. Pure.

A combination's name is made of its values alone, so that adding a value leaves the others what they are.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sumesync.core import paths
from sumesync.core.text import printable, suggest
from sumesync.core.validate import Finding, type_name
from sumesync.model import Pointer

MATRIX: Final = "matrix"
DEFAULT_MAX_VARIANTS: Final = 100
_LONGEST: Final = 40
"""Characters that one value gives to a name."""
_AXIS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NAMED: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")


@dataclass(frozen=True, slots=True)
class Combination:
    """One value of each axis, and where the spec says it. A plain spec has one, without a name."""

    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Pointer] = field(default_factory=dict)

    def table(self, spec: Mapping[str, Any], fields: Collection[str]) -> dict[str, Any]:
        """The spec as this combination says it: axes that are fields set them, the others stand in texts."""
        own = {name: value for name, value in spec.items() if name != MATRIX}
        if not self.values:
            return own
        return {name: self.fill(value) for name, value in {**own, **self.sets(fields)}.items()}

    def sets(self, fields: Collection[str]) -> dict[str, Any]:
        return {axis: value for axis, value in self.values.items() if axis in fields} if self.values else {}

    def place(self, pointer: Pointer, fields: Collection[str]) -> Pointer:
        """Where the spec says what stands at ``pointer`` of ``table``."""
        axis = pointer[0] if pointer else ""
        return self.places[axis] if isinstance(axis, str) and axis in self.sets(fields) else pointer

    def fill(self, value: Any) -> Any:
        """``value`` with every ``{axis}`` in its texts filled in. Braces that name no axis stay."""
        if not self.values:
            return value
        if isinstance(value, str):
            return _NAMED.sub(
                lambda match: _text(self.values[match[1]]) if match[1] in self.values else match[0], value
            )
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        return value


PLAIN: Final = Combination()


def named_in(value: Any) -> Iterator[str]:
    """What stands in braces in the texts of ``value``."""
    if isinstance(value, str):
        yield from _NAMED.findall(value)
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from named_in(item)


def expand(
    spec: Mapping[str, Any], fields: Collection[str], own: Collection[str], most: int
) -> tuple[tuple[Combination, ...], tuple[Finding, ...]]:
    """Every combination of ``[matrix]`` in ``spec``, or what is wrong with it. ``fields`` are the kind's; ``own`` are
    names that sumesync has a meaning for."""
    if MATRIX not in spec:
        return (PLAIN,), ()
    matrix = spec[MATRIX]
    findings = tuple(_findings(matrix, spec, fields, own))
    if findings:
        return (), findings
    count = math.prod(len(values) for values in matrix.values())
    if count > most:
        # The number itself could have thousands of digits.
        shown = f"{count:,} variants" if count < 1_000_000 else "a million variants or more"
        what = f"[matrix] makes {shown}; at most {most:,} are allowed"
        hint = "list fewer values, or raise max_variants under [apply] in sumesync.toml"
        return (), (Finding((MATRIX,), what, hint),)
    combinations = tuple(_combinations(matrix))
    return combinations, tuple(_name_findings(combinations))


def unused(axes: Iterable[str], fields: Collection[str], named: Collection[str], kind: str) -> Iterator[Finding]:
    """Axes that make no difference: neither a field of ``kind`` nor ``named`` in a text."""
    for axis in axes:
        if axis not in fields and axis not in named:
            what = f"{axis} is not a field of {kind}, and no text of the request names {{{axis}}}"
            hint = f"write {{{axis}}} in the prompt, or take it out of [matrix]"
            yield Finding((MATRIX, axis), what, " ".join(filter(None, (suggest(axis, {*fields, *named}), hint))))


def slug(value: Any) -> str:
    """``value`` as a part of a file name: ``1:1`` is ``1x1``, ``A red cup!`` is ``A-red-cup``."""
    text = unicodedata.normalize("NFC", _text(value))
    text = re.sub(r"[^\w.\-]+", " ", re.sub(r"(?<=[0-9]):(?=[0-9])", "x", text))
    return text.strip().replace(" ", "-")[:_LONGEST].rstrip(".-")


def _findings(matrix: Any, spec: Mapping[str, Any], fields: Collection[str], own: Collection[str]) -> Iterator[Finding]:
    if not isinstance(matrix, dict):
        yield Finding((MATRIX,), f"matrix is {type_name(matrix)}; it must be a table of lists", _EXAMPLE)
        return
    if not matrix:
        yield Finding((MATRIX,), "[matrix] is empty", f"{_EXAMPLE}, or take it out")
    extra = spec.get("extra")
    for axis, values in matrix.items():
        shown, here = printable(axis, 60), (MATRIX, axis)
        if axis in own:
            yield Finding(here, f"{shown} cannot vary", f"it belongs above: {axis} is sumesync's own")
        elif not _AXIS.fullmatch(axis):
            yield Finding(
                here, f"{shown} is no name for an axis", "letters, digits, _ and - are: texts name it as {axis}"
            )
        elif axis in fields and axis in spec:
            yield Finding(here, f"{shown} stands at the top and in [matrix]", "keep one of them")
        elif axis in fields and isinstance(extra, dict) and axis in extra:
            yield Finding(here, f"{shown} stands in [extra] and in [matrix]", "keep one of them")
        else:
            yield from _value_findings(here, values)


_EXAMPLE: Final = 'such as product = ["serum", "cream"]'


def _value_findings(here: Pointer, values: Any) -> Iterator[Finding]:
    name = f"matrix.{here[-1]}"
    if not isinstance(values, list):
        yield Finding(here, f"{name} is {type_name(values)}; it must be a list", _EXAMPLE)
        return
    if not values:
        yield Finding(here, f"{name} is empty", "list its values, or take it out")
    seen: dict[tuple[bool, Any], int] = {}
    for index, value in enumerate(values):
        at, shown = (*here, index), f"{name}[{index + 1}]"
        if not isinstance(value, str | bool | int | float):
            yield Finding(at, f"{shown} is {type_name(value)}", "values are texts, numbers, true or false")
        elif isinstance(value, float) and not math.isfinite(value):
            yield Finding(at, f"{shown} is {value}, which is not a JSON number")
        elif seen.setdefault((isinstance(value, bool), value), index) != index:
            first = seen[isinstance(value, bool), value] + 1
            yield Finding(at, f"{shown} is the same as {name}[{first}]", "keep one of them")
        elif not slug(value):
            yield Finding(at, f"{shown} has no letter or digit to name its file by", "values become names of files")


def _combinations(matrix: Mapping[str, list[Any]]) -> Iterator[Combination]:
    """Axes in the order of their names, so that their order in the spec means nothing."""
    axes = sorted(matrix)
    for picked in itertools.product(*(range(len(matrix[axis])) for axis in axes)):
        values = {axis: matrix[axis][index] for axis, index in zip(axes, picked, strict=True)}
        places: dict[str, Pointer] = {axis: (MATRIX, axis, index) for axis, index in zip(axes, picked, strict=True)}
        yield Combination("-".join(slug(value) for value in values.values()), values, places)


def _name_findings(combinations: Iterable[Combination]) -> Iterator[Finding]:
    seen: dict[str, Combination] = {}
    for one in combinations:
        first = seen.setdefault(paths.folded(one.name), one)
        if first is not one:
            axis = next(axis for axis in one.values if one.places[axis] != first.places[axis])
            what = f"two variants would have the name {one.name}"
            yield Finding(one.places[axis], what, "values differ in letters or digits that a file name keeps")
        elif fault := paths.name_fault(one.name):
            yield Finding((MATRIX,), f"the variant {one.name}: {fault}", "values become names of files")


def _text(value: Any) -> str:
    """``value`` in a text. A whole float is the integer that JSON sees."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
