"""The hosts that media come from and go to: public ones only, checked by the peer that is really connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

from sumesync.api.origin import address_of, is_loopback, is_public
from sumesync.api.proxies import Proxy
from sumesync.api.reading import shown
from sumesync.api.transport import Limits, PlainConnection, TlsConnection, Transport, reason_of
from sumesync.errors import MediaError


class NotPublic(HTTPError):
    """A media host with an address that is not reachable from the whole internet."""


def _admit(address: str, loopback: bool, only_loopback: bool) -> None:
    """Raises NotPublic unless media may come from ``address``."""
    found = address_of(address)
    local = is_loopback(address)
    if found is None or not ((local and loopback) or (is_public(found) and not only_loopback)):
        raise NotPublic("its host has an address that is not public")


class _Checked(HTTPConnection):
    """Checks the peer that it is really connected to, before TLS and before any byte: a name that
    resolved to something else a moment ago changes nothing."""

    admit: Callable[[str], None]

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        try:
            self.admit(str(made.getpeername()[0]))
        except BaseException:
            made.close()
            raise
        return made


class _CheckedPlain(_Checked, PlainConnection):
    def __init__(self, *args: Any, admit: Callable[[str], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.admit = admit


class _CheckedTls(_Checked, TlsConnection):
    def __init__(self, *args: Any, admit: Callable[[str], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.admit = admit


def resolve(host: str) -> list[str]:
    """All addresses of ``host``. Raises OSError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Hosts:
    """``loopback``: the API itself is on this machine, so media may be as well, even over http. ``secrets`` are in no
    text of an error; nor is a path, which of private media is a secret, too."""

    transport: Transport
    limits: Limits
    loopback: bool
    secrets: Callable[[], tuple[str, ...]] = field(default=tuple)
    resolve: Callable[[str], list[str]] = resolve

    def checked(self, url: str, what: str, hint: str) -> Url:
        """``url`` in its parts. Raises MediaError, about ``what`` ("a media URL"), for one that may not be used."""
        try:
            parsed = parse_url(url)
        except (HTTPError, ValueError):
            parsed = Url()
        host = parsed.host or ""
        if not host or not host.isascii() or parsed.scheme not in ("https", "http") or parsed.port == 0:
            raise MediaError(f"{what} is not an https address", hint)
        if parsed.auth:
            raise MediaError(f"{what} holds a user name", hint)
        if parsed.scheme == "http" and not (self.loopback and is_loopback(host)):
            raise MediaError(f"{what} leads to {shown(host, limit=80)} without https", hint)
        return parsed

    def connection(self, url: Url) -> PlainConnection:
        """One to the host of ``url``, not connected yet. Raises one of NETWORK."""
        limits = self.limits
        admit = partial(_admit, loopback=self.loopback, only_loopback=url.scheme == "http")
        pace = self.transport.pace(limits.media_stall, limits.media_grace, limits.media_rate)
        proxy = self._proxy(url, admit)
        if proxy:
            return self.transport.fresh(url, pace, proxy)
        plain, secure = partial(_CheckedPlain, admit=admit), partial(_CheckedTls, admit=admit)
        return self.transport.fresh(url, pace, None, plain, secure)

    def _proxy(self, url: Url, admit: Callable[[str], None]) -> Proxy | None:
        """With a proxy the peer is the proxy, so the addresses of the name itself are checked."""
        host = url.host or ""
        proxy = self.transport.proxy(url)
        literal = address_of(host) is not None
        for address in [host.strip("[]")] if literal else self.resolve(host) if proxy else []:
            admit(address)
        return proxy

    def reason(self, error: BaseException) -> str:
        return shown(reason_of(error), self.secrets(), 160)
