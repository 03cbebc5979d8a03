"""Text from strangers made safe to show, and secrets taken out of it. Pure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, unquote

# Bidirectional controls reorder what a reader sees; zero-width and tag characters hide text.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Joiners that ordinary words and emoji need; harmless by themselves.
_ALLOWED = frozenset("\u200d\u200c")

# A backslash ends it unless it is one of JSON's own escapes: the text may be JSON, and must stay so.
_URL_QUERY = re.compile(
    r"""(\bhttps?:(?:/|\\/){2}[^\s"'<>?#\\]*(?:\\/[^\s"'<>?#\\]*)*)[?#](?:[^\s"'<>\\]|\\u[0-9a-f]{4}|\\/)*""",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(\bhttps?://)[^\s/@\"'<>]+@", re.IGNORECASE)
_KEY = re.compile(r"sume_(?:live|test|sandbox)_[A-Za-z0-9_\-]+")
_BEARER = re.compile(r"(bearer\s+)[A-Za-z0-9._~+/\-]+=*", re.IGNORECASE)


def printable(text: str, limit: int | None = None) -> str:
    """``text`` on one line with controls, bidi marks and lone surrogates escaped, at most ``limit`` characters."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char in _ALLOWED or unicodedata.category(char) not in _UNSAFE_CATEGORIES:
        return char
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    code = ord(char)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def without_queries(text: str) -> str:
    """``text`` with the query, fragment and user part of every URL in it taken off: they hold signatures."""
    return _USERINFO.sub(r"\1", _URL_QUERY.sub(r"\1", text))


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` as it may be shown or kept: no URL queries, no API key, none of ``secrets`` in any
    encoding that an error message is likely to quote (plain, percent-encoded)."""
    for secret in secrets:
        if len(secret) >= 6:  # shorter ones would blank ordinary words
            for form in {secret, quote(secret, safe=""), unquote(secret)}:
                text = text.replace(form, "[secret]")
    text = _KEY.sub("[key]", _BEARER.sub(r"\1[key]", text))
    return without_queries(text)


def suggest(word: str, known: Iterable[str]) -> str:
    """``did you mean …?`` for the closest of ``known``, "" when none is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else ""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def amount(value: float) -> str:
    """A number of credits without a needless ``.0``."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
