"""Which proxy a connection takes, from the environment, as people write it there. Pure.

`HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` name it; `NO_PROXY` lists what is reached directly: names (`example.com` and all below
it), `*`, addresses, networks of IPv4 and IPv6 (`10.0.0.0/8`, `fd01::/48`), each with `:port` or `:*` where somebody wrote one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d+|\*)")


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The address of the proxy for a URL; None: connect directly."""
    parts = urlsplit(url)
    proxy = _named(environ, f"{parts.scheme}_proxy") or _named(environ, "all_proxy")
    if not proxy or is_direct(parts.hostname or "", parts.port or _PORTS[parts.scheme], _named(environ, "no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_direct(host: str, port: int, no_proxy: str) -> bool:
    """Whether `NO_PROXY` names a host. What it holds that is neither a name, an address nor a network is passed over."""
    return any(_names(entry, host.lower().rstrip("."), port) for entry in re.split(r"[,\s]+", no_proxy) if entry)


def _named(environ: Mapping[str, str], name: str) -> str:
    """In capitals or not; the latter counts more, as with curl."""
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _names(entry: str, host: str, port: int) -> bool:
    entry = entry.lower()
    if entry == "*":
        return True
    if match := _WITH_PORT.fullmatch(entry):
        if match[3] not in ("*", str(port)):
            return False
        entry = match[1] or match[2]
    entry = entry.strip("[]")
    address = _address(host)
    if address is not None:
        return _holds(entry, address)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return network.version == address.version and address in network


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
