"""The generator's stage: turns what the cast does into log rows, with metadata shaped as Quay's for each kind."""

from __future__ import annotations

import hashlib
import json
import random
from array import array
from typing import Any

from quayledger.simulator.clock import DAY_US, SECOND_US
from quayledger.simulator.entities.accounts import Account
from quayledger.simulator.generate.world import CONTINENTS, Person, Place, World
from quayledger.simulator.images import uuid_of as app_token_uuid
from quayledger.simulator.table import Row

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
HOUR_US = 3600 * SECOND_US
MINUTE_US = 60 * SECOND_US


class Stage:
    """Collects rows of [start, end); what falls outside is not written."""

    def __init__(self, world: World, rng: random.Random, start_us: int, end_us: int, unit_us: int) -> None:
        self.world, self.rng = world, rng
        self.start_us, self.end_us, self._unit_us = start_us, end_us, unit_us
        self.rows: list[Row] = []
        self.pulls = array("q")  # where the pulls are
        self._texts: dict[tuple[object, ...], bytes] = {}

    def at(self, part: float) -> int:
        """The moment at a share of the whole stretch."""
        return self.start_us + round(part * (self.end_us - self.start_us))

    def add(
        self,
        at_us: int,
        kind: str,
        account: Account,
        metadata: dict[str, Any] | bytes,
        *,
        by: Account | None = None,
        place: Place | None = None,
        ip: str | None = None,
    ) -> bool:
        """One row; says whether it fell into the stretch. Round moments are moved within their second: no ties."""
        if at_us % 1000 == 0:
            at_us += self.rng.randrange(SECOND_US)
        if not self.start_us <= at_us < self.end_us:
            return False
        text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
        stamp_us = at_us // self._unit_us * self._unit_us
        repository_id = place.repository.id if place else 0
        self.rows.append(Row(stamp_us, kind, account.id, by.id if by else 0, repository_id, ip, text))
        return True

    def act(
        self, at_us: int, kind: str, person: Person, account: Account, metadata: dict[str, Any], **more: Any
    ) -> None:
        """A row of what a person does from where they sit."""
        self.add(at_us, kind, account, metadata, by=person.account, ip=person.ip, **more)

    def transfer(
        self,
        at_us: int,
        kind: str,
        place: Place,
        tag: str,
        client: str,
        ip: str,
        *,
        by: Account | None = None,
        by_digest: bool = False,
        country: str | None = None,
    ) -> None:
        """A pull_repo or push_repo row."""
        namespace = self.world.name(place.account, at_us)
        user = self.world.name(by, at_us) if by else None
        key = (place.repository.id, namespace, tag, client, user, by_digest, country)
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = self._metadata(place, namespace, tag, client, user, by, by_digest, country)
        if self.add(at_us, kind, place.account, text, by=by, place=place, ip=ip) and kind == "pull_repo":
            self.pulls.append(len(self.rows) - 1)

    def _metadata(
        self,
        place: Place,
        namespace: str,
        tag: str,
        client: str,
        user: str | None,
        by: Account | None,
        by_digest: bool,
        country: str | None,
    ) -> bytes:
        metadata: dict[str, Any] = {"repo": place.repository.name, "namespace": namespace, "user-agent": client}
        if by_digest:
            metadata |= {"mediaType": MEDIA_TYPE, "manifest_digest": digest(place, tag)}
        else:
            metadata |= {"tag": tag, "mediaType": MEDIA_TYPE}
        if user is not None:
            metadata["username"] = user
        if by is not None and by.kind == "robot":
            metadata["is_robot"] = True
        elif by is not None and (title := self.world.token_title(by)):
            metadata |= {"app_specific_token_title": title, "app_specific_token": app_token_uuid("app token", by.id)}
        metadata["resolved_ip"] = resolved(country)
        return json.dumps(metadata).encode()


def resolved(country: str | None) -> dict[str, Any]:
    """What Quay makes of an address."""
    return {
        "provider": "internet",
        "service": None,
        "sync_token": "1645662201",
        "country_iso_code": country,
        "aws_region": None,
        "continent": CONTINENTS.get(country or ""),
    }


def digest(place: Place, tag: str) -> str:
    """The manifest behind a tag, always the same."""
    return "sha256:" + hashlib.sha256(f"{place.repository.id} {tag}".encode()).hexdigest()


def uuid_of(rng: random.Random) -> str:
    """A version 4 UUID of the seed's."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


class Rhythm:
    """When things happen: hours of the stretch, weighted by the hour and weekday of a zone."""

    def __init__(self, start_us: int, end_us: int, hours: tuple[float, ...], utc_offset: int, weekend: float) -> None:
        self._start_us, self._end_us = start_us, end_us
        self._bins = range(start_us // HOUR_US, -(-end_us // HOUR_US))
        self._cumulative: list[float] = []
        total = 0.0
        for hour in self._bins:
            local = hour + utc_offset
            # 1970 began on a Thursday
            is_weekend = (local * HOUR_US // DAY_US + 3) % 7 >= 5
            total += hours[local % 24] * (weekend if is_weekend else 1.0)
            self._cumulative.append(total)

    def draw(self, rng: random.Random, count: int) -> list[int]:
        """So many moments, unsorted."""
        if not self._cumulative or self._cumulative[-1] <= 0:
            return [rng.randrange(self._start_us, self._end_us) for _ in range(count)]
        moments = []
        for hour in rng.choices(self._bins, cum_weights=self._cumulative, k=count):
            low, high = max(hour * HOUR_US, self._start_us), min((hour + 1) * HOUR_US, self._end_us)
            moments.append(low + int(rng.random() * (high - low)))
        return moments


FLAT = (1.0,) * 24
OFFICE = (0.05,) * 7 + (0.3, 0.8, 1.0, 1.0, 0.9, 0.6, 0.9, 1.0, 1.0, 0.8, 0.5, 0.25, 0.2, 0.15, 0.1, 0.05, 0.05)
NIGHT = (0.2, 1.0, 1.0, 0.6, 0.2) + (0.0,) * 19
