"""Callbacks: addresses that Quay calls when an export is done, and what was received there. Thread-safe, no I/O.

An address is made for one export, is never used for another, and expires. It is no secret (Quay writes it into the log), so
what comes in on it is a hint where to look and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from quayledger.collector.log.days import utc_now

PATH = "/callbacks/exports/"
MAX_BODY_BYTES = 64 * 1024
MAX_CALLBACKS = 1000  # Quay sends nine at most; the rest is room for the true one among forged ones
_MAX_URL = 16 * 1024


class Callback(msgspec.Struct, frozen=True):
    """What a callback says. `status`: success | failed | timedout | invalidrequest; the dates as Quay writes them."""

    export_id: str
    status: str
    namespace: str | None = None
    repository: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    exported_data_url: str | None = None


_decode = msgspec.json.Decoder(Callback).decode


class CallbackAddress:
    """One address. `next` gives what came in, in its order."""

    def __init__(self, token: str, url: str, expires_at: datetime) -> None:
        self.token, self.url, self.expires_at = token, url, expires_at
        self._loop = asyncio.get_running_loop()
        self._received: asyncio.Queue[Callback] = asyncio.Queue()
        self._seen: set[bytes] = set()

    async def next(self, seconds: float) -> Callback | None:
        """The next callback; None where none came in time."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                return await self._received.get()
        except TimeoutError:
            return None

    def put(self, body: bytes, callback: Callback) -> bool:
        """Whether the callback is a new one. For the registry, under its lock."""
        mark = hashlib.blake2b(body, digest_size=16).digest()
        if mark in self._seen or len(self._seen) >= MAX_CALLBACKS:
            return False
        self._seen.add(mark)
        # The loop that waits may be gone by now; then nobody minds.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._received.put_nowait, callback)
        return True


class CallbackRegistry:
    """All addresses in use. `public_url`: where Quays reach the callback server; '' until it is open. `unavailable`: why it
    cannot be opened."""

    def __init__(self, public_url: str = "", *, unavailable: str = "", now: Callable[[], datetime] = utc_now) -> None:
        self.public_url, self.unavailable = public_url, unavailable
        self._now = now
        self._lock = threading.Lock()
        self._addresses: dict[str, CallbackAddress] = {}

    def open(self, life: timedelta) -> CallbackAddress:
        """A new address, good for so long. Must be called where it will be waited for."""
        token = secrets.token_urlsafe(32)
        address = CallbackAddress(token, f"{self.public_url.rstrip('/')}{PATH}{token}", self._now() + life)
        with self._lock:
            self._addresses[token] = address
        return address

    def close(self, address: CallbackAddress) -> None:
        """The address is of no use any more."""
        with self._lock:
            self._addresses.pop(address.token, None)

    def deliver(self, token: str, body: bytes) -> bool:
        """Takes what was sent to an address; whether it was kept: not for an address that nobody waits on, not twice, not
        where it is no callback of Quay's. Whoever sent it is told nothing of that."""
        try:
            callback = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if len(callback.exported_data_url or "") > _MAX_URL:
            return False
        with self._lock:
            address = self._addresses.get(token)
            return address is not None and self._now() < address.expires_at and address.put(body, callback)
