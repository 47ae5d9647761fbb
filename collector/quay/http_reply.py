"""Reads one HTTP reply with a bound on what it may take, packed or not. I/O."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import httpx
import msgspec

MOST_BYTES = 64 * 1024 * 1024
MOST_ERROR_BYTES = 64 * 1024  # of a reply that is only looked at for its explanation
ACCEPTED_ENCODING = "gzip"  # one encoding, because a chain of them can unpack without limit


class ReplyTooLarge(Exception):
    """A reply went beyond its bound and was not read further."""


class HttpReply(msgspec.Struct, frozen=True):
    """A reply as it came, unpacked."""

    status_code: int
    headers: httpx.Headers
    content: bytes
    url: httpx.URL


async def read_reply(response: httpx.Response, good: tuple[int, ...]) -> HttpReply:
    """Reads the body of a streamed response and closes it. Of a reply whose status is not `good`, only the beginning.

    Raises ReplyTooLarge, and httpx.RequestError for what ends too early or is packed in an unknown or broken way."""
    is_good = response.status_code in good
    limit = MOST_BYTES if is_good else MOST_ERROR_BYTES
    content = bytearray()
    try:
        unpack = _unpacker(response)
        # `response.stream` and not `aiter_bytes`, which would unpack a whole chunk before its size could be checked.
        async for chunk in response.stream:  # type: ignore[union-attr]
            content += unpack(chunk, limit + 1 - len(content))
            if len(content) > limit:
                if is_good:
                    raise ReplyTooLarge(f"the reply is larger than {limit // 1024 // 1024} MiB")
                del content[limit:]
                break
        else:
            unpack(b"", 0)
    finally:
        await response.aclose()
    return HttpReply(response.status_code, response.headers, bytes(content), response.url)


def _unpacker(response: httpx.Response) -> Callable[[bytes, int], bytes]:
    """Unpacks chunk by chunk, never more than asked for; an empty chunk says that the body ends."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return lambda chunk, most: chunk[:most]
    if encoding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError(f"the reply is packed as {encoding[:40]!r}, which was not asked for")
    gzip = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def unpack(chunk: bytes, most: int) -> bytes:
        if not chunk:
            if not gzip.eof:
                raise httpx.DecodingError("the packed reply ends too early")
            return b""
        try:
            return b"" if gzip.eof else gzip.decompress(chunk, max(1, most))
        except zlib.error as error:
            raise httpx.DecodingError(f"the packed reply is broken: {error}") from None

    return unpack
