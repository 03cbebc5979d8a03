"""What is wrong with a spec is told at its place, all of it at once, with what to do. And nothing ever raises."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core import paths, toml
from sumesync.core.config import Config
from sumesync.core.document import Document, PromptFile, open_spec
from sumesync.errors import Problem
from sumesync.model import Wanted
from tests.builders import SCHEMAS, examples, read

PATH = "launch/hero.sume.toml"
NO_PROMPT = PromptFile(b"A cup")


def look(data: bytes | str, prompt: PromptFile | None = None, path: str = PATH) -> Wanted | tuple[Problem, ...]:
    found = read({path: data}, prompt)
    return found.problems or found.wanted[0]


def good(data: bytes | str, prompt: PromptFile | None = None, path: str = PATH) -> Wanted:
    found = look(data, prompt, path)
    assert isinstance(found, Wanted), found
    return found


@dataclass(frozen=True)
class Bad:
    """A text, and its one problem: ``where`` without the path, ``what`` whole, ``hint`` in part."""

    name: str
    text: str | bytes
    where: str
    what: str
    hint: str = ""
    prompt: PromptFile | None = None


BAD = [
    # not TOML
    Bad("no quotes", "prompt = A cup\n", ":1:10", "not valid TOML: invalid value", 'put text in quotes: prompt = "…"'),
    Bad("an open string", 'prompt = "A\n', ":1:12", "not valid TOML: illegal character '\\n'"),
    Bad("two keys of one name", 'prompt = "A"\nprompt = "B"\n', ":2:13", "not valid TOML: cannot overwrite a value"),
    Bad(
        "two values on a line",
        'prompt = "A" take = 2\n',
        ":1:14",
        "not valid TOML: expected newline or end of document after a statement",
    ),
    Bad(
        "a lone carriage return",
        'prompt = "A"\rtake = 2\n',
        ":1:13",
        "not valid TOML: expected newline or end of document after a statement",
    ),
    Bad("a NUL", 'prompt = "\0"\n', ":1:11", "not valid TOML: illegal character '\\x00'"),
    Bad(
        "half a surrogate pair",
        'prompt = "\\ud800"\n',
        ":1:17",
        "not valid TOML: escaped character is not a Unicode scalar value",
    ),
    Bad(
        "merge markers",
        '<<<<<<< HEAD\nprompt = "A"\n=======\nprompt = "B"\n>>>>>>> x\n',
        ":1:1",
        "a merge conflict marker",
        "finish the merge in this file",
    ),
    Bad(
        "merge markers further down",
        'prompt = "A"\n<<<<<<< HEAD\n',
        ":2:1",
        "a merge conflict marker",
        "finish the merge",
    ),
    Bad("not UTF-8", b'prompt = "A"\nquality = "\xff"\n', ":2", "the text is not UTF-8", "save it as UTF-8"),
    Bad("UTF-16", 'prompt = "A"'.encode("utf-16"), ":1", "the text is not UTF-8", "save it as UTF-8"),
    Bad(
        "a huge file",
        b"#" * (toml.MAX_BYTES + 1),
        "",
        "the file has more than 262,144 bytes",
        "keep media and data out of it",
    ),
    Bad("deep arrays", 'prompt = "A"\n[extra]\na = ' + "[" * 40 + "]" * 40, ":3:6", "nested deeper than 32 levels"),
    Bad(
        "very deep arrays",
        'prompt = "A"\n[extra]\na = ' + "[" * 90_000 + "]" * 90_000,
        "",
        "nested deeper than 32 levels",
    ),
    Bad(
        "very deep tables",
        'prompt = "A"\n[extra]\na = ' + "{b=" * 5_000 + "1" + "}" * 5_000,
        "",
        "nested deeper than 32 levels",
    ),
    Bad(
        "a key of 20,000 parts",
        'prompt = "A"\n' + ".".join(["a"] * 20_000) + " = 1\n",
        "",
        "nested deeper than 32 levels",
    ),
    Bad(
        "a table of 20,000 parts",
        'prompt = "A"\n[' + ".".join(["a"] * 20_000) + "]\n",
        "",
        "nested deeper than 32 levels",
    ),
    # fields
    Bad(
        "a typo",
        'prompt = "A"\naspect_ration = "1:1"\n',
        ":2:1",
        "aspect_ration is not a field of image",
        "did you mean aspect_ratio?",
    ),
    Bad("an unknown field", 'prompt = "A"\nzzz = 1\n', ":2:1", "zzz is not a field of image", "goes under [extra]"),
    Bad("another kind's field", 'prompt = "A"\nduration = 5\n', ":2:1", "duration is not a field of image"),
    Bad(
        "an unknown table",
        'prompt = "A"\n[outptu]\nname = "x"\n',
        ":2:2",
        "outptu is not a field of image",
        "did you mean output?",
    ),
    Bad("a name with an escape", 'prompt = "A"\n"\\u001b[31m" = 1\n', ":2:1", "\\x1b[31m is not a field of image"),
    Bad(
        "an unknown field of [output]",
        'prompt = "A"\n[output]\nfolder = "x"\n',
        ":3:1",
        "folder is not a field of [output]",
    ),
    Bad(
        "an unknown kind",
        'kind = "vidoe"\nprompt = "A"\n',
        ":1:1",
        'kind is "vidoe"',
        'did you mean video? Allowed: "image", "video"',
    ),
    Bad("a kind that is a number", 'kind = 3\nprompt = "A"\n', ":1:1", "kind is 3", 'allowed: "image", "video"'),
    # identity and keys
    Bad(
        "workspace_id",
        'prompt = "A"\nworkspace_id = "w"\n',
        ":2:1",
        "workspace_id has no place in a project",
        "the API key alone decides the workspace",
    ),
    Bad(
        "user_id deep in [extra]",
        'prompt = "A"\n[extra]\na = [{ user_id = 1 }]\n',
        ":3:6",
        "extra.a[1].user_id has no place in a project",
        "the API key alone",
    ),
    Bad(
        "email in a table of an array",
        'prompt = "A"\n[[extra.l]]\nemail = "x"\n',
        ":3:1",
        "extra.l[1].email has no place in a project",
    ),
    Bad("email in [meta]", 'prompt = "A"\n[meta]\nemail = "x"\n', ":3:1", "meta.email has no place in a project"),
    Bad("an owner", 'prompt = "A"\n[extra]\nowner_id = 1\n', ":3:1", "extra.owner_id has no place in a project"),
    Bad(
        "api_key",
        'prompt = "A"\n[extra]\napi_key = "x"\n',
        ":3:1",
        "extra.api_key has no place in a project",
        "SUME_API_KEY",
    ),
    Bad(
        "a key in a value", 'prompt = "A, sume_live_abcd1234 B"\n', ":1:1", "prompt holds an API key", "revoke that key"
    ),
    Bad(
        "a key in [meta]",
        'prompt = "A"\n[meta]\nnote = ["x", "sume_test_abcd1234"]\n',
        ":3:14",
        "meta.note[2] holds an API key",
        "revoke that key",
    ),
    Bad(
        "a key as a name",
        'prompt = "A"\n[extra]\nsume_live_abcd1234 = 1\n',
        ":2:2",
        "an API key as a name",
        "revoke that key",
    ),
    Bad(
        "a key in the prompt file",
        'prompt_file = "p.md"\n',
        ":1:1",
        "the prompt file holds an API key",
        "revoke that key",
        PromptFile(b"x sume_live_abcd1234"),
    ),
    # prompts
    Bad("no prompt", 'aspect_ratio = "1:1"\n', ":1:1", "the image has no prompt", 'prompt_file = "…"'),
    Bad("an empty file", "", ":1:1", "the image has no prompt"),
    Bad("an empty prompt", 'prompt = ""\n', ":1:1", "prompt is empty", "say what to make"),
    Bad("a blank prompt", 'take = 1\nprompt = " \\n\\t"\n', ":2:1", "prompt is empty", "say what to make"),
    Bad("a prompt that is a number", "prompt = 3\n", ":1:1", "prompt is a whole number; it must be a string"),
    Bad(
        "prompt and prompt_file",
        'prompt = "A"\nprompt_file = "p.md"\n',
        ":2:1",
        "both prompt and prompt_file",
        "keep one of them",
        NO_PROMPT,
    ),
    Bad(
        "a missing prompt file",
        'prompt_file = "p.md"\n',
        ":1:1",
        "prompt_file: there is no file launch/p.md",
        "the path is relative to the spec",
        PromptFile(fault="there is no file launch/p.md"),
    ),
    Bad(
        "an empty prompt file",
        'prompt_file = "p.md"\n',
        ":1:1",
        "the prompt file is empty",
        "say what to make",
        PromptFile(b"\n \r\n"),
    ),
    Bad(
        "a prompt file that is not text",
        'prompt_file = "p.md"\n',
        ":1:1",
        "the prompt file is not UTF-8 text",
        "save it as UTF-8",
        PromptFile(b"\xff"),
    ),
    Bad("a prompt file without a name", 'prompt_file = ""\n', ":1:1", "prompt_file is empty"),
    Bad(
        "a prompt file outside",
        'prompt_file = "../../p.md"\n',
        ":1:1",
        "prompt_file is ../../p.md: the path leads outside the project",
        "stay inside the project",
    ),
    Bad(
        "a prompt file outside, by a detour",
        'prompt_file = "a/../../../p.md"\n',
        ":1:1",
        "prompt_file is a/../../../p.md: the path leads outside the project",
    ),
    Bad(
        "an absolute prompt file",
        'prompt_file = "/etc/passwd"\n',
        ":1:1",
        "prompt_file is /etc/passwd: the path must be relative to the spec",
    ),
    Bad(
        "a prompt file on a drive",
        'prompt_file = "C:/p.md"\n',
        ":1:1",
        "prompt_file is C:/p.md: the path must be relative to the spec",
    ),
    Bad(
        "a prompt file at home",
        'prompt_file = "~/p.md"\n',
        ":1:1",
        "prompt_file is ~/p.md: the path must be relative to the spec",
    ),
    Bad(
        "a prompt file with backslashes",
        'prompt_file = "a\\\\p.md"\n',
        ":1:1",
        "prompt_file is a\\p.md: paths are written with /, also on Windows",
    ),
    Bad("the project as a prompt file", 'prompt_file = ".."\n', ":1:1", "prompt_file is ..: it is a folder"),
    Bad(
        "a prompt file in .git",
        'prompt_file = "../.git/config"\n',
        ":1:1",
        "prompt_file is ../.git/config: .git is a folder of git, GitHub or sumesync itself",
    ),
    # [output]
    Bad(
        "a name with a slash",
        'prompt = "A"\n[output]\nname = "a/b"\n',
        ":3:1",
        "output.name: the name holds a /",
        "folders go in output.dir",
    ),
    Bad("an empty name", 'prompt = "A"\n[output]\nname = ""\n', ":3:1", "output.name is empty"),
    Bad(
        "a name that is a number",
        'prompt = "A"\n[output]\nname = 3\n',
        ":3:1",
        "output.name is a whole number; it must be a string",
    ),
    Bad(
        "a name of Windows",
        'prompt = "A"\n[output]\nname = "aux"\n',
        ":3:1",
        "output.name: Windows reserves the name aux",
    ),
    Bad(
        "a name of Windows with an ending",
        'prompt = "A"\n[output]\nname = "Com1.x"\n',
        ":3:1",
        "output.name: Windows reserves the name Com1.x",
    ),
    Bad(
        "a name of git",
        'prompt = "A"\n[output]\nname = ".GIT"\n',
        ":3:1",
        "output.name: .GIT is a folder of git, GitHub or sumesync itself",
    ),
    Bad(
        "a name with a colon",
        'prompt = "A"\n[output]\nname = "a:b"\n',
        ":3:1",
        "output.name: the name holds :, which Windows does not allow",
    ),
    Bad(
        "a name that ends in a dot",
        'prompt = "A"\n[output]\nname = "a."\n',
        ":3:1",
        "output.name: the name begins with a space or ends in a space or dot, which Windows does not keep",
    ),
    Bad(
        "a name with a bidi mark",
        'prompt = "A"\n[output]\nname = "a\\u202eb"\n',
        ":3:1",
        "output.name: the name holds a control, bidirectional or undecodable character",
    ),
    Bad(
        "a folder outside",
        'prompt = "A"\n[output]\ndir = "../.."\n',
        ":3:1",
        "output.dir: the path leads outside the project",
        "outputs stay inside the project",
    ),
    Bad(
        "an absolute folder",
        'prompt = "A"\n[output]\ndir = "/tmp"\n',
        ":3:1",
        "output.dir: the path must be relative to the spec",
    ),
    Bad(
        "GitHub's folder",
        'prompt = "A"\n[output]\ndir = "../.github/workflows"\n',
        ":3:1",
        "output.dir: .github is a folder of git, GitHub or sumesync itself",
    ),
    Bad(
        "git's folder, short name",
        'prompt = "A"\n[output]\ndir = "../GIT~1/hooks"\n',
        ":3:1",
        "output.dir: GIT~1 is a folder of git, GitHub or sumesync itself",
    ),
    Bad(
        "our own folder",
        'prompt = "A"\n[output]\ndir = "../.sume"\n',
        ":3:1",
        "output.dir: .sume is a folder of git, GitHub or sumesync itself",
    ),
    Bad(
        "[output] that is no table",
        'prompt = "A"\noutput = 3\n',
        ":2:1",
        "output is a whole number; it must be a table",
    ),
    # values
    Bad(
        "a ratio that is not documented",
        'prompt = "A"\naspect_ratio = "16:9"\n',
        ":2:1",
        'aspect_ratio is "16:9"',
        'allowed: "1:1", "4:5", "9:16"',
    ),
    Bad(
        "a ratio that is none",
        'kind = "video"\nprompt = "A"\naspect_ratio = "wide"\n',
        ":3:1",
        'aspect_ratio is "wide"',
        "such as 9:16",
    ),
    Bad("too short", 'kind = "video"\nprompt = "A"\nduration = 3\n', ":3:1", "duration is 3", "allowed: 4 to 15"),
    Bad("too long", 'kind = "video"\nprompt = "A"\nduration = 16\n', ":3:1", "duration is 16", "allowed: 4 to 15"),
    Bad(
        "a number in quotes",
        'kind = "video"\nprompt = "A"\nduration = "5"\n',
        ":3:1",
        "duration is a string; it must be a whole number",
        "write it without quotes",
    ),
    Bad(
        "half a second",
        'kind = "video"\nprompt = "A"\nduration = 4.5\n',
        ":3:1",
        "duration is a number; it must be a whole number",
    ),
    Bad(
        "a date for a text",
        'kind = "asset-search"\ncreated_after = 2026-01-01\n',
        ":2:1",
        "created_after is a date",
        "put it in quotes to send it as text",
    ),
    Bad(
        "a value in capitals",
        'kind = "asset-search"\nsort = "RELEVANCE"\n',
        ":2:1",
        'sort is "RELEVANCE"',
        "did you mean relevance?",
    ),
    Bad(
        "true in quotes",
        'kind = "asset-search"\ncta_present = "true"\n',
        ":2:1",
        "cta_present is a string; it must be true or false",
        "write it without quotes",
    ),
    Bad(
        "a URL where a list of them belongs",
        'prompt = "A"\nreference_image_urls = "https://a.example/b.png"\n',
        ":2:1",
        "reference_image_urls is a string; it must be an array",
        'put it in brackets: ["https://a.example/b.png"]',
    ),
    Bad(
        "true for a number",
        'kind = "video"\nprompt = "A"\nduration = true\n',
        ":3:1",
        "duration is true or false; it must be a whole number",
    ),
    Bad("take 0", 'prompt = "A"\ntake = 0\n', ":2:1", "take is 0", "allowed: at least 1"),
    Bad("take -1", 'prompt = "A"\ntake = -1\n', ":2:1", "take is -1", "allowed: at least 1"),
    Bad("take 1.5", 'prompt = "A"\ntake = 1.5\n', ":2:1", "take is a number; it must be a whole number"),
    Bad(
        "a take beyond what a double holds",
        'prompt = "A"\ntake = 9007199254740992\n',
        ":2:1",
        "take is 9007199254740992",
    ),
    Bad(
        "a take written in hex, of 6,000 digits",
        'prompt = "A"\ntake = 0x' + "f" * 5_000,
        ":2:1",
        "a whole number of more than 64 bits",
    ),
    Bad(
        "a seed written in hex, of 6,000 digits",
        'prompt = "A"\n[extra]\nseed = 0x' + "f" * 5_000,
        ":3:1",
        "a whole number of more than 64 bits",
    ),
    Bad(
        "a date",
        'prompt = "A"\n[extra]\nd = 2024-01-02\n',
        ":3:1",
        "extra.d is a date",
        "put it in quotes to send it as text",
    ),
    Bad(
        "a date and time",
        'prompt = "A"\n[extra]\nd = [2024-01-02T03:04:05Z]\n',
        ":3:6",
        "extra.d[1] is a date and time",
        "put it in quotes",
    ),
    Bad("a time", 'prompt = "A"\n[extra]\nd = { t = 03:04:05 }\n', ":3:7", "extra.d.t is a time", "put it in quotes"),
    Bad("not a number", 'prompt = "A"\n[extra]\nx = nan\n', ":3:1", "extra.x is nan, which is not a JSON number"),
    Bad("infinite", 'prompt = "A"\n[extra]\nx = -inf\n', ":3:1", "extra.x is -inf, which is not a JSON number"),
    Bad(
        "http",
        'prompt = "A"\nreference_image_urls = ["https://a.example/x", "http://a.example/y"]\n',
        ":2:48",
        'reference_image_urls[2] is "http://a.example/y"',
        'an https:// URL, { file = "…" } or { from = ',
    ),
    Bad(
        "an avatar twice",
        'kind = "face-swap"\nsource_video_url = "https://a.example/x"\navatar_ids = ["a", "b", "a"]\n',
        ":3:1",
        "avatar_ids[3] is the same as avatar_ids[1]",
        "keep one of them",
    ),
    Bad(
        "outputs counted from 0",
        'prompt = "A"\nreference_image_urls = [{ from = "b.sume.toml", output = 0 }]\n',
        ":2:25",
        "reference_image_urls[1]: output is 0",
        "outputs count from 1",
    ),
    Bad("no reference", 'prompt = "A"\nreference_image_urls = []\n', ":2:1", "reference_image_urls is empty"),
    Bad(
        "a field twice",
        'prompt = "A"\nquality = "high"\n[extra]\nquality = "low"\n',
        ":4:1",
        "quality stands at the top and in [extra]",
        "keep one of them",
    ),
    Bad(
        "a prompt twice",
        'prompt = "A"\nextra.prompt = "B"\n',
        ":2:1",
        "prompt stands at the top and in [extra]",
        "keep one of them",
    ),
    Bad("[extra] that is no table", 'prompt = "A"\nextra = 1\n', ":2:1", "extra is a whole number; it must be a table"),
    Bad(
        "tags that are no list",
        'prompt = "A"\n[meta]\ntags = "x"\n',
        ":3:1",
        "meta.tags is a string; it must be an array",
    ),
    Bad(
        "tags that are no words",
        'prompt = "A"\n[meta]\ntags = ["x", 1]\n',
        ":3:14",
        "meta.tags[2] is a whole number; it must be a string",
    ),
    Bad(
        "after a letter of four bytes",
        'prompt = "A"\nextra = { "\U0001f600" = "é", "ö" = nan }\n',
        ":2:22",
        "extra.ö is nan, which is not a JSON number",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_spec_is_told_where_what_and_how(bad: Bad) -> None:
    found = look(bad.text, bad.prompt)
    assert isinstance(found, tuple), found
    (problem,) = found
    assert problem.where == PATH + bad.where
    assert problem.what == bad.what
    assert bad.hint in problem.hint


def test_a_number_of_5000_digits_is_told() -> None:
    found = look('prompt = "A"\n[extra]\nseed = ' + "9" * 5_000)
    assert isinstance(found, tuple)
    assert found[0].what.startswith("not valid TOML: ")


def test_everything_wrong_is_told_at_once_in_the_order_of_lines() -> None:
    text = """kind = "video"
