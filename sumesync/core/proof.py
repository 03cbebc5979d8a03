"""Proofs that a value is right by a JSON Schema, without asking jsonschema. Pure.

Nearly every spec is right, and jsonschema takes longer to say so than all the rest of reading it takes. A proof is
made of the schema once and errs on one side only: what it lets pass, jsonschema lets pass. All else (a keyword that
is not here, a value of an uncommon type, anything wrong) it leaves to jsonschema, which also tells what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Proof: TypeAlias = Callable[[Any], bool]

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),  # 4.0 is one, too: jsonschema says so
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
_SAY_NOTHING: Final = frozenset({"title", "description", "default", "examples", "x-sume", "$defs", "$schema", "$id"})


def prove(schema: Any, whole: Mapping[str, Any]) -> Proof:
    """The proof of ``schema``, a part of ``whole``, where ``$ref`` looks."""
    if not isinstance(schema, dict):
        return _always if schema is True else _never
    checks = [_check(keyword, schema, whole) for keyword in schema if keyword not in _SAY_NOTHING]
    if len(checks) < 2:
        return checks[0] if checks else _always
    return lambda value: all([check(value) for check in checks])  # noqa: C419 - a generator takes twice as long


def _check(keyword: str, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Proof:
    said = schema[keyword]
    if keyword == "properties":
        return _properties({name: prove(part, whole) for name, part in said.items()})
    if keyword == "items":
        return _items(prove(said, whole))
    if keyword == "anyOf":
        proofs = [prove(part, whole) for part in said]
        return lambda value: any(proof(value) for proof in proofs)
    if keyword == "$ref":
        name = said.removeprefix("#/$defs/")
        return prove(whole["$defs"][name], whole) if name in whole.get("$defs", ()) else _never
    if keyword == "additionalProperties" and said is False and "patternProperties" not in schema:
        known = frozenset(schema.get("properties", ()))
        return lambda value: type(value) is dict and value.keys() <= known
    return _SIMPLE[keyword](said) if keyword in _SIMPLE else _never


def _always(_value: Any) -> bool:
    return True


def _never(_value: Any) -> bool:
    return False


def _properties(proofs: Mapping[str, Proof]) -> Proof:
    def proof(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name, item in value.items():  # noqa: SIM110 - a generator takes longer, and this is most of the work
            if name in proofs and not proofs[name](item):
                return False
        return True

    return proof


def _items(proof: Proof) -> Proof:
    return lambda value: type(value) is list and all(map(proof, value))


def _type(said: Any) -> Proof:
    named = [said] if isinstance(said, str) else said
    types = frozenset(found for name in named for found in _TYPES.get(name, ()))
    return lambda value: type(value) in types


def _enum(said: Any) -> Proof:
    words = frozenset(word for word in said if isinstance(word, str))
    return lambda value: type(value) is str and value in words


def _minimum(said: Any) -> Proof:
    return lambda value: type(value) in (int, float) and value >= said


def _maximum(said: Any) -> Proof:
    return lambda value: type(value) in (int, float) and value <= said


def _pattern(said: Any) -> Proof:
    search = re.compile(said).search
    return lambda value: type(value) is str and search(value) is not None


def _at_least(kind: type[str | list[Any]]) -> Callable[[Any], Proof]:
    return lambda said: lambda value: type(value) is kind and len(value) >= said


def _at_most(kind: type[str | list[Any]]) -> Callable[[Any], Proof]:
    return lambda said: lambda value: type(value) is kind and len(value) <= said


def _unique(value: Any) -> bool:
    """Of words: of numbers, tables and lists jsonschema knows which are the same."""
    return type(value) is list and all(type(item) is str for item in value) and len(set(value)) == len(value)


def _required(said: Any) -> Proof:
    names = frozenset(said)
    return lambda value: type(value) is dict and value.keys() >= names


_SIMPLE: Final[Mapping[str, Callable[[Any], Proof]]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda said: _enum([said]),
    "minimum": _minimum,
    "maximum": _maximum,
    "pattern": _pattern,
    "minLength": _at_least(str),
    "maxLength": _at_most(str),
    "minItems": _at_least(list),
    "maxItems": _at_most(list),
    "required": _required,
    "uniqueItems": lambda said: _unique if said is True else _never,
}
