"""Line and column of a key in TOML text, for error messages only. Pure; parses again, so call it only
when there is something to tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import tomli

from sumesync.model import Pointer

if TYPE_CHECKING:
    from tree_sitter import Node

Position = tuple[int, int]
_MOST = 20_000
"""Places that are remembered: beyond any file that a person wrote."""


class Locator:
    """Finds pointers such as ``("output", "dir")`` in one document. Lines and columns count from 1,
    columns in characters. What it does not know it answers with None, and never raises."""

    def __init__(self, text: str) -> None:
        self._lines = text.encode("utf-8", "replace").split(b"\n")
        try:
            self._found = dict(islice(self._walk(text), _MOST))
        except (ImportError, RecursionError, ValueError):
            self._found = {}

    def find(self, pointer: Pointer) -> Position | None:
        """Where ``pointer`` stands, or its nearest ancestor that is written down; None for the document."""
        while pointer:
            if pointer in self._found:
                return self._found[pointer]
            pointer = pointer[:-1]
        return None

    def first(self, names: Iterable[str]) -> Position | None:
        """Where the first of these fields of a request stands that is written down: itself, its file, or in [extra]."""
        ways = (way for name in names for way in ((name,), (f"{name}_file",), ("extra", name)))
        return next((self._found[way] for way in ways if way in self._found), None)

    def _walk(self, text: str) -> Iterator[tuple[Pointer, Position]]:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
        counts: dict[Pointer, int] = {}
        for node in tree.root_node.children:
            if node.type == "pair":
                yield from self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                yield from self._table(node, counts)

    def _table(self, node: Node, counts: dict[Pointer, int]) -> Iterator[tuple[Pointer, Position]]:
        names = [child for child in node.children if child.type in ("bare_key", "quoted_key", "dotted_key")]
        if not names:
            return
        head: Pointer = _keys(names[0])
        yield head, self._position(names[0])
        if node.type == "table_array_element":
            index = counts.get(head, -1) + 1
            counts[head] = index
            head = (*head, index)
            yield head, self._position(names[0])
        for child in node.children:
            if child.type == "pair":
                yield from self._pair(child, head)

    def _pair(self, node: Node, base: Pointer) -> Iterator[tuple[Pointer, Position]]:
        name = node.children[0]
        pointer = base + _keys(name)
        yield pointer, self._position(name)
        value = node.children[-1]
        if value.type == "inline_table":
            for child in value.children:
                if child.type == "pair":
                    yield from self._pair(child, pointer)
        elif value.type == "array":
            items = [child for child in value.children if child.is_named and child.type != "comment"]
            for index, item in enumerate(items):
                yield (*pointer, index), self._position(item)

    def _position(self, node: Node) -> Position:
        row, column = node.start_point
        before = self._lines[row][:column].decode("utf-8", "replace")
        return row + 1, len(before) + 1


def _keys(node: Node) -> tuple[str, ...]:
    if node.type == "dotted_key":
        return tuple(key for child in node.children if child.is_named for key in _keys(child))
    text = (node.text or b"").decode("utf-8", "replace")
    if node.type == "quoted_key":
        return tuple(tomli.loads(f"{text} = 0"))
    return (text,)
