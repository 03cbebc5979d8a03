"""TOML of strangers into plain values, within bounds. Pure."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any

import tomli

from sumesync.core.locate import Locator
from sumesync.errors import Problem
from sumesync.model import Pointer

# A spec is a prompt and some fields. The caps keep a hostile file from costing memory or stack.
MAX_BYTES = 256 << 10
MAX_DEPTH = 32


class TomlFault(Exception):
    """The text is not TOML that we read; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def decode(path: str, data: bytes, limit: int = MAX_BYTES) -> str:
    """UTF-8 text without a byte order mark, line ends as ``\\n``. Raises TomlFault."""
    if len(data) > limit:
        raise TomlFault(Problem(path, f"the file has more than {limit:,} bytes", "keep media and data out of it"))
    try:
        # Without a mark the same, and not by a codec that is written in Python.
        return data.decode("utf-8-sig" if data.startswith(BOM_UTF8) else "utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TomlFault(Problem(path, "the text is not UTF-8", "save it as UTF-8", line)) from None


def parse(path: str, text: str) -> dict[str, Any]:
    """The document. Raises TomlFault for what is not TOML 1.0 or nested beyond ``MAX_DEPTH``."""
    torn = "<<<<<<<" in text or ">>>>>>>" in text
    if torn and (marker := re.search(r"^(<{7}|>{7})( |$)", text, re.MULTILINE)):
        line = text.count("\n", 0, marker.start()) + 1
        raise TomlFault(Problem(path, "a merge conflict marker", "finish the merge in this file", line, 1))
    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        what = f"not valid TOML: {error.msg[:1].lower()}{error.msg[1:]}"
        raise TomlFault(Problem(path, what, _hint(text, error.lineno), error.lineno, error.colno)) from None
    except RecursionError:
        raise TomlFault(Problem(path, f"nested deeper than {MAX_DEPTH} levels")) from None
    except ValueError as error:  # a number with more digits than Python reads
        raise TomlFault(Problem(path, f"not valid TOML: {str(error)[:100]}")) from None
    if fault := _beyond(document):
        what, pointer = fault
        line, column = Locator(text).find(pointer) or (1, 1)
        raise TomlFault(Problem(path, what, "", line, column))
    return document


def _hint(text: str, line: int) -> str:
    """The commonest slip of people who write prose into TOML: a value without quotes."""
    lines = text.split("\n")
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    if re.search(r"[\u201c\u201d\u2018\u2019]", shown):
        return 'typographic quotes: use straight ones, "…"'
    if re.match(r"\s*[A-Za-z0-9_-]+\s*:\s*[\"'A-Za-z]", shown):
        return 'write = instead of a colon: prompt = "…"'
    if shown.count('"') % 2 and '"""' not in shown:
        return 'a quote is not closed; a text over several lines stands between """ and """'
    if re.match(r"\s*[A-Za-z0-9_-]+\s*=\s*[A-Za-z]", shown) and not re.search(r"=\s*(true|false|inf|nan)\b", shown):
        return 'put text in quotes: prompt = "…"'
    return ""


def _beyond(document: dict[str, Any]) -> tuple[str, Pointer] | None:
    """Which bound the document breaks and where, found without recursion. TOML's whole numbers have 64 bits; larger
    ones (in hexadecimal as large as the file) cost time wherever they are shown."""
    level: list[tuple[Pointer, Any]] = [((), document)]
    for _ in range(MAX_DEPTH):
        inner: list[tuple[Pointer, Any]] = []
        for pointer, item in level:
            for key, child in item.items() if isinstance(item, dict) else enumerate(item):
                if isinstance(child, dict | list):
                    inner.append(((*pointer, key), child))
                elif isinstance(child, int) and child.bit_length() > 64:
                    return "a whole number of more than 64 bits", (*pointer, key)
        if not inner:
            return None
        level = inner
    return f"nested deeper than {MAX_DEPTH} levels", level[0][0]
