"""Addresses: whether the text that Quay stored as an event's address is a certain address, or of a certain network. Pure.

One address has several spellings: `::ffff:10.0.0.1`, IPv6 with or without its zeros, in upper case, with a zone or a port. Behind
proxies the text may be a list, the client first; each address of a list counts.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import polars as pl

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")


def network_of(text: str) -> Network | None:
    """The address or network (`10.0.0.0/8`, `2001:db8::/32`) that somebody asks for; None if it is neither."""
    single = _address(text)
    if single is not None:
        return ipaddress.ip_network(single)
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        return ipaddress.ip_network((mapped, found.prefixlen - 96)) if mapped else found
    return found


def addresses_of(stored: str) -> list[Address]:
    """The addresses of a stored text, in its order; what is none is left out."""
    return [found for part in stored.split(",") if (found := _address(part)) is not None]


def is_within(stored: str, network: Network) -> bool:
    """Whether any address of a stored text is of the network."""
    return any(address.version == network.version and address in network for address in addresses_of(stored))


def texts_within(stored: Sequence[str], network: Network) -> list[str]:
    """Those of the stored texts of which any address is of the network. There are many, and most are plain IPv4 addresses."""
    texts = pl.Series("text", stored, dtype=pl.String)
    plain = texts.str.contains(_PLAIN)
    found = [text for text in texts.filter(~plain) if is_within(text, network)]
    if network.version == 4:
        octets = texts.filter(plain).str.split(".").list.eval(pl.element().cast(pl.Int64))
        number = sum((octets.list.get(place) * 256 ** (3 - place) for place in range(4)), start=pl.Series([0]))
        valid = octets.list.max() <= 255
        inside = number.is_between(int(network.network_address), int(network.broadcast_address)) & valid
        found += texts.filter(plain).filter(inside).to_list()
    return sorted(found)


_PLAIN = r"^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$"


def _address(text: str) -> Address | None:
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
