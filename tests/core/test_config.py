"""The project's settings: small, without an origin, without a key, and told where they are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.config import DEFAULT_MAX_JOBS, Config, read_config
from sumesync.model import SANDBOX, SUME
from tests.builders import SCHEMAS, examples

PATH = "sumesync.toml"


def read(text: str | bytes) -> tuple[Config, list[tuple[str, str, str]]]:
    config, problems = read_config(PATH, text.encode() if isinstance(text, str) else text, SCHEMAS)
    return config, [(problem.where, problem.what, problem.hint) for problem in problems]


def test_an_empty_file_is_a_project() -> None:
    config, problems = read("")
    assert problems == []
    assert (config.endpoint, config.store, config.max_jobs, config.defaults) == (SUME, "git", DEFAULT_MAX_JOBS, {})


def test_all_settings() -> None:
    config, problems = read(
        'endpoint = "sandbox"\n'
        '[defaults.image]\naspect_ratio = "4:5"\nextra = { n = 2.0 }\n[defaults.video]\nduration = 6\n'
        '[apply]\nmax_jobs = 7\n[media]\nstore = "none"\n'
        "[sandbox]\ncredits = 5\ncapacity = 2\nseconds = { image = 0.5 }\n"
    )
    assert problems == []
    assert config.endpoint == SANDBOX
    assert config.defaults == {"image": {"aspect_ratio": "4:5", "n": 2}, "video": {"duration": 6}}
    assert (config.max_jobs, config.store) == (7, "none")
    assert config.sandbox == {"credits": 5, "capacity": 2, "seconds": {"image": 0.5}}


BAD = [
    (
        "an origin",
        'endpoint = "https://evil.example"\n',
        ":1:1",
        'endpoint is "https://evil.example"',
        'only "sandbox" may stand here; the origin comes from SUME_API_BASE_URL',
    ),
    ("an origin that is no text", "endpoint = 3\n", ":1:1", "endpoint is 3", 'only "sandbox" may stand here'),
    ("a base_url", 'base_url = "https://evil.example"\n', ":1:1", "base_url is not a field of sumesync.toml", ""),
    ("a typo", "[appply]\nmax_jobs = 1\n", ":1:2", "appply is not a field of sumesync.toml", "did you mean apply?"),
    (
        "a typo in a table",
        "[apply]\nmax_job = 1\n",
        ":2:1",
        "max_job is not a field of [apply]",
        "did you mean max_jobs?",
    ),
    ("a key", '[sandbox]\napi_key = "x"\n', ":2:1", "sandbox.api_key has no place in a project", "SUME_API_KEY"),
    (
        "a key as a value",
        '[defaults.image]\nquality = "sume_live_abcd1234"\n',
        ":2:1",
        "defaults.image.quality holds an API key",
        "revoke that key",
    ),
    (
        "a workspace",
        '[defaults.image.extra]\nworkspace_id = "x"\n',
        ":2:1",
        "defaults.image.extra.workspace_id has no place in a project",
        "the API key alone",
    ),
    ("an unknown kind", "[defaults.vidoe]\nduration = 5\n", ":1:2", "vidoe is not a kind", "did you mean video?"),
    (
        "an unknown default",
        "[defaults.image]\nduration = 5\n",
        ":2:1",
        "duration is not a field of [defaults.image]",
        "",
    ),
    (
        "a prompt as a default",
        '[defaults.image]\nprompt = "A"\n',
        ":2:1",
        "prompt is not a field of [defaults.image]",
        "",
    ),
    ("a take as a default", "[defaults.image]\ntake = 2\n", ":2:1", "take is not a field of [defaults.image]", ""),
    (
        "a default out of range",
        "[defaults.video]\nduration = 99\n",
        ":2:1",
        "defaults.video.duration is 99",
        "allowed: 4 to 15",
    ),
    (
        "a default that is no JSON",
        "[defaults.image.extra]\nx = inf\n",
        ":2:1",
        "defaults.image.extra.x is inf, which is not a JSON number",
        "",
    ),
    (
        "a default twice",
        '[defaults.image]\nquality = "a"\nextra.quality = "b"\n',
        ":3:1",
        "quality stands at the top and in [extra]",
        "keep one of them",
    ),
    ("defaults that are no table", "defaults = 3\n", ":1:1", "defaults is a whole number; it must be a table", ""),
    (
        "a kind's defaults that are no table",
        "[defaults]\nimage = 3\n",
        ":2:1",
        "defaults.image is a whole number; it must be a table",
        "",
    ),
    ("a negative guard", "[apply]\nmax_jobs = -1\n", ":2:1", "apply.max_jobs is -1", "allowed: at least 0"),
    (
        "a guard that is no number",
        "[apply]\nmax_jobs = true\n",
        ":2:1",
        "apply.max_jobs is true or false; it must be a whole number",
        "",
    ),
    ("an unknown store", '[media]\nstore = "s3"\n', ":2:1", 'media.store is "s3"', 'allowed: "git", "lfs", "none"'),
    ("a sandbox without room", "[sandbox]\ncapacity = 0\n", ":2:1", "sandbox.capacity is 0", "allowed: 1 to 1000"),
    (
        "a balance without end",
        "[sandbox]\ncredits = inf\n",
        ":2:1",
        "sandbox.credits is inf, which is not a JSON number",
        "",
    ),
    (
        "a balance that is no number",
        "[sandbox]\ncredits = nan\n",
        ":2:1",
        "sandbox.credits is nan, which is not a JSON number",
        "",
    ),
    (
        "the seconds of a kind that there is not",
        "[sandbox]\nseconds = { imaeg = 1 }\n",
        ":2:13",
        "imaeg is not a kind",
        "did you mean image?",
    ),
    (
        "the seconds of a kind that is like no other",
        "[sandbox.seconds]\nbogus = 1\n",
        ":2:1",
        "bogus is not a kind",
        "kinds: ",
    ),
    ("not TOML", "endpoint = sandbox\n", ":1:12", "not valid TOML: invalid value", "put text in quotes"),
    ("merge markers", "a = 1\n>>>>>>> main\n", ":2:1", "a merge conflict marker", "finish the merge"),
]


@pytest.mark.parametrize(("text", "where", "what", "hint"), [pytest.param(*bad[1:], id=bad[0]) for bad in BAD])
def test_bad_settings_are_told_and_change_nothing(text: str, where: str, what: str, hint: str) -> None:
    config, problems = read(text)
    assert config == Config()
    assert [problem[:2] for problem in problems] == [(PATH + where, what)]
    assert hint in problems[0][2]


def test_everything_wrong_is_told_at_once() -> None:
    _, problems = read('endpoint = "x"\n[apply]\nmax_jobs = "9"\n[media]\nstor = "git"\n')
    assert [problem[0] for problem in problems] == [f"{PATH}:1:1", f"{PATH}:3:1", f"{PATH}:5:1"]


PARTS = [
    *(
        'endpoint = "sandbox"',
        "endpoint = []",
        "[defaults]",
        "[defaults.image]",
        "[apply]",
        "[media]",
        "[sandbox]",
        "[[sandbox]]",
    ),
    *(
        "image = 1",
        'quality = "x"',
        "max_jobs = 1",
        'store = "git"',
        "seconds = { image = nan }",
        "extra = 1",
        "extra = { x = inf }",
    ),
    *("defaults = []", "sandbox = 1", "media = []", "apply = {}", '"\\u0000" = 1', "a = [", "credits = 1e999"),
]


@given(st.lists(st.sampled_from(PARTS), max_size=7), st.binary(max_size=4))
@settings(max_examples=examples(150))
def test_no_text_makes_it_raise(lines: list[str], junk: bytes) -> None:
    config, problems = read_config(PATH, "\n".join(lines).encode() + junk, SCHEMAS)
    assert not problems or config == Config()
    assert all(problem.what.isprintable() for problem in problems)
