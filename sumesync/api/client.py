"""The Sume Public API over HTTP: the JobApi and the Library of the real world, and of the sandbox's server."""

from __future__ import annotations

import json
import os
import random as random_module
import threading
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from urllib3.util import parse_url

from sumesync.answers import (
    Account,
    Avatar,
    AvatarPage,
    Brand,
    Credits,
    JobPage,
    JobResult,
    JobView,
    NotSent,
    Order,
    Presigned,
    Scene,
    ScenePage,
    SubmitResult,
    Unclear,
)
from sumesync.api import wire
from sumesync.api.answers import Answer, api_error, retry_after
from sumesync.api.gate import Gate
from sumesync.api.hosts import Hosts
from sumesync.api.hosts import resolve as resolve_name
from sumesync.api.media import Downloader, Idle
from sumesync.api.openapi import declares_header
from sumesync.api.origin import check_origin, is_loopback
from sumesync.api.reading import Unreadable, parse, shown
from sumesync.api.transport import (
    NETWORK,
    BadBody,
    Limits,
    PlainConnection,
    Transport,
    lower_names,
    read_body,
    reason_of,
    system_tls,
)
from sumesync.api.uploads import Uploader
from sumesync.errors import ApiError, UsageError
from sumesync.model import Json
from sumesync.ports import Clock

if TYPE_CHECKING:
    import ssl

__all__ = ["Limits", "SumeClient", "check_origin"]

_T = TypeVar("_T")
_BACKOFF = (0.5, 20.0)  # seconds: the first step, and the most
_PAGE = 100