duration = 99
aspect_ration = "9:16"
workspace_id = "w"
[output]
name = "con"
dir = "../../.."
[extra]
when = 2024-01-02
"""
    found = look(text)
    assert isinstance(found, tuple)
    assert [(problem.where, problem.what) for problem in found] == [
        (f"{PATH}:1:1", "the video has no prompt"),
        (f"{PATH}:2:1", "duration is 99"),
        (f"{PATH}:3:1", "aspect_ration is not a field of video"),
        (f"{PATH}:4:1", "workspace_id has no place in a project"),
        (f"{PATH}:6:1", "output.name: Windows reserves the name con"),
        (f"{PATH}:7:1", "output.dir: the path leads outside the project"),
        (f"{PATH}:9:1", "extra.when is a date"),
    ]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("launch/con.sume.toml", "Windows reserves the name con.sume.toml"),
        ("a\u202eb.sume.toml", "the name holds a control, bidirectional or undecodable character"),
        ("a\nb.sume.toml", "the name holds a control, bidirectional or undecodable character"),
        ("a\udcff.sume.toml", "the name holds a control, bidirectional or undecodable character"),
        ("a?.sume.toml", "the name holds ?, which Windows does not allow"),
        (" a.sume.toml", "the name begins with a space or ends in a space or dot, which Windows does not keep"),
        ("launch/.sume.toml", "the spec has no name"),
    ],
)
def test_a_spec_whose_name_cannot_be_everywhere_is_told(path: str, what: str) -> None:
    found = look('prompt = "A"', path=path)
    assert isinstance(found, tuple)
    assert found[0].what == what
    assert found[0].path.isprintable()


def test_one_line_is_enough() -> None:
    found = good('prompt = "A cup"')
    assert (found.kind, found.take, found.request) == ("image", 1, {"prompt": "A cup"})
    assert (found.key.path, found.folder, found.stem, found.meta, found.tags) == (PATH, "launch", "hero", {}, ())


@pytest.mark.parametrize(
    ("output", "folder", "stem"),
    [
        ('dir = "clips"', "launch/clips", "hero"),
        ('dir = ".."', "", "hero"),
        ('dir = "../clips/./x/"', "clips/x", "hero"),
        ('name = "poster.v2"', "launch", "poster.v2"),
        ('name = "Café ☕"\ndir = "."', "launch", "Café ☕"),
    ],
)
def test_where_outputs_go(output: str, folder: str, stem: str) -> None:
    found = good(f'prompt = "A"\n[output]\n{output}')
    assert (found.folder, found.stem) == (folder, stem)


@pytest.mark.parametrize(
    ("named", "path"), [("p.md", "launch/p.md"), ("../prompts/p.md", "prompts/p.md"), ("./a/../p.md", "launch/p.md")]
)
def test_a_prompt_file_is_relative_to_its_spec(named: str, path: str) -> None:
    document = open_spec(PATH, f'prompt_file = "{named}"'.encode(), Config(), SCHEMAS)
    assert isinstance(document, Document)
    assert document.prompts == {path}


def test_meta_is_kept_as_json_and_never_sent() -> None:
    found = good('prompt = "A"\n[meta]\ntitle = "T"\ntags = ["x", "y"]\nday = 2024-01-02\nodd = nan\nowner = "me"')
    assert found.meta == {"title": "T", "tags": ["x", "y"], "day": "2024-01-02", "odd": "nan", "owner": "me"}
    assert found.tags == ("x", "y")
    assert found.request == {"prompt": "A"}


def test_extra_is_sent_as_it_is_beside_the_rest() -> None:
    found = good('prompt = "A"\n[extra]\nnegative_prompt = "text"\ndeep = { a = [1, "b", true] }')
    assert found.request == {"prompt": "A", "negative_prompt": "text", "deep": {"a": [1, "b", True]}}


@pytest.mark.parametrize(
    "text",
    [
        'prompt = "my email is on the card"',
        'prompt = "A"\n[extra]\nsume_live = "x"',
        'prompt = "sume_live_ is a prefix"',
    ],
)
def test_harmless_words_are_no_secrets(text: str) -> None:
    good(text)


def test_a_row_of_equals_signs_in_a_prompt_is_a_heading_and_no_conflict() -> None:
    """Markdown underlines headings that way."""
    good('prompt = """\nHero\n========\nA cup\n"""')


FRAGMENTS = [
    *(
        'prompt = "A cup"',
        'prompt = ""',
        "prompt = 3",
        'prompt_file = "p.md"',
        'prompt_file = "../../x"',
        "take = 0",
        "take = 2",
    ),
    *(
        'kind = "video"',
        'kind = "x"',
        "kind = []",
        "duration = 5",
        'duration = "5"',
        "[extra]",
        "[output]",
        "[meta]",
        "[[extra]]",
    ),
    *(
        'name = "con"',
        'dir = ".."',
        "x = nan",
        "d = 2024-01-02",
        "a.b.c = 1",
        "a = {",
        "}",
        "[a.b]",
        '"',
        "'''",
        '"""',
        "=",
        "\\",
        "\ufeff",
    ),
    *(
        "\x00",
        "\r",
        "\u202e",
        "\U0001f600 = 1",
        '"\\ud800" = 1',
        "tags = [1]",
        "output = 3",
        "meta = 1",
        "extra = 1",
        "<<<<<<< x",
        "# c",
    ),
    *("image_count = 0x10", "x = 1e400", "x = -0.0", 'email = "x"', "y = [[[[]]]]", "z = 99999999999999999999999999"),
]


@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=8),
    st.binary(max_size=6),
    st.sampled_from([None, NO_PROMPT, PromptFile(b"\xff")]),
)
@settings(max_examples=examples(250))
def test_no_text_makes_it_raise(lines: list[str], junk: bytes, prompt: PromptFile | None) -> None:
    data = "\n".join(lines).encode() + (b"\n" + junk if junk else b"")
    found = look(data, prompt)
    if isinstance(found, tuple):
        assert found
        assert all(problem.path == PATH and problem.what and problem.where.startswith(PATH) for problem in found)
        assert all(problem.what.isprintable() and problem.hint.isprintable() for problem in found)
    else:
        assert found.fingerprint.startswith("v1:")
        assert paths.path_fault(found.stem) == ""


@given(st.binary(max_size=60), st.text(max_size=12))
@settings(max_examples=examples(150))
def test_no_bytes_and_no_name_make_it_raise(data: bytes, name: str) -> None:
    assert look(data) is not None
    assert look(b'prompt = "A"', path=name + ".sume.toml") is not None
