"""Strangers' text on a terminal, and secrets that must not get there."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.ids import for_name, is_job_id
from sumesync.core.request import body, digest, urls
from sumesync.core.text import (
    amount,
    count,
    forms_of,
    in_bytes,
    printable,
    short_urls,
    suggest,
    without_queries,
    without_secrets,
    without_signed_urls,
)
from sumesync.core.toml import MAX_BYTES
from tests.builders import examples

CANARY = "sume_live_canary-1234"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Straße ☕ 日本", "Straße ☕ 日本"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\ue000", "\\ue000"),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"), [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abcde…"), ("\n\n\n", 2, "\\n…")]
)
def test_long_text_is_cut(text: str, limit: int, shown: str) -> None:
    assert printable(text, limit) == shown


@given(st.text(max_size=30))
@settings(max_examples=examples(150))
def test_shown_text_stands_on_one_line_and_is_stable(text: str) -> None:
    found = printable(text)
    assert printable(found) == found
    assert len(found.splitlines()) <= 1
    found.encode()


QUERIES = [
    ("see https://a.example/x?sig=SECRET now", "see https://a.example/x now"),
    ("https://a.example/x#SECRET", "https://a.example/x"),
    ("HTTPS://A.example/x?SECRET", "HTTPS://A.example/x"),
    ('{"u":"https:\\/\\/a.example\\/x?sig=SECRET"}', '{"u":"https:\\/\\/a.example\\/x"}'),
    ("(https://u:SECRET@a.example/x)", "(https://a.example/x)"),
    ("http://a.example?SECRET,https://b.example?SECRET", "http://a.example"),
    ("<a href='https://a.example/?SECRET'>", "<a href='https://a.example/'>"),
    ("what? no#thing", "what? no#thing"),
]


@pytest.mark.parametrize(("text", "shown"), QUERIES)
def test_urls_lose_what_signs_them(text: str, shown: str) -> None:
    assert without_queries(text) == shown
    assert "SECRET" not in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        f"key {CANARY}.",
        f"Authorization: Bearer {CANARY}",
        "authorization: bearer abc.DEF-123_~+/==",
        f"https://a.example/{CANARY}/x?y={CANARY}",
        f'"{CANARY}"',
        f"x{CANARY}",
        "sume_test_abc sume_sandbox_def",
    ],
)
def test_keys_are_taken_out(text: str) -> None:
    found = without_secrets(text)
    for secret in (CANARY, "abc", "def", "DEF"):
        assert secret not in found


@pytest.mark.parametrize("secret", ["workspace/42 ü?", "a%2Fb-secret", "plain-secret", "ws_1234567"])
def test_named_secrets_are_taken_out_however_they_are_quoted(secret: str) -> None:
    for form in (secret, quote(secret, safe=""), f"x{secret}x"):
        assert form.strip("x") not in without_secrets(f"before {form} after", [secret])


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("a secret-1 b secret-1", ["secret-1"], "a [secret] b [secret]"),
        ("a%20b%2Fcd a b/cd", ["a b/cd"], "[secret] [secret]"),
        ("a b/cd", ["a%20b%2Fcd"], "[secret]"),
        ("secret here", ["secret"], "[secret] here"),
        ("words here", ["words"], "words here"),
        ("one-secret two-secret", ["one-secret", "two-secret"], "[secret] [secret]"),
        ("key sume_live_abc.", [], "key [key]."),
        ("Bearer  abc=", [], "Bearer  [key]"),
        ("Bearer sume_test_abc", [], "Bearer [key]"),
        ("https://a/x?sume_live_abc", [], "https://a/x"),
        ("no secret at all", [], "no secret at all"),
    ],
)
def test_what_stands_where_a_secret_stood(text: str, secrets: list[str], shown: str) -> None:
    assert without_secrets(text, secrets) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x7f", "\\x7f"), ("\x80", "\\x80"), ("\xad", "\\xad"), ("\u0600", "\\u0600"), ("\uffff", "\uffff")],
)
def test_escapes_are_as_short_as_their_number(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_secret_too_short_to_tell_from_a_word_blanks_nothing() -> None:
    assert without_secrets("the cup", ["cup"]) == "the cup"


@given(st.text(max_size=40))
@settings(max_examples=examples(100))
def test_taking_out_is_done_at_once(text: str) -> None:
    once = without_secrets(text + CANARY)
    assert CANARY not in once
    assert without_secrets(once) == once


def test_suggestions_counts_and_amounts() -> None:
    assert suggest("prmopt", ["prompt", "kind"]) == "did you mean prompt?"
    assert suggest("zzz", ["prompt", "kind"]) == ""
    assert suggest("promt", ["prompts", "prompt", "promp"]) == "did you mean prompt?"
    assert suggest("abcde", ["abcxx"]) == "did you mean abcxx?"
    assert suggest("abcde", ["abxxx"]) == ""
    assert suggest("promt", iter(["prompt"])) == "did you mean prompt?"
    assert [count(0, "job"), count(1, "job"), count(2000, "entry", "entries")] == ["0 jobs", "1 job", "2,000 entries"]
    assert [amount(12.0), amount(1234.5), amount(0)] == ["12", "1,234.50", "0"]


@pytest.mark.parametrize("text", ["job_1", "J", "a.b:c-d_e", "0" * 128])
def test_job_ids_that_can_stand_in_a_url_and_a_name(text: str) -> None:
    assert is_job_id(text)
    assert ":" not in for_name(text)


@pytest.mark.parametrize(
    "text", ["", "../x", "a/b", "a..b", ".a", "a b", "a\n", "a?b", "a%2e", "é", "0" * 129, "a\x00"]
)
def test_job_ids_that_would_lead_elsewhere(text: str) -> None:
    assert not is_job_id(text)


def test_the_bytes_of_a_request_are_the_same_in_any_order() -> None:
    assert body({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert body({"a": "é", "b": 1}) == body({"b": 1, "a": "é"})
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_urls_of_a_request_are_found_wherever_they_stand() -> None:
    found = urls({"a": "https://x/1", "b": ["http://x/2", {"c": "https://x/3"}], "d": "see https://x/4", "e": 5})
    assert found == {"https://x/1", "http://x/2", "https://x/3"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/x?token=SECRET", "s3://bucket/x"),
        ("//host/p?SECRET", "//host/p"),
        ("www.x.test/?t=SECRET&u=SECRET now", "www.x.test/ now"),
        ("x.png?token=SECRET", "x.png"),
        ("redis://u:SECRET@host/0", "redis://host/0"),
        ("FTP://host/x#SECRET", "FTP://host/x"),
    ],
)
def test_a_query_is_taken_off_whatever_the_scheme(text: str, shown: str) -> None:
    assert without_queries(text) == shown


@settings(max_examples=examples(300))
@given(
    st.lists(st.sampled_from(["https:", "//", "/", "\\/", "?", "#", "@", "a", "=", ".", " ", '"']), max_size=12).map(
        "".join
    )
)
def test_what_is_not_even_looked_through_has_nothing_to_take_off(text: str) -> None:
    """A mark that every query, fragment and user part needs is put at the end, by itself: then all of it is looked
    through."""
    assert without_queries(f"{text} /#@?") == f"{without_queries(text)} /#@?"


@pytest.mark.parametrize("text", ["what? no#thing", "is it//really? yes", "why? a=b", "a ?b=c", "C# or F#?", "// so?"])
def test_prose_is_left_as_it_is(text: str) -> None:
    assert without_queries(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://m.test/private/x.png?sig=S, retry", "at https://m.test/… retry"),
        ("at https://m.test//private//x.png?sig=S, retry", "at https://m.test/… retry"),
        (r"at https:\/\/m.test\/private\/x.png?sig=S, retry", r"at https:\/\/m.test/… retry"),
        ("see https://www.sume.so/pricing.", "see https://www.sume.so/pricing."),
        ("see https://www.sume.so//pricing.", "see https://www.sume.so//pricing."),
    ],
)
def test_of_a_signed_url_only_the_host_is_left(text: str, shown: str) -> None:
    assert without_signed_urls(text) == shown


@pytest.mark.parametrize("secret", ["ws_canary_0a1b2c", "object/key+with spaces", "päth-42/x"])
@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_named_secrets_are_taken_out_however_they_are_encoded(secret: str, before: str) -> None:
    data = f"{before}{secret}".encode()
    told = [
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data + b"after").decode(),
        data.hex(),
        data.hex().upper(),
        "".join(f"%{byte:02X}" for byte in data),
        json.dumps(secret),
    ]
    for text in told:
        assert "[secret]" in without_secrets(f"it is {text}.", [secret])


@pytest.mark.parametrize(("before", "left"), [("", ("", "")), ("x", ("eH", "g=")), ("xy", ("eHl", "I"))])
def test_of_a_secret_in_base64_only_what_a_neighbour_decides_is_left(before: str, left: tuple[str, str]) -> None:
    text = base64.b64encode(f"{before}ws_key_42".encode()).decode().removesuffix("=")
    start, end = left
    assert text[len(start) : len(text) - len(end)] in forms_of("ws_key_42")
    assert without_secrets(text, ["ws_key_42"]) == f"{start}[secret]{end}"


@pytest.mark.parametrize("text", ["http://", "a://", "//", "?a=", "http://a ", "bearer ", "a.b/,", "\\/\\/", "a-"])
def test_long_text_is_read_in_one_go(text: str) -> None:
    """A quarter of a megabyte; once it took two minutes."""
    began = time.process_time()
    without_secrets(text * (MAX_BYTES // len(text)), ["ws_canary_0a1b2c"])
    assert time.process_time() - began < 2


FORMS = {
    "plain": "ws_9?kéy/+~",
    "percent-encoded": "ws_9%3Fk%C3%A9y%2F%2B~",
    "hexadecimal": "77735f393f6bc3a9792f2b7e",
    "every byte percent-encoded": "%77%73%5f%39%3f%6b%c3%a9%79%2f%2b%7e",
    "JSON-escaped": r"ws_9?k\u00e9y/+~",
    "every character JSON-escaped": r"\u0077\u0073\u005f\u0039\u003f\u006b\u00e9\u0079\u002f\u002b\u007e",
}


def test_the_forms_of_a_secret() -> None:
    """Each is what other tools make of it; what depends on a neighbour's bytes is left out."""
    found = forms_of("ws_9?kéy/+~")
    data = "ws_9?kéy/+~".encode()
    assert set(FORMS.values()) <= found
    for before in (b"", b"x", b"xy", b"xyz"):
        for after in (b"", b"q", b"qr"):
            for text in (base64.b64encode(before + data + after), base64.urlsafe_b64encode(before + data + after)):
                assert any(form in text.decode() for form in found), (before, after)
    # Base64 begins at one of three places, in one of two alphabets, and only where those differ it has two forms.
    rest = sorted(map(len, found - set(FORMS.values())))
    assert rest[0] >= 13, "a form that is too short finds what is no secret"
    assert len(rest) <= 6


