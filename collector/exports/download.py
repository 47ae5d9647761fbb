"""Download: the file of an export from the URL in a callback, within rules that a callback cannot change. I/O."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

from quayledger.collector.errors import CollectorError
from quayledger.collector.quay.connection import proxy_of, trust
from quayledger.collector.quay.errors import safe
from quayledger.settings import CallbackSettings, SourceSettings

CHUNK_BYTES = 1 << 20
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = range(300, 400)


class FileRefused(CollectorError):
    """The address, or what it answers, is against the rules. Asking it again is of no use."""


class FileBlocked(FileRefused):
    """One of our own settings is against it; the text names the setting."""


class FileLost(CollectorError):
    """The file could not be fetched this time."""


class FileLocation(msgspec.Struct, frozen=True):
    """An address that passed the rules. `is_own`: it is the Quay's own; `is_proxied`: a proxy finds the way to it."""

    url: str
    host: str
    port: int
    is_own: bool
    is_proxied: bool

    @property
    def shown(self) -> str:
        """The host, for messages: the address itself may be signed."""
        return safe(f"{self.host}:{self.port}")


def check_address(url: str, source: SourceSettings, rules: CallbackSettings) -> FileLocation:
    """Where a file may be fetched. Raises FileRefused: it must be the Quay's own, or an allowed host's (else FileBlocked)."""
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise FileRefused("the callback does not name a valid http or https address") from None
    if not host or parts.username is not None or parts.password is not None:
        raise FileRefused("the callback names an address without a host, or with a user in it")
    own = urlsplit(source.url)
    is_own = (parts.scheme, host, port) == (own.scheme, own.hostname, own.port or _PORTS[own.scheme])
    if not is_own and not any(_matches(host, port, allowed) for allowed in rules.allowed_storage_hosts):
        raise FileBlocked(
            f"the callback names a file on {safe(f'{host}:{port}')}, which is neither the Quay's own host nor in "
            "callbacks.allowed_storage_hosts. If your Quay keeps its files there, add it to that setting"
        )
    location = FileLocation(url.strip(), host, port, is_own, _is_proxied(parts, source))
    if (literal := _address(host)) is not None:
        _check_public(location, str(literal), rules)
    return location


def is_exported_by(location: FileLocation, source: SourceSettings, export_id: str) -> bool:
    """Whether only the Quay itself can have put a file there, for this export. Anything else on its host may be somebody's
    image."""
    folder = f"{urlsplit(source.url).path.rstrip('/')}/exportedlogs/"
    return location.is_own and urlsplit(location.url).path.startswith(f"{folder}{export_id}-")


async def private_hosts(source: SourceSettings, rules: CallbackSettings) -> str:
    """The allowed hosts where every one of them would be refused for its private address; '' where a file may come."""
    if rules.allow_private_addresses:
        return ""
    found = [await _is_private(allowed, source) for allowed in rules.allowed_storage_hosts]
    return ", ".join(rules.allowed_storage_hosts) if found and all(found) else ""


async def _is_private(allowed: str, source: SourceSettings) -> bool:
    """Whether an allowed host has private addresses only; not where that is not known, or a proxy finds the way."""
    name = _split_host(allowed)[0]
    host = f"[{name}]" if ":" in name else name
    if not name or name.startswith("*.") or proxy_of(source, f"https://{host}") is not None:
        return False
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and not any(_is_public(str(address[0])) for *_, address in found)


async def fetch(location: FileLocation, source: SourceSettings, rules: CallbackSettings) -> AsyncIterator[bytes]:
    """The file, piece by piece, without the source's token. Raises FileRefused (a redirect, a private address, too large)
    and FileLost (the network, another status than 200, cut off)."""
    await _check_names(location, rules)
    try:
        async with (
            httpx.AsyncClient(
                verify=trust(source),
                proxy=proxy_of(source, location.url),
                trust_env=False,
                timeout=source.timeout_seconds,
                follow_redirects=False,
                headers={"User-Agent": "quayledger", "Accept-Encoding": "identity"},
            ) as http,
            http.stream("GET", location.url) as response,
        ):
            _check_peer(location, response, rules)
            _check_answer(location, response, rules)
            received = 0
            async for piece in response.aiter_raw(CHUNK_BYTES):
                received += len(piece)
                if received > rules.max_file_bytes:
                    raise _too_large(location, rules)
                yield piece
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        told = type(error).__name__
        raise FileLost(f"the export file on {location.shown} cannot be fetched: {told}") from None


def _check_answer(location: FileLocation, response: httpx.Response, rules: CallbackSettings) -> None:
    if response.status_code in _REDIRECTS:
        raise FileRefused(f"the export file's address on {location.shown} redirects elsewhere, which is not followed")
    if response.status_code != 200:
        raise FileLost(f"the export file on {location.shown} cannot be fetched: the answer is {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise FileRefused(f"{location.shown} sends the export file in another encoding than was asked for")
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > rules.max_file_bytes:
        raise _too_large(location, rules)


def _too_large(location: FileLocation, rules: CallbackSettings) -> FileBlocked:
    return FileBlocked(
        f"the export file on {location.shown} is larger than callbacks.max_file_bytes ({rules.max_file_bytes:,} bytes)"
    )


async def _check_names(location: FileLocation, rules: CallbackSettings) -> None:
    """Every address that the host's name stands for must be public."""
    if location.is_own or location.is_proxied or rules.allow_private_addresses:
        return
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(location.host, location.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # a label that is too long for a name
        raise FileLost(f"the export file's host {location.shown} is not known to the name service") from None
    for *_, address in found:
        _check_public(location, str(address[0]), rules)


def _check_peer(location: FileLocation, response: httpx.Response, rules: CallbackSettings) -> None:
    """The name may have stood for another address by the time the connection was made."""
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    if peer and not location.is_proxied:
        _check_public(location, str(peer[0]), rules)


def _check_public(location: FileLocation, text: str, rules: CallbackSettings) -> None:
    if location.is_own or rules.allow_private_addresses or _is_public(text):
        return
    raise FileBlocked(
        f"the export file's host {location.shown} has an address of a private network, {safe(text)}; where that is meant, set "
        "callbacks.allow_private_addresses"
    )


def _is_public(text: str) -> bool:
    address = _address(text)
    return address is not None and address.is_global and not address.is_multicast


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _matches(host: str, port: int, allowed: str) -> bool:
    """`host`, `host:port`, or `*.domain`; IPv6 addresses in brackets where a port follows."""
    name, wanted = _split_host(allowed)
    if not name or (wanted is not None and wanted != port):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) >= len(name)
    return host == name


def _split_host(allowed: str) -> tuple[str, int | None]:
    """Host and port of an entry; '' where it is no host."""
    try:
        parts = urlsplit(f"//{allowed.strip().lower()}")
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def _is_proxied(parts: SplitResult, source: SourceSettings) -> bool:
    return proxy_of(source, parts.geturl()) is not None
