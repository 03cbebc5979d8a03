"""Secrets that no file and no output may hold, in any encoding; and a Sume that plants them in all it says.

What is looked for is made here, without the code under test.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from urllib.parse import quote

from sumesync.model import Json
from sumesync.sandbox.answers import Request, Response
from sumesync.sandbox.faults import Effects
from sumesync.sandbox.server import Running

KEY = "sume_live_canaryKey9f8e7d6c5b4a"
WORKSPACE = "ws_canary_0a1b2c3d4e"
SIGNATURE = "sigcanary5f4e3d2c1b0a"
OBJECT_KEY = "objcanary/7a6b5c4d3e/raw.bin"
UPLOAD = "uplcanary9z8y7x6w5v"
UPLOAD_URL = f"https://uploads.canary.test/put/{UPLOAD}?X-Canary={SIGNATURE}"
HEADER = "x-canary-object"
"""One more that an upload must be sent with."""
PLANTED = (KEY, WORKSPACE, SIGNATURE, OBJECT_KEY, UPLOAD, "X-Sume-Signature")


@cache
def encoded(secret: str) -> tuple[bytes, ...]:
    """Every form in which a secret could hide, in lower case where case means nothing."""
    data = secret.encode()
    forms = {data, data.hex().encode(), quote(secret, safe="").encode(), "".join(f"%{b:02x}" for b in data).encode()}
    forms |= {"".join(f"\\u{ord(char):04x}" for char in secret).encode(), json.dumps(secret)[1:-1].encode()}
    forms |= {secret.encode("utf-16-le"), secret.encode("utf-16-be"), data[::-1]}
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data + b"\0" * (-(len(data) + shift) % 3))
        inner = text[4 if shift else 0 : len(text) - 4]  # what no neighbour can change
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return tuple(form.lower() for form in forms)


def nets(secrets: Iterable[str]) -> list[tuple[str, bytes]]:
    return [(secret, form) for secret in secrets for form in encoded(secret)]


def caught(data: bytes, found_by: Iterable[tuple[str, bytes]]) -> list[str]:
    low = data.lower()
    return [f"{secret} as {form!r}" for secret, form in found_by if form in low]


def babble() -> str:
    """One text of a server's that quotes everything it should not, plain and encoded."""
    texts = [KEY, WORKSPACE, OBJECT_KEY, UPLOAD_URL, f"//cdn.canary.test/x?sig={SIGNATURE}", f"Bearer {KEY}"]
    for secret in (KEY, WORKSPACE, OBJECT_KEY):
        data = secret.encode()
        texts += [base64.b64encode(b"x" * shift + data).decode() for shift in range(3)]
        texts += [base64.urlsafe_b64encode(data).decode(), data.hex(), data.hex().upper(), quote(secret, safe="")]
    return " ".join(texts)


def plant(running: Running) -> None:
    """From now on every answer of the API and the media host has them in messages, headers and fields of its own."""
    for origin in running._origins:
        right = origin.act

        def act(request: Request, effects: Effects, right: Callable[[Request, Effects], Response] = right) -> Response:
            asked = {name: value for name, value in request.headers.items() if name != HEADER}
            return planted(right(replace(request, headers=asked), effects), request)

        origin.act = act


def planted(answer: Response, request: Request) -> Response:
    headers = {
        **answer.headers,
        "X-Request-Id": f"req_{WORKSPACE}",
        "ETag": KEY,
        "X-Amz-Meta-Key": OBJECT_KEY.replace("/", "-"),
        "Content-Disposition": f'attachment; filename="{KEY}.png"',
        "Set-Cookie": f"session={KEY}",
    }
    if answer.content_type != "application/json" or request.path == "/openapi.json":
        return replace(answer, headers=headers)
    document = _planted(json.loads(answer.body))
    if request.path == "/uploads/presign" and isinstance(document, dict):
        _plant_upload(document)
    return replace(answer, body=json.dumps(document).encode(), headers=headers)


def _planted(value: Json) -> Json:
    """Every object has what is private under its own name; every message and error code quotes all of it."""
    if isinstance(value, list):
        return [_planted(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: _planted(item) for key, item in value.items()}
    for name in ("message", "code"):
        if isinstance(told.get(name), str):
            told[name] = f"{told[name]} {babble()}"
    echo: dict[str, Json] = {"object_key": OBJECT_KEY, "workspace_id": WORKSPACE}
    echo["upload_url"] = told.get("upload_url", UPLOAD_URL)
    return {**told, **echo, "debug": {"note": babble(), "headers": {"authorization": f"Bearer {KEY}"}}}


def _plant_upload(document: dict[str, Json]) -> None:
    """The URL to send to still leads there, and has them in its query; so has a header that must be sent."""
    url, headers = document.get("upload_url"), document.get("required_headers")
    if isinstance(url, str) and "X-Sume-Signature" in url:
        document["upload_url"] = f"{url}&X-Canary={SIGNATURE}&object={quote(OBJECT_KEY, safe='')}&upload={UPLOAD}"
    if isinstance(headers, dict):
        for name in ("object_key", "upload_url", "workspace_id", "debug"):
            headers.pop(name, None)
        headers[HEADER] = OBJECT_KEY
