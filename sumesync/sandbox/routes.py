"""The two origins as functions from a request to an answer: the API, and the media host."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote

from sumesync.errors import SumesyncError
from sumesync.model import Json
from sumesync.sandbox import avatars, kinds, library, openapi, uploads, validate
from sumesync.sandbox.answers import Refusal, Request, Response, json_answer, refusal_answer
from sumesync.sandbox.faults import NO_EFFECTS, Effects
from sumesync.sandbox.jobs import Job
from sumesync.sandbox.kinds import Kind, Links, Made
from sumesync.sandbox.limits import Meter
from sumesync.sandbox.world import World

_TEXT = "text/plain; charset=utf-8"
_ECHOED = 200
"""Characters of a prompt that a job shows; the result echoes the whole request."""
_JOB = re.compile(r"/jobs/(?P<id>[^/]+)")
_RESULT = re.compile(r"/jobs/(?P<id>[^/]+)/result")
_MEDIA = re.compile(r"/media/[^/]+/(?P<id>[^/]+)/(?P<piece>[^/]+)(?:/.*)?", re.DOTALL)

_Handler = Callable[[Request, Effects, str], Response]


class Api:
    """Answers as the Sume documentation shows them. ``base`` is the API's URL, ``media`` the other origin's."""

    def __init__(self, world: World, base: str, media: str) -> None:
        self._world = world
        self._base = base
        self._media = media
        self._reads = Meter(world.settings.reads_per_minute, world.now, world.settings.minute)
        self._creates = Meter(world.settings.creates_per_minute, world.now, world.settings.minute)
        self._routes: list[tuple[str, re.Pattern[str], _Handler]] = [
            ("GET", re.compile(re.escape("/me")), self._me),
            ("GET", re.compile(re.escape("/credits")), self._credits),
            ("GET", re.compile(re.escape("/jobs")), self._list),
            ("GET", _JOB, self._job),
            ("GET", _RESULT, self._result),
            ("GET", re.compile(re.escape("/openapi.json")), self._openapi),
            ("POST", re.compile(re.escape("/uploads/presign")), self._presign),
            *library.Library(world, self._signed).routes,
            *(("POST", re.compile(re.escape(kind.route)), self._create) for kind in kinds.KINDS.values()),
        ]

    def answer(self, request: Request, effects: Effects = NO_EFFECTS) -> Response:
        """Never raises for what a client or a script did."""
        request_id = f"req_{self._world.token()}"
        try:
            right = self._act(request, effects)
        except Refusal as refusal:
            right = refusal_answer(refusal, request_id)
        except SumesyncError as error:
            right = refusal_answer(Refusal(500, f"{error.what} ({error.hint})"), request_id)
        return replace(right, headers={**right.headers, "x-sume-request-id": request_id})

    def _act(self, request: Request, effects: Effects) -> Response:
        if request.path != "/openapi.json":
            self._authorize(request)
        found = [(method, match, act) for method, path, act in self._routes if (match := path.fullmatch(request.path))]
        if not found:
            raise Refusal(404, "No such route.")
        for method, match, act in found:
            if method == request.method:
                limits = (self._creates if method == "POST" else self._reads).take()
                right = act(request, effects, match.groupdict().get("id", ""))
                return replace(right, headers={**limits, **right.headers})
        raise Refusal(405, "Method not allowed.", headers={"Allow": ", ".join(method for method, _, _ in found)})

    def _authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(key.strip().encode("utf-8", "replace"), self._world.key.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal(401, "Missing or unknown API key.")

    # --- The account ------------------------------------------------------------------------------

    def _me(self, request: Request, effects: Effects, _: str) -> Response:
        settings = self._world.settings
        return json_answer(
            200,
            {
                "user": {"id": "user_sandbox", "name": "Sandbox user"},
                "workspace": {"id": settings.workspace_id, "name": settings.workspace_name},
                "api_key": {"prefix": self._world.key[:16], "scopes": ["read", "generate"]},
            },
        )

    def _credits(self, request: Request, effects: Effects, _: str) -> Response:
        """Field names are not documented: these are made up of the documentation's words."""
        world = self._world
        return json_answer(
            200,
            {
                "plan": "sandbox",
                "monthly_credits": world.settings.credits,
                "bonus_credits": 0,
                "remaining_credits": world.remaining(),
                "generation_capacity": world.settings.capacity,
                "active_generations": world.active(),
            },
        )

    def _openapi(self, request: Request, effects: Effects, _: str) -> Response:
        if not self._world.settings.openapi:
            raise Refusal(404, "No such route.")
        return json_answer(200, openapi.document(self._world.settings, self._base))

    # --- Jobs -------------------------------------------------------------------------------------

    def _create(self, request: Request, effects: Effects, _: str) -> Response:
        kind = kinds.by_route(request.path)
        assert kind is not None, "only kinds' routes come here"
        body = validate.body(request.body, kind.fields)
        avatars.refuse(kind.fields, body)
        key = request.headers.get("idempotency-key", "")
        made = self._world.order(kind.name, body, key, fate=effects.fate)
        told = tuple(Made(job.id, self._world.status(job), job.body, job.credits) for job in made)
        return json_answer(202, kind.answer(told))

    def _presign(self, request: Request, effects: Effects, _: str) -> Response:
        """``upload_url`` has the object key and a signature; ``media_url`` is what later requests name."""
        world, body = self._world, validate.body(request.body, uploads.FIELDS)
        name, media_type, purpose = str(body["file_name"]), str(body["content_type"]), str(body["purpose"])
        size = body["size_bytes"]
        assert isinstance(size, int), "the fields say so"
        if errors := uploads.misfit(name, media_type, size, purpose, world.settings.largest_upload):
            raise Refusal(400, "The request body is not valid.", details={"errors": errors})
        upload = world.presign(name, media_type, size, purpose)
        lifetime = world.settings.url_lifetime
        return json_answer(
            200,
            {
                "object": "upload",
                "upload_id": upload.id,
                "upload_url": self._signed(upload.put_path(world.settings.workspace_id), effects),
                "method": "PUT",
                "required_headers": {**upload.required_headers},
                "media_url": f"{self._media}{upload.path}",
                "expires_at": _iso(world.now() + lifetime),
            },
        )

    def _list(self, request: Request, effects: Effects, _: str) -> Response:
        query = request.query
        page = self._world.page(
            _limit(query.get("limit", "")),
            "" if effects.loop else query.get("cursor", ""),
            query.get("type", ""),
            query.get("status", ""),
            effects.lag,
        )
        cursor = "bG9vcA" if effects.loop else page.cursor
        data: list[Json] = [self._shown(job) for job in page.jobs]
        return json_answer(200, {"object": "list", "data": data, "has_more": cursor is not None, "next_cursor": cursor})

    def _job(self, request: Request, effects: Effects, job_id: str) -> Response:
        return json_answer(200, self._shown(self._world.job(unquote(job_id))))

    def _result(self, request: Request, effects: Effects, job_id: str) -> Response:
        """Before a job is completed: 409 ``job_not_completed``, or ``job_failed`` once it ended otherwise.
        The documentation does not say."""
        job = self._world.job(unquote(job_id))
        kind = kinds.of(job.kind)
        status = self._world.status(job)
        if status != "completed":
            code = "job_failed" if job.ended(self._world.now()) else "job_not_completed"
            raise Refusal(409, f"The job is {status}.", code=code, details={"status": status})
        if job.gone:
            raise Refusal(404, "The result is no longer there.")
        links = Links(
            lambda name: self._link(job, name, effects),
            lambda upload_id: self._signed(self._world.upload(upload_id).path, effects),
            f"{self._base}/jobs/{job.id}",
            job.id,
        )
        return json_answer(
            200,
            {
                "job": {"id": job.id, "type": kind.type, "status": status},
                **kind.result(job.body, links),
                "credits_used": job.credits,
                **({"request": dict(job.body)} if self._world.settings.echo_requests else {}),
            },
        )

    def _shown(self, job: Job) -> dict[str, Json]:
        now = self._world.now()
        kind: Kind = kinds.of(job.kind)
        ended = job.ended(now)
        shown: dict[str, Json] = {
            "id": job.id,
            "object": "job",
            "type": kind.type,
            "status": job.status(now),
            "created_at": _iso(job.created_at),
            "started_at": _iso(job.starts_at) if now >= job.starts_at else None,
            "completed_at": _iso(job.ends_at) if ended and job.ends_at is not None else None,
            "credits_used": job.credits,
            "error": None,
            **({"prompt": job.prompt[:_ECHOED]} if job.prompt and self._world.settings.echo_requests else {}),
            "status_url": f"{self._base}/jobs/{job.id}",
            "result_url": f"{self._base}/jobs/{job.id}/result",
        }
        if ended and job.ends_as != "completed":
            shown["error"] = {"code": job.error_code or f"job_{job.ends_as}", "message": job.error_message}
        if self._world.settings.echo_keys and job.idempotency_key:
            shown["idempotency_key"] = job.idempotency_key
        return shown

    def _link(self, job: Job, name: str, effects: Effects) -> str:
        return self._signed(f"/media/{self._world.settings.workspace_id}/{job.id}/{name}", effects)

    def _signed(self, path: str, effects: Effects) -> str:
        fault = effects.links
        if fault.name:
            path = f"{path}/{fault.name}"
        signed = self._world.signer.sign(path, -1 if fault.expired else None)
        return f"{fault.base or self._media}{signed}"


