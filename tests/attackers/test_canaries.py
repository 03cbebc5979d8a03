"""A Sume that says every secret, in every place and encoding. Each test ends with the search of ``Stage.no_secret``."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from sumesync.apply import deliveries
from tests.canaries import KEY, OBJECT_KEY, PLANTED, SIGNATURE, UPLOAD_URL, WORKSPACE, caught, nets, plant
from tests.scenarios.conftest import Maker
from tests.scenarios.stage import Stage

LOUD = ("--verbose", "--debug")


def talkative(make: Maker, *faults: object, **settings: object) -> Stage:
    stage = make(*faults, **settings)
    plant(stage.sume.running)
    return stage


@pytest.mark.parametrize("loud", [(), LOUD, ("--json",)])
def test_when_all_goes_well(make: Maker, loud: tuple[str, ...]) -> None:
    stage = talkative(make)
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", *loud, code=0)
    stage.path("hero.png").unlink()
    for args in (("fetch",), ("me",), ("credits",), ("status",), ("check",), ("plan",), ("lock", "rebuild")):
        stage.here(*args, *loud)


def test_when_a_job_fails(make: Maker) -> None:
    fate = {"ends_as": "failed", "error_code": f"bad_{WORKSPACE}", "message": f"{KEY} {OBJECT_KEY} {UPLOAD_URL}"}
    stage = talkative(make, {"method": "POST", "route": "/images/generations", "job": fate})
    stage.spec("hero", "A jar.")
    for args in (("apply", "--yes", *LOUD), ("status",), ("plan", "-v"), ("apply", "--yes", "--json")):
        stage.here(*args)
    assert stage.lock()["hero.sume.toml"]["jobs"][0]["state"] == "failed"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 422])
def test_when_it_is_refused(make: Maker, status: int) -> None:
    says = {
        "error": {"code": f"no_{OBJECT_KEY}", "message": f"{KEY} {WORKSPACE}", "details": {"object_key": OBJECT_KEY}}
    }
    stage = talkative(make, {"method": "POST", "answer": {"status": status, "body": says}})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", *LOUD, code=1)
    stage.here("apply", "--yes", "--json", code=1)


@pytest.mark.parametrize("status", [409, 500, 302])
def test_when_the_outcome_is_unknown(make: Maker, status: int) -> None:
    """The journal keeps what the server said."""
    says = {"error": {"message": f"{KEY} {WORKSPACE} at {UPLOAD_URL}"}, "request_id": f"req_{KEY}"}
    headers = {"Location": UPLOAD_URL, "x-request-id": f"req_{WORKSPACE}"}
    stage = talkative(
        make,
        {"method": "POST", "answer": {"status": status, "body": says, "headers": headers}, "after": True, "times": 1},
    )
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", *LOUD, code=4)
    assert stage.journal()
    for args in (("resolve",), ("resolve", "--json"), ("plan",), ("status",)):
        stage.here(*args)
    stage.here("resolve", "hero", "--not-created", code=0)


@pytest.mark.parametrize("route", ["/me", "/credits", "/jobs/*", "/jobs/*/result", "media"])
@pytest.mark.parametrize("status", [403, 404])
def test_when_a_read_fails(make: Maker, route: str, status: int) -> None:
    says = {"error": {"code": KEY, "message": f"{WORKSPACE} at {UPLOAD_URL} for {KEY}"}, "workspace_id": WORKSPACE}
    stage = talkative(make, {"method": "GET", "route": route, "answer": {"status": status, "body": says}})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", "--deadline", "0", *LOUD)
    stage.here("me", *LOUD)


def test_when_links_are_bad(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "RETRY_SECONDS", 0.0)
    stage = talkative(make, {"links": {"base": f"https://{KEY.replace('_', '-').lower()}.invalid", "name": f"?{KEY}"}})
    stage.spec("hero", "A jar.")
    stage.here("apply", "--yes", *LOUD, code=1)


def test_queries_of_every_scheme_stay_out_of_the_metadata(stage: Stage) -> None:
    urls = [f"s3://bucket/x?token={SIGNATURE}", f"www.x.test/?t={SIGNATURE}", f"//host/p?sig={SIGNATURE}"]
    urls += [
        f"https://x.test/p?{SIGNATURE}",
        f"gs://b/o#{SIGNATURE}",
        f"x.png?s={SIGNATURE}",
        f"ftp://u:{SIGNATURE}@h/",
    ]
    stage.write("hero.sume.toml", f'prompt = "like {" ".join(urls)}"\n[extra]\nrefs = {json.dumps(urls)}\n')
    for args in (("plan",), ("plan", "--json"), ("apply", "--yes"), ("apply", "--yes", "--json")):
        stage.here(*args, code=0)
    stage.write("hero.sume.toml", stage.read("hero.sume.toml").replace("like", "unlike"))
    stage.here("plan", code=0)
    stage.here("plan", "--out", "p.json", code=0)
    stage.path("hero.sume.toml").unlink()  # the spec is the person's own: it may say what it likes


def test_a_key_of_no_known_form_is_not_said_either(make: Maker, tmp_path: object) -> None:
    stage = make()
    key = "canary-without-a-prefix-2468"
    (stage.home / "key.txt").write_text(f"{key}\n")
    says = {"error": {"message": f"{key} {base64.b64encode(key.encode()).decode()} {quote(key)}"}}
    stage.faults({"route": "/me", "answer": {"status": 403, "body": says}})
    result = stage.here("me", "--api-key-file", str(stage.home / "key.txt"), "--debug", code=1)
    assert not caught(result.text.encode(), nets([key]))


@pytest.mark.parametrize("secret", PLANTED)
def test_the_search_finds_every_form(secret: str) -> None:
    """The net itself: a search that finds nothing proves nothing."""
    data = secret.encode()
    forms = [data, data.hex().encode(), base64.b64encode(data), base64.b64encode(b"a" + data + b"zz")]
    forms += [base64.urlsafe_b64encode(b"ab" + data), secret.encode("utf-16"), quote(secret, safe="").encode()]
    forms += ["".join(f"\\u{ord(char):04X}" for char in secret).encode()]
    for form in forms:
        assert caught(b"before " + form + b" after", nets([secret])), form
