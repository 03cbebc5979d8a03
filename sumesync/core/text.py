"""Text from strangers made safe to show, and secrets taken out of it. Pure."""

from __future__ import annotations

import base64
import difflib
import functools
import json
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote, unquote

# Bidirectional controls reorder what a reader sees; zero-width and tag characters hide text.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Joiners that ordinary words and emoji need; harmless by themselves.
_ALLOWED = frozenset("\u200d\u200c")

# What may follow in a query. A backslash ends it unless it is one of JSON's own escapes: the text may be JSON, and
# must stay so.
_TAIL = r"""(?:[^\s"'<>\\]|\\u[0-9a-f]{4}|\\/)*+"""
# Of any scheme, or of none ("//host/path"). All of a URL is consumed, with or without a query, and nothing is ever
# taken back: a megabyte of "http://" is read in one go.
_URL = re.compile(
    r"""((?:\b[a-z][a-z0-9+.\-]{0,19}:|(?<![\w:/\\]))(?:/|\\/){2}(?:[^\s"'<>?#\\]|\\/)*+)"""
    rf"([?#]{_TAIL})?+",
    re.IGNORECASE,
)
# Without "//" before it: www.example.com/x?sig=…, x.png?token=….
_BARE_QUERY = re.compile(r"""(?<=[^\s"'<>\\])\?[\w.%~\[\]\-]{1,100}=""" + _TAIL, re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.\-]{0,19}://)[^\s/@\"'<>]+@", re.IGNORECASE)
_FILE_NAME = re.compile(r"[\w.%~()+,=@ -]{1,80}\.[A-Za-z0-9]{1,8}")
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
    if "?" not in text and ("/" not in text or ("#" not in text and "@" not in text)):
        return text  # each of the three needs one of these, and to look for them is a hundred times as fast
    return _USERINFO.sub(r"\1", _BARE_QUERY.sub("", _URL.sub(r"\1", text)))


def without_signed_urls(text: str) -> str:
    """``text`` of a server's: of a URL with a query only the host is left. What is signed is private, path and all."""

    def host(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        scheme, slashes, rest = re.split(r"((?:/|\\/){2})", match[1], maxsplit=1)
        name = re.split(r"[/\\]", rest, maxsplit=1)[0]
        return f"{scheme}{slashes}{name}/…"

    return without_queries(_URL.sub(host, text))


def short_urls(text: str) -> str:
    """``text`` with every URL in it as its host and file name: ``media.sume.so/…/take.mp4``."""

    def short(match: re.Match[str]) -> str:
        plain = match[1].replace("\\/", "/")
        host, _, path = plain.partition("//")[2].rpartition("@")[2].partition("/")
        name = path.rpartition("/")[2]
        return "/".join(filter(None, (host, "…" if path else "", name if _FILE_NAME.fullmatch(name) else "")))

    return _URL.sub(short, text)


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` as it may be shown or kept: no URL queries, no API key, none of ``secrets`` in any
    encoding that an error message is likely to quote (see ``forms_of``)."""
    return without_queries(without_keys(text, secrets))


def without_keys(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without API keys and ``secrets``; of its URLs the queries stay, where a person asked to see them."""
    low = text.lower()  # to look for a word is a hundred times faster than an expression
    for secret in secrets:
        if len(secret) >= 6:  # shorter ones would blank ordinary words
            forms, found = _forms(secret)
            if any(form in low for form in forms):
                text = found.sub("[secret]", text)
                low = text.lower()
    if "bearer" in low:
        text = _BEARER.sub(r"\1[key]", text)
    return _KEY.sub("[key]", text) if "sume_" in text else text


@functools.lru_cache(maxsize=64)
def _forms(secret: str) -> tuple[tuple[str, ...], re.Pattern[str]]:
    longest_first = sorted(forms_of(secret), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
    return tuple(form.lower() for form in longest_first), pattern


def forms_of(secret: str) -> frozenset[str]:
    """How ``secret`` looks in other people's text: plain, percent-encoded, JSON-escaped, in hexadecimal, and in
    base64 wherever in the encoded text it begins."""
    data = secret.encode("utf-8", "replace")
    forms = {secret, quote(data, safe=""), unquote(secret), data.hex(), "".join(f"%{byte:02x}" for byte in data)}
    forms |= {json.dumps(secret)[1:-1], "".join(f"\\u{ord(char):04x}" for char in secret)}
    for before in range(3):
        # The letters that also depend on a neighbour are left out.
        inner = base64.b64encode(bytes(before) + data)[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
        forms |= {inner.decode(), inner.decode().replace("+", "-").replace("/", "_")}
    return frozenset(form for form in forms if len(form) >= 6)


def suggest(word: str, known: Iterable[str]) -> str:
    """``did you mean …?`` for the closest of ``known``, "" when none is close."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]}?" if close else ""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def amount(value: float) -> str:
    """A number of credits without a needless ``.0``."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def in_credits(value: float) -> str:
    """``1 credit``, ``2.50 credits``."""
    return f"{amount(value)} {'credit' if value == 1 else 'credits'}"


def in_bytes(size: int) -> str:
    """``320 MB``, ``12 kB``: powers of 1,000."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.{0 if size >= 10 * factor else 1}f} {unit}"
    return count(size, "byte")
