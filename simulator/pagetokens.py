"""The simulator's page tokens: Fernet over JSON, readable for two days, bound to nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from quayledger.simulator.clock import SECOND_US, Clock

LIFE_SECONDS = 2 * 86_400


class PageTokens:
    """Seals what the next page needs, and opens it again while it is young enough by the simulator's clock."""

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self._clock = clock
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"page tokens {seed}".encode()).digest()))

    def seal(self, content: dict[str, Any]) -> str:
        """The text a client sends back as `next_page`; another one at each call."""
        return self._fernet.encrypt_at_time(json.dumps(content).encode(), self._now()).decode()

    def open(self, text: str | None) -> dict[str, Any] | None:
        """What was sealed; None for anything else: nothing, garbage, tampered, too old."""
        if not text:
            return None
        try:
            content = json.loads(self._fernet.decrypt_at_time(text.encode(), LIFE_SECONDS, self._now()))
        except (InvalidToken, ValueError):
            return None
        return content if isinstance(content, dict) else None

    def _now(self) -> int:
        return self._clock.now_us() // SECOND_US