class Media:
    """The media host. It wants a signature and never the key."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, request: Request, effects: Effects = NO_EFFECTS) -> Response:
        try:
            return self._stored(request) if request.method == "PUT" else self._piece(request)
        except Refusal as refusal:
            return Response(refusal.status, refusal.message.encode("ascii"), _TEXT)
        except ConnectionError:
            raise
        except (OSError, SumesyncError) as error:  # a full disk, a deleted world
            return Response(500, str(error).encode("utf-8", "replace"), _TEXT)

    def _piece(self, request: Request) -> Response:
        if "authorization" in request.headers:
            raise Refusal(400, "Authorization must not be sent to the media host.")
        if request.method != "GET":
            raise Refusal(405, "Method not allowed.")
        match = _MEDIA.fullmatch(request.path)
        if match is None or not self._world.signer.opens(request.path, request.query):
            raise Refusal(403, "The URL has expired or its signature is wrong.")
        if upload_id := uploads.id_of(request.path):
            return self._uploaded(self._world.upload(upload_id))
        if (drawn := library.piece(request.path)) is not None:
            return Response(200, self._world.shelf.fetch(*drawn), drawn[1].media_type)
        job = self._world.job(match["id"])
        piece = kinds.of(job.kind).piece(job.body, match["piece"])
        if piece is None or job.gone:
            raise Refusal(404, "No such object.")
        return Response(200, self._world.shelf.fetch(job, piece), piece.media_type)

    def _uploaded(self, upload: uploads.Upload) -> Response:
        path = self._world.files.path(upload)
        if not upload.completed or not path.is_file():
            raise Refusal(404, "No such object.")
        return Response(200, b"", upload.content_type, file=path)

    def _stored(self, request: Request) -> Response:
        """The storage's side of an upload: just what was signed, and nothing of the API's."""
        if "authorization" in request.headers or "cookie" in request.headers:
            raise Refusal(400, "Authorization must not be sent to the media host.")
        upload = self._world.upload_of(request.path)
        if upload is None or not self._world.signer.opens(request.path, request.query):
            raise Refusal(403, "The URL has expired or its signature is wrong.")
        uploads.refuse_headers(upload, request.headers, request.length)
        whole = self._world.receive(upload, request.read)
        return Response(200, b"", _TEXT, {"ETag": f'"{whole.sha256[:32]}"'})


def subject(world: World, request: Request) -> tuple[str, str]:
    """The kind and the prompt that a request is about, for fault rules, or what stands for a prompt (of an upload its
    file's name); "" where there is none."""
    kind = kinds.by_route(request.path) if request.method == "POST" else None
    try:
        if kind is not None:
            return kind.name, kinds.words(validate.body(request.body, kind.fields))
        if request.method == "PUT":
            upload = world.upload_of(request.path)
            return "", upload.file_name if upload else ""
        match = _RESULT.fullmatch(request.path) or _JOB.fullmatch(request.path) or _MEDIA.fullmatch(request.path)
        if match is not None:
            job = world.job(match["id"])
            return job.kind, kinds.words(job.body)
    except (Refusal, SumesyncError):
        pass
    return (kind.name if kind else ""), ""


def _limit(text: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and int(text[:9]) >= 1:
        return int(text[:9])
    raise Refusal(400, "limit must be a number from 1.", details={"errors": [{"path": "limit", "message": "from 1"}]})


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
