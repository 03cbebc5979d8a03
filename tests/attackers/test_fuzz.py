"""Texts of strangers by the thousand: mutations of valid ones, structures out of thin air, and every finding of the
coverage-guided fuzzer (``.ci/fuzz``), replayed. The targets and the one property are in tests/fuzz/targets.py."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import examples
from tests.fuzz.targets import CORPUS, TARGETS, Target

EACH = [pytest.param(target, id=name) for name, target in sorted(TARGETS.items())]
FOUND = sorted(path for path in CORPUS.rglob("*") if path.is_file())

# Pieces that parsers of TOML, JSON, paths, URLs and terminals trip over.
PIECES = [
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\x1b[2J", "\u202e".encode(), "\u2028".encode()),
    *(b"[", b"[[", b"{", b"}", b"]", b'"', b"'", b'"""', b"'''", b"\\", b"\\ud800", b"\\u0000", b"=", b".", b",", b"#"),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 400, b"0x" + b"f" * 40, b"1979-05-27T07:32:00Z"),
    *(b"../", b"/etc/passwd", b".git/", b"CON", b"https://u:p@h/x?sig=1", b"<<<<<<< a\n", b"=======\n", b">>>>>>> b\n"),
    *(b"[[entry]]\n", b"format_version = 1\n", b'"data":', b'"id":"../x"', b'"job":{', b"sume_live_x", b"_" * 300),
]


@st.composite
def mutants(draw: st.DrawFn, target: Target) -> bytes:
    """A valid text with some of it cut, doubled, replaced or overwritten."""
    text = draw(st.sampled_from(list(target.seeds()) or [b""]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 60)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6), st.just(text[start:end] * 2)))
        text = text[:start] + piece + text[end:]
    return text


WORDS = [
    *("id", "job", "jobs", "data", "error", "message", "url", "workspace", "credits", "step", "format_version"),
    *("entry", "key", "path", "variant", "job_ids", "fingerprint", "outputs", "options", "digest", "request"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("../x") | st.just("job_1"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(WORDS) | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("target", EACH)
@given(data=st.data())
@settings(max_examples=examples(60))
def test_mutations_of_valid_texts(target: Target, data: st.DataObject) -> None:
    target.try_out(data.draw(mutants(target)))


@pytest.mark.parametrize("target", EACH)
@given(data=st.data())
@settings(max_examples=examples(40))
def test_bytes_and_structures_out_of_thin_air(target: Target, data: st.DataObject) -> None:
    text = data.draw(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
    target.try_out(text)


@pytest.mark.parametrize("target", EACH)
def test_every_cut_of_a_valid_text(target: Target) -> None:
    for text in list(target.seeds())[:3]:
        for end in range(0, len(text), max(1, len(text) // 200)):
            target.try_out(text[:end])


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_stays_mended(path: Path) -> None:
    TARGETS[path.parent.name].try_out(path.read_bytes())


# What makes a careless parser quadratic, each repeated until the cap.
REPEATED = [
    *(
        b"a.",
        b"[a]\n",
        b"[[a]]\n",
        b"[",
        b"{",
        b'{"a":',
        b"a = 1\n",
        b'"',
        b'""',
        b"'",
        b"\\",
        b"#",
        b" ",
        b"\n",
        b"\r",
    ),
    *(b"http://", b"//", b"?a=", b"1,", b"{},", b'"a":1,', b"x = [", b"\xff", "\u202e".encode(), b"<<<<<<< \n"),
    *(b"bearer ", b"sume_live_", b"\\u00e9", b"[[entry]]\n", b"GMT "),
]
SLOWEST = 4.0
"""Seconds of processor time for one text at its cap, on a slow machine. Measured: all below 1.5."""


@pytest.mark.parametrize("target", EACH)
def test_no_text_at_its_cap_takes_long(target: Target) -> None:
    slow = []
    for piece in REPEATED:
        began = time.process_time()
        target.try_out((piece * (target.cap // len(piece) + 1))[: target.cap])
        took = time.process_time() - began
        if took > SLOWEST:
            slow.append((piece, took))
    assert not slow