class SumeClient:
    """A JobApi. Safe to use from ``threads`` threads at once; ``close`` it at the end.

    ``environ`` is where the proxy variables are read (the process's own unless given); ``random`` gives
    [0, 1) for the jitter; ``tls`` makes the context of one connection. Raises UsageError for a
    ``base_url`` or ``key`` that cannot be one.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        clock: Clock,
        *,
        version: str,
        threads: int = 64,
        limits: Limits | None = None,
        random: Callable[[], float] = random_module.random,
        environ: Mapping[str, str] | None = None,
        tls: Callable[[], ssl.SSLContext] = system_tls,
        resolve: Callable[[str], list[str]] = resolve_name,
    ) -> None:
        self._origin = check_origin(base_url)
        self._url = parse_url(self._origin)
        self._base = self._url.path or ""
        self._clock, self._random = clock, random
        self._limits = limits or Limits()
        self._transport = Transport(clock, self._limits, os.environ if environ is None else environ, tls)
        proxy = self._transport.proxy(self._url)
        self._secrets: tuple[str, ...] = (_checked_key(key), *(proxy.secrets if proxy else ()))
        agent = f"sumesync/{version}"
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": agent, "Accept": "application/json"}
        self._pool = self._transport.pool(self._url, threads)
        self._reads, self._creates = Gate(clock), Gate(clock)
        self._openapi: Json = None
        self._openapi_asked = False
        self._openapi_lock = threading.Lock()
        local = is_loopback(self._url.host or "")
        hosts = Hosts(self._transport, self._limits, local, lambda: self._secrets, resolve)
        self._media = Downloader(hosts, agent, Idle(clock.monotonic))
        self._uploads = Uploader(hosts, key)

    @property
    def origin(self) -> str:
        return self._origin

    def close(self) -> None:
        """Close idle connections. Reads after it fail."""
        self._pool.close()
        self._media.idle.close()

    def __enter__(self) -> SumeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reads: free, and tried again -------------------------------------------------------------

    def account(self) -> Account:
        account = self._read("/me", "this account", lambda told: wire.read_account(told, self._secrets))
        if account.workspace_id:
            self._secrets = tuple(dict.fromkeys((*self._secrets, account.workspace_id)))
        return account

    def credits(self) -> Credits:
        return self._read("/credits", "the credits", lambda told: wire.read_credits(told, self._secrets))

    def list_jobs(
        self,
        cursor: str | None = None,
        limit: int = _PAGE,
        kind: str = "",
        status: str = "",
        only: Collection[str] | None = None,
    ) -> JobPage:
        """``kind`` is the API's own word for a type of jobs."""
        told = {"limit": str(max(1, limit)), "type": kind, "status": status, "cursor": cursor or ""}
        query = {name: value for name, value in told.items() if value}
        return self._read(
            f"/jobs?{urlencode(query)}", "the jobs", lambda told: wire.job_page(told, cursor, self._secrets, only)
        )

    def job(self, job_id: str) -> JobView:
        return self._read(_job_path(job_id), "this job", lambda told: wire.job_view(told, job_id, self._secrets))

    def result(self, job_id: str, sent: frozenset[str] = frozenset(), *, whole: bool = False) -> JobResult:
        path = f"{_job_path(job_id)}/result"
        return self._read(
            path, "the result of this job", lambda told: wire.job_result(told, sent, self._secrets, whole)
        )

    # --- the library: reads, too --------------------------------------------------------------------

    def scenes(self, query: Mapping[str, str], cursor: str | None = None) -> ScenePage:
        asked = urlencode({**query, **({} if cursor is None else {"cursor": cursor})})
        return self._read(
            f"/assets?{asked}" if asked else "/assets",
            "the assets",
            lambda told: wire.scene_page(told, cursor, self._secrets),
        )

    def scene(self, scene_id: str) -> Scene:
        path = _path("/assets", scene_id, "an asset id")
        return self._read(path, "this asset", lambda told: wire.scene(told, scene_id, self._secrets))

    def avatars(self, cursor: str | None = None) -> AvatarPage:
        path = f"/avatars?{urlencode({'cursor': cursor})}" if cursor else "/avatars"
        return self._read(path, "the avatars", lambda told: wire.avatar_page(told, cursor, self._secrets))

    def avatar(self, avatar_id: str) -> Avatar:
        path = _path("/avatars", avatar_id, "an avatar id")
        return self._read(path, "this avatar", lambda told: wire.avatar(told, avatar_id, self._secrets))

    def brand(self) -> Brand:
        """``/brand/current``, or ``/brand`` where the first is not there: which of the two an account has is not
        documented."""
        try:
            return self._brand("/brand/current")
        except ApiError as error:
            if error.status != 404:
                raise
            return self._brand("/brand")

    def _brand(self, path: str) -> Brand:
        return self._read(path, "a brand", lambda told: wire.brand(told, self._secrets))

    def openapi(self) -> Json:
        """The API's own description of itself, as it is now."""
        return self._read("/openapi.json", "the OpenAPI document", lambda told: told)

    def declares_idempotency(self, route: str) -> bool:
        with self._openapi_lock:
            if not self._openapi_asked:
                try:
                    self._openapi = self.openapi()
                except ApiError:
                    self._openapi = None
                self._openapi_asked = True
        return declares_header(self._openapi, route, self._base)

    def presign(self, name: str, media_type: str, size: int, purpose: str) -> Presigned:
        asked = {"file_name": name, "content_type": media_type, "size_bytes": size, "purpose": purpose}
        body = json.dumps(asked).encode("ascii")
        return self._read("/uploads/presign", "where to send a file", wire.read_presigned, body)

    def _read(self, path: str, subject: str, reader: Callable[[Json], _T], body: bytes | None = None) -> _T:
        """``body``: of a POST that costs nothing and may be sent again."""
        answer = self._get(path, subject, body)
        try:
            return reader(parse(answer.body))
        except Unreadable as error:
            text = f"Sume answered {answer.status} for {subject}, but {error}"
            raise ApiError(text, "check SUME_API_BASE_URL", status=answer.status) from None

    def _get(self, path: str, subject: str, body: bytes | None) -> Answer:
        """A 2xx answer. Raises ApiError when the tries or the patience are spent, or no retry can help."""
        limits, clock = self._limits, self._clock
        headers = {**self._headers, "Accept-Encoding": "gzip"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        gate = self._reads if body is None else self._creates
        end, attempt = None, 0
        while True:
            attempt += 1
            asked = None
            while wait := gate.admit():
                clock.sleep(wait)
            end = clock.monotonic() + limits.patience if end is None else end
            try:
                answer = self._transport.ask(self._pool, self._base + path, headers, body)
            except NETWORK as error:
                failure, again = self._unreachable(error, subject), _may_pass(error)
            else:
                gate.heard(answer)
                if 200 <= answer.status < 300:
                    return answer
                failure = api_error(answer, subject, clock.now(), self._secrets)
                again = answer.status in (408, 429) or answer.status >= 500
                asked = retry_after(answer.headers, clock.now())
                if answer.status == 429:
                    gate.refused(asked or 0.0)
            wait = max(self._backoff(attempt), asked or 0.0)
            if not again or attempt >= limits.tries or clock.monotonic() + wait > end:
                raise failure
            clock.sleep(wait)

    def _backoff(self, attempt: int) -> float:
        first, most = _BACKOFF
        return min(most, first * 2.0 ** (attempt - 1)) * (0.5 + self._random() / 2)

    def _unreachable(self, error: BaseException, subject: str) -> ApiError:
        reason = self._reason(error)
        if isinstance(error, BadBody):
            return ApiError(f"{subject} could not be read: {reason}", "check SUME_API_BASE_URL")
        hint = "check the connection, HTTPS_PROXY and SUME_API_BASE_URL"
        if _is_certificate(error):
            hint = "if a company proxy signs certificates, its root must be trusted by this machine"
        return ApiError(f"{self._url.host} cannot be reached: {reason}", hint)

    def _reason(self, error: BaseException) -> str:
        return shown(reason_of(error), self._secrets, 200)

    # --- the paid step ----------------------------------------------------------------------------

    def submit(self, order: Order, before_first_byte: Callable[[], None]) -> SubmitResult:
        """See JobApi. The place alone decides "not sent": what fails before ``before_first_byte``
        returned was not sent, whatever it was; what fails after it may have been, whatever it is."""
        headers = self._order_headers(order)
        pace = self._transport.pace(self._limits.submit, self._limits.submit)
        connection = self._transport.fresh(self._url, pace, self._transport.proxy(self._url))
        try:
            try:
                connection.connect()
            except NETWORK as error:
                return NotSent(self._reason(error))
            before_first_byte()
            try:
                answer = self._send(connection, order, headers)
                self._creates.heard(answer)
                return wire.submit_result(answer, self._clock.now(), self._secrets)
            except Exception as error:  # noqa: BLE001 - from here on any failure may hide a charge
                return Unclear(f"the connection failed after the request was sent: {self._reason(error)}")
        finally:
            connection.close()

    def hold(self) -> float:
        return self._creates.admit()

    def _order_headers(self, order: Order) -> dict[str, str]:
        """Checked before connecting, so that nothing but the network can fail once the order is out."""
        if not order.route.startswith("/") or not _is_plain(order.route) or not _is_plain(order.key):
            raise ValueError("an order needs a plain route and key")
        return {
            **self._headers,
            "Content-Type": "application/json",
            "Idempotency-Key": order.key,
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    def _send(self, connection: PlainConnection, order: Order, headers: Mapping[str, str]) -> Answer:
        unsent: OSError | None = None
        try:
            connection.request(
                "POST", self._base + order.route, body=order.body, headers=headers, preload_content=False
            )
        except OSError as error:
            # A server that refuses early closes its side while we still send; its answer may be there.
            unsent = error
        try:
            response = connection.getresponse()
        except NETWORK as error:
            raise error if unsent is None else unsent from None
        body, broken = b"", ""
        try:
            body = read_body(response, self._limits.json_bytes)
        except NETWORK as error:
            # The status alone may still be a definite no.
            broken = f"its answer broke off: {self._reason(error)}"
        finally:
            response.close()
        return Answer(response.status, lower_names(response), body, broken)

    # --- media ------------------------------------------------------------------------------------

    def download(self, url: str, write: Callable[[bytes], None]) -> str:
        return self._media.download(url, write)

    def put(self, presigned: Presigned, size: int, read: Callable[[int], bytes]) -> None:
        self._uploads.put(presigned, size, read)


def _job_path(job_id: str) -> str:
    return _path("/jobs", job_id, "a job id")


def _path(base: str, ident: str, what: str) -> str:
    if not wire.is_job_id(ident):
        raise ApiError(f"{shown(ident, limit=60)} is not {what}")
    return f"{base}/{quote(ident, safe='')}"


def _checked_key(key: str) -> str:
    if not _is_plain(key):
        raise UsageError("the API key holds characters that no key has", "check SUME_API_KEY")
    return key


def _is_plain(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _is_certificate(error: BaseException | None) -> bool:
    import ssl

    for _ in range(8):
        if error is None or isinstance(error, ssl.SSLCertVerificationError):
            return error is not None
        inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = error.__cause__ or error.__context__ or inner
    return False


def _may_pass(error: BaseException) -> bool:
    """Whether trying again may help."""
    return not isinstance(error, BadBody) and not _is_certificate(error)
