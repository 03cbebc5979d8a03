"""Every route of the API is used by some command over real HTTP, and the sandbox serves it."""

from __future__ import annotations

import re

import pytest

from sumesync.sandbox import routes

from .conftest import Maker
from .stage import Stage, png

ROUTES = {
    "GET /openapi.json": ("schema", "refresh"),
    "GET /me": ("me",),
    "GET /credits": ("credits",),
    "GET /brand": ("brand", "show"),
    "GET /brand/current": ("brand", "show"),
    "GET /avatars": ("avatars", "list"),
    "GET /avatars/*": ("avatars", "get", "avatar_mara"),
    "POST /images/generations": ("apply", "image"),
    "POST /videos/generations": ("apply", "video"),
    "POST /ads/videos": ("apply", "ad-video"),
    "POST /face-swap": ("apply", "face-swap"),
    "POST /reference-analysis": ("apply", "reference-analysis"),
    "POST /uploads/presign": ("apply", "asset-upload"),
    "PUT media": ("apply", "asset-upload"),
    "POST /assets": ("apply", "asset-upload"),
    "GET /jobs": ("jobs", "list"),
    "GET /jobs/*": ("jobs", "get", "JOB"),
    "GET /jobs/*/result": ("jobs", "result", "JOB"),
    "GET media": ("apply", "image"),
    "GET /assets": ("assets", "search"),
    "GET /assets/*": ("assets", "get", "asset_0001"),
}
"""The API as it is known, and the shortest command that uses each route (``apply KIND``: of a spec of the kind)."""
SPECS = {
    "image": 'prompt = "A cup"\n',
    "video": 'kind = "video"\nprompt = "It turns"\nduration = 4\n',
    "ad-video": 'kind = "ad-video"\nscript = "Two drops."\nduration = 1\n',
    "face-swap": 'kind = "face-swap"\nsource_video_url = { file = "film.mp4" }\navatar_ids = ["avatar_femi"]\n',
    "reference-analysis": 'kind = "reference-analysis"\nurl = "https://www.tiktok.com/@a/video/1"\n',
    "asset-upload": 'kind = "asset-upload"\nmedia = { file = "in.png" }\n',
    "asset-search": 'kind = "asset-search"\nq = "serum"\n',
}
_ID = re.compile(r"\(\?P<id>.*?\)")
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(64)


def run(stage: Stage, *args: str) -> None:
    """A command of the table; a job is there where it asks for one."""
    if args[0] == "apply":
        stage.write("in.png", png("in"))
        stage.write("film.mp4", FILM)
        stage.write("x.sume.toml", SPECS[args[1]])
        stage.here("apply", "--yes", code=0)
        return
    if "JOB" in args:
        stage.spec("hero", "A cup")
        stage.here("apply", "--yes", code=0)
        (charge,) = stage.charges()
        stage.world.requests.clear()
        args = tuple(charge.job_id if arg == "JOB" else arg for arg in args)
    stage.here(*args, code=0)


def answered(stage: Stage, route: str) -> list[int | None]:
    """The statuses of what was asked of a route."""
    method, _, path = route.partition(" ")
    place = r"/media/.*" if path == "media" else f".*{re.escape(path)}".replace(r"\*", "[^/]+")
    return [seen.status for seen in stage.seen(method, place)]


@pytest.mark.parametrize("route", ROUTES)
def test_a_command_uses_the_route_and_the_sandbox_serves_it(make: Maker, route: str) -> None:
    rules = [{"route": "/brand/current", "answer": {"status": 404}}] if route == "GET /brand" else []
    stage = make(*rules, openapi=True, seconds=dict.fromkeys(SPECS, 0))
    run(stage, *ROUTES[route])
    found = answered(stage, route)
    assert found, f"sumesync {' '.join(ROUTES[route])} does not use {route}"
    assert found[-1] in (200, 202), found


def test_the_table_has_every_route_that_the_sandbox_serves_and_no_other(stage: Stage) -> None:
    api = routes.Api(stage.world, stage.sume.running.base_url, stage.sume.running.media_url)
    served = {(method, _ID.sub("*", path.pattern).replace("\\", "")) for method, path, _ in api._routes}
    assert served == {tuple(route.split(" ")) for route in ROUTES if not route.endswith(" media")}