def test_a_secret_that_came_percent_encoded_is_known_plain() -> None:
    assert "ws key 9" in forms_of("ws%20key%209")


def test_forms_too_short_to_tell_from_words_are_left_out() -> None:
    assert forms_of("abc") == {"616263", "%61%62%63", r"\u0061\u0062\u0063"}
    assert "abcdef" in forms_of("abcdef")
    assert "key\udce9key" in forms_of("key\udce9key")  # an environment variable with a byte that is no UTF-8


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://media.sume.so/ws_1/a/take.mp4?X-Sig=1#f", "media.sume.so/…/take.mp4"),
        ("see https://m.example/a.png and //m.example/x/b.png", "see m.example/…/a.png and m.example/…/b.png"),
        ("https://user:pw@m.example/x/objects", "m.example/…"),
        ("https://m.example", "m.example"),
        ("https://m.example/", "m.example"),
        (r"https:\/\/m.example\/x\/b.png?sig=1", r"m.example/…/b.png"),
        ("https://m.example/" + "a" * 200 + ".png", "m.example/…"),
        ("no URL, 3/4 of it", "no URL, 3/4 of it"),
    ],
)
def test_urls_are_shown_short(text: str, shown: str) -> None:
    assert short_urls(text) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (98_765, "99 kB"),
        (1_250_000, "1.2 MB"),
        (300_000_000, "300 MB"),
        (2 << 30, "2.1 GB"),
    ],
)
def test_sizes_of_files(size: int, shown: str) -> None:
    assert in_bytes(size) == shown
