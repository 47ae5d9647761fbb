"""The simulator's registry protocol, as far as it is read: tokens at `/v2/auth`, and what refers to a manifest."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quayledger.simulator.api import access
from quayledger.simulator.api.oidc_caller import caller_of_jwt
from quayledger.simulator.api.operations import REPOSITORY
from quayledger.simulator.api.replies import Caller, Refusal, quay_of, reply
from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.entities.accounts import AccessToken, Account
from quayledger.simulator.entities.content import OCI_INDEX, Manifest, Repository
from quayledger.simulator.oidc import Refused, is_jwt
from quayledger.simulator.quay import Quay
from quayledger.simulator.secret_values import secret

_LIFE_US = 3600 * SECOND_US
_NOT_AUTHORIZED = "access to the requested resource is not authorized"
_PULLING = frozenset({"repo:read"})


def _error(code: str, message: str, status: int, detail: Any, headers: dict[str, str] | None = None) -> Refusal:
    response = reply({"errors": [{"code": code, "detail": detail, "message": message}]}, status)
    response.headers.update(headers or {})
    return Refusal(response)


def _challenge(request: Request) -> dict[str, str]:
    base, name = str(request.base_url).rstrip("/"), request.path_params["repository"]
    scope = f'Bearer realm="{base}/v2/auth",service="{request.url.netloc}",scope="repository:{name}:pull"'
    return {"www-authenticate": scope}


async def _auth(request: Request) -> Response:
    """A token for what the caller may pull of what was asked; anyone may ask for what is public."""
    quay = quay_of(request)
    header = request.headers.get("authorization", "")
    who = await _credentials(quay, header)
    if header and who is None:
        raise _error("UNAUTHORIZED", "Could not find robot or user with those credentials", 401, {})
    paths = [path for scope in request.query_params.getlist("scope") if (path := _path(scope))]
    granted = frozenset(path for path in paths if _may_pull(quay, who, path))
    expires_us = quay.clock.now_us() + _LIFE_US
    value = _sealed(granted, expires_us, who.user.name if who else "(anonymous)")
    quay.registry_tokens[value] = (granted, expires_us)
    headers = {"cache-control": "no-cache, no-store, must-revalidate"}
    return Response(json.dumps({"token": value}) + "\n", 200, headers, "application/json")


def _path(scope: str) -> str:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return name if kind == "repository" and "pull" in actions.split(",") else ""


def _may_pull(quay: Quay, who: Caller | None, path: str) -> bool:
    found = _repository(quay, path)
    if found is None:
        return False
    # Unlike the API, which lets it read by exception, the registry takes a read-only superuser for one who may pull.
    return access.may(who, found, "read") or (who is not None and who.is_readonly_superuser)


def _repository(quay: Quay, path: str) -> Repository | None:
    namespace, _, name = path.partition("/")
    return quay.registry.repository(namespace, name)


async def _credentials(quay: Quay, header: str) -> Caller | None:
    """Basic: `$oauthtoken` with an API token or a JWT of the OIDC provider, `$app` with an application token's code, a robot with its password."""
    scheme, _, coded = header.partition(" ")
    try:
        name, _, password = base64.b64decode(coded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if scheme.lower() != "basic":
        return None
    if name == "$oauthtoken" and is_jwt(password):
        try:
            return await caller_of_jwt(quay, password)
        except Refused as refused:
            raise _error("UNAUTHORIZED", str(refused), 401, {}) from None
    if name == "$oauthtoken":
        token = quay.registry.tokens.get(password)
        good = token is not None and (token.expires_at_us is None or token.expires_at_us > quay.clock.now_us())
        return Caller(quay, token) if token is not None and good else None
    account = _account(quay, name, password)
    return Caller(quay, AccessToken("", account.id, _PULLING)) if account is not None and account.enabled else None


def _account(quay: Quay, name: str, password: str) -> Account | None:
    accounts = quay.registry.accounts.values()
    if name == "$app":
        return next((a for a in accounts if any(t.code == password for t in a.app_tokens)), None)
    account = quay.registry.account(name)
    return account if account is not None and account.robot is not None and account.robot.token == password else None


def _sealed(granted: frozenset[str], expires_us: int, subject: str) -> str:
    """Three parts like a JWT's; the last one is what makes it good."""
    access_list = [{"type": "repository", "name": name, "actions": ["pull"]} for name in sorted(granted)]
    parts = ({"typ": "JWT", "alg": "RS256"}, {"sub": subject, "exp": expires_us // SECOND_US, "access": access_list})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*coded, secret("registry token", subject, expires_us, *sorted(granted))))


async def _referrers(request: Request) -> Response:
    quay, path = quay_of(request), request.path_params["repository"]
    request.scope["operation"] = "getReferrers"
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.count(".") != 2:
        text = json.dumps({"error": "Invalid bearer token format"})
        headers = {**_challenge(request), "content-type": "text/html; charset=utf-8"}
        raise Refusal(Response(text, 401, headers))
    granted, expires_us = quay.registry_tokens.get(value.strip(), (frozenset(), 0))
    if path not in granted or expires_us <= quay.clock.now_us():
        raise _error("UNAUTHORIZED", _NOT_AUTHORIZED, 401, {}, _challenge(request))
    found = _repository(quay, path)
    if found is None:
        raise _error("NAME_UNKNOWN", "repository name not known to registry", 404, {})
    if request.path_params["digest"] not in found.manifests:
        raise _error("MANIFEST_INVALID", "manifest invalid", 400, "")
    return _index(request, found)


def _index(request: Request, found: Repository) -> Response:
    """An OCI index; `artifactType` filters."""
    wanted = request.query_params.get("artifactType")
    referring = [
        m
        for m in found.manifests.values()
        if m.subject == request.path_params["digest"] and (wanted is None or m.artifact_type == wanted)
    ]
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [_descriptor(manifest) for manifest in referring],
    }
    if referring and referring[-1].annotations:
        body["annotations"] = referring[-1].annotations
    headers = {} if wanted is None else {"oci-filters-applied": "artifactType"}
    return Response(json.dumps(body), 200, {**headers, "content-type": OCI_INDEX})


def _descriptor(manifest: Manifest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.manifest_bytes or 600 + len(manifest.layers) * 80,
        "artifactType": manifest.artifact_type,
    }
    return body | ({"annotations": manifest.annotations} if manifest.annotations else {})


ROUTES = [
    Route("/v2/auth", _auth, methods=["GET"]),
    Route(f"/v2/{REPOSITORY}/referrers/{{digest}}", _referrers, methods=["GET"]),
]
