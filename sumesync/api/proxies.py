"""Which proxy the environment asks for. urllib3 reads none of these variables itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from urllib3.exceptions import HTTPError
from urllib3.util import Url, make_headers, parse_url

from sumesync.api.origin import address_of, is_loopback
from sumesync.errors import UsageError

_NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy for https; asked by CONNECT only, so that it never sees a request."""

    url: Url
    headers: Mapping[str, str]
    secrets: tuple[str, ...] = ()


def proxy_for(host: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (in either case) ask for; none for
    loopback. Raises UsageError when it is no http(s) proxy; the text holds no password."""
    told = next((environ[name] for name in _NAMES if environ.get(name)), "")
    no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not told or is_loopback(host) or _is_bypassed(host, no_proxy):
        return None
    try:
        url = parse_url(told if "://" in told else f"http://{told}")
    except (HTTPError, ValueError):
        url = Url()
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError("HTTPS_PROXY does not name an http or https proxy", "it must look like http://host:port")
    auth = unquote(url.auth or "")
    headers = make_headers(proxy_basic_auth=auth) if auth else {}
    bare = Url(scheme=url.scheme, host=url.host, port=url.port or (443 if url.scheme == "https" else 80))
    secrets = (auth.partition(":")[2], url.auth or "", *headers.values())
    return Proxy(bare, headers, tuple(filter(None, secrets)))


def _is_bypassed(host: str, no_proxy: str) -> bool:
    """``NO_PROXY``: names (and all below them), addresses, networks, ``*``; separated by commas."""
    name, address = host.strip("[]").lower().rstrip("."), address_of(host)
    for entry in filter(None, (part.strip().lower() for part in no_proxy.split(","))):
        if entry == "*":
            return True
        if address is None:
            suffix = entry.partition(":")[0].lstrip("*").lstrip(".")
            if suffix and (name == suffix or name.endswith(f".{suffix}")):
                return True
            continue
        try:
            if address in ipaddress.ip_network(entry.strip("[]"), strict=False):
                return True
        except ValueError:
            continue
    return False
