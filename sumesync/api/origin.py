"""Where requests may go: the API's origin, and which addresses a media host may have."""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias
from urllib.parse import urlsplit

from sumesync.core.text import printable, without_secrets
from sumesync.errors import UsageError

_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

_HOST = re.compile(r"[a-z0-9]([a-z0-9.\-]{0,252}[a-z0-9])?|[0-9a-f:.]{2,45}")
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~\-]+)*")
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def check_origin(url: str) -> str:
    """``url`` as the base of the API: ``https://host[:port][/path]``, lower-case, no trailing slash.

    https only, http for loopback only (127.0.0.0/8, ::1, localhost); no user part, query or fragment.
    Raises UsageError, naming SUME_API_BASE_URL.
    """
    try:
        return _checked_origin(url.strip())
    except ValueError as error:
        shown = printable(without_secrets(url), 120)
        raise UsageError(
            f"{shown} cannot be the address of the Sume API: {error}",
            "SUME_API_BASE_URL must look like https://www.sume.so/api/v1",
        ) from None


def _checked_origin(url: str) -> str:
    # urlsplit drops tabs and newlines silently; another reader of the same text would not.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("it holds characters that no address has")
    parts = urlsplit(url)
    scheme, host, port = parts.scheme, (parts.hostname or "").lower(), parts.port
    if scheme not in _PORTS or not parts.netloc:
        raise ValueError("it does not begin with https://")
    if "@" in parts.netloc:
        raise ValueError("it holds a user name")
    if "?" in url or "#" in url:
        raise ValueError("it holds a query or a fragment")
    path = parts.path.rstrip("/")
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or port == 0:
        raise ValueError("its host, port or path is not plain")
    if scheme == "http" and not is_loopback(host):
        raise ValueError("http would show the key to the network")
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port in (None, _PORTS[scheme]) else f":{port}"
    return f"{scheme}://{shown_host}{shown_port}{path}"


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, brackets allowed) is this machine by its spelling."""
    if host.lower() == "localhost":
        return True
    address = address_of(host)
    return address is not None and _unwrapped(address).is_loopback


def address_of(host: str) -> _Address | None:
    """``host`` as an address; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_public(address: _Address) -> bool:
    """Whether ``address`` is one that the whole internet can reach, whatever form it is wrapped in."""
    inner = _unwrapped(address)
    odd = inner.is_multicast or inner.is_reserved or inner.is_unspecified or inner.is_link_local
    site_local = isinstance(inner, ipaddress.IPv6Address) and inner.is_site_local
    return inner.is_global and not odd and not site_local


def _unwrapped(address: _Address) -> _Address:
    """The IPv4 address inside an IPv4-mapped, 6to4 or NAT64 one: that is where packets end up."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
