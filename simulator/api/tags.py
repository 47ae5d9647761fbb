"""The simulator's tag operations: the history of tags, and how often they were pulled."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from quayledger.simulator.api import access, views
from quayledger.simulator.api.operations import Operation
from quayledger.simulator.api.replies import not_found, quay_of, reply
from quayledger.simulator.api.repositories import size_of
from quayledger.simulator.clock import rfc_822
from quayledger.simulator.entities.content import Repository, Tag

_USUAL_LIMIT, _LIMIT_AT_MOST = 50, 100


def _list(request: Request) -> Response:
    """Newest first, deleted ones too unless `onlyActiveTags`; a limit above 100 is cut without a word."""
    _, found = access.of_repository(request, "read")
    quay = quay_of(request)
    now_ms = quay.clock.now_us() // 1000
    page = max(1, views.number(request, "page", 1))
    limit = min(_LIMIT_AT_MOST, max(1, views.number(request, "limit", _USUAL_LIMIT)))
    tags = _wanted(request, found, now_ms)
    shown = tags[(page - 1) * limit : page * limit]
    immutable = bool(quay.config.immutable_tags)
    rows = [_row(found, tag, immutable=immutable) for tag in shown]
    return reply({"tags": rows, "page": page, "has_additional": len(tags) > page * limit})


def _wanted(request: Request, found: Repository, now_ms: int) -> list[Tag]:
    """`specificTag`, and `filter_tag_name` with `like:` or `eq:`."""
    query = request.query_params
    name, (how, _, text) = query.get("specificTag"), query.get("filter_tag_name", "").partition(":")
    active = views.flag(request, "onlyActiveTags")
    tags = [
        tag
        for tag in reversed(found.tags)
        if (not active or tag.is_alive(now_ms))
        and (not name or tag.name == name)
        and (not text or (tag.name == text if how == "eq" else text in tag.name))
    ]
    return sorted(tags, key=lambda tag: -tag.start_ms)


def _row(found: Repository, tag: Tag, *, immutable: bool) -> dict[str, Any]:
    manifest = found.manifests.get(tag.digest)
    body: dict[str, Any] = {"name": tag.name, "reversion": tag.reversion, "start_ts": tag.start_ms // 1000}
    ends = views.end_ts(tag.end_ms)
    if ends is not None:
        body["end_ts"] = ends
    body["manifest_digest"] = tag.digest
    body["is_manifest_list"] = manifest is not None and manifest.is_list
    body["size"] = size_of(found.manifests, tag.digest)
    body["last_modified"] = rfc_822(tag.start_ms // 1000 * 1_000_000)
    if ends is not None:
        body["expiration"] = rfc_822(ends * 1_000_000)
    if immutable:
        body["immutable"] = tag.immutable
    return body


def _pulls(request: Request) -> Response:
    """Of a tag that stands, and of the manifest behind it."""
    _, found = access.of_repository(request, "read")
    tag = found.standing(request.path_params["tag"], quay_of(request).clock.now_us() // 1000)
    if tag is None:
        raise not_found(request)
    pulls, manifest = found.tag_pulls.get(tag.name), found.manifests.get(tag.digest)
    body: dict[str, Any] = {
        "tag_name": tag.name,
        "tag_pull_count": pulls.count if pulls else 0,
        "last_tag_pull_date": views.stamp(pulls.last_us) if pulls else None,
        "current_manifest_digest": tag.digest,
        "manifest_pull_count": manifest.pulls if manifest else 0,
        "last_manifest_pull_date": views.stamp(manifest.last_pull_us) if manifest else None,
    }
    return reply(body)


_PATH = "/repository/{repository}/tag"
_QUERY = ("onlyActiveTags", "page", "limit", "filter_tag_name", "specificTag")
OPERATIONS = (
    Operation("listRepoTags", f"{_PATH}/", _list, "repo:read", _QUERY),
    Operation(
        "getTagPullStatistics", f"{_PATH}/{{tag}}/pull_statistics", _pulls, "repo:read", feature="pull_statistics"
    ),
)
