"""The connection to a source: certificates, proxy, and the headers that carry a token."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Generator

import httpx
from pydantic import SecretStr

from quayledger.collector.quay.http_reply import ACCEPTED_ENCODING
from quayledger.collector.quay.proxies import proxy_for
from quayledger.settings import SettingsError, SourceSettings, reason

REGISTRY_USER = "$oauthtoken"  # the user name under which Quay accepts an API token as a password


class Bearer(httpx.Auth):
    """Adds a token to a request at the last moment, so that no other value holds it in clear."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yields the request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class Basic(httpx.Auth):
    """Basic authentication with an API token as the password of `$oauthtoken`."""

    def __init__(self, token: SecretStr) -> None:
        self._credentials = credentials(token)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yields the request with user and password."""
        request.headers["Authorization"] = f"Basic {self._credentials.get_secret_value()}"
        yield request


def credentials(token: SecretStr) -> SecretStr:
    """User and password, encoded for the header of basic authentication."""
    return SecretStr(base64.b64encode(f"{REGISTRY_USER}:{token.get_secret_value()}".encode()).decode())


def can_be_sent(token: str) -> bool:
    """Whether an HTTP header can hold the token: otherwise the HTTP library's error would show it in clear."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def usable(token: SecretStr, source: SourceSettings) -> SecretStr:
    """The token of the settings. Raises SettingsError if an HTTP header cannot hold it."""
    if can_be_sent(token.get_secret_value()):
        return token
    raise SettingsError(
        f"the token for {source.url} contains a space, a line break or another character that no token has. Set it again"
    )


def connection(source: SourceSettings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """The HTTP client for a source. Raises SettingsError if the CA file or the proxy cannot be used."""
    trusted = trust(source)
    proxy = proxy_of(source, source.url)
    try:
        return httpx.AsyncClient(
            base_url=source.url,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": ACCEPTED_ENCODING,
                "User-Agent": "quayledger",
            },
            timeout=source.timeout_seconds,
            transport=transport,
            verify=trusted,
            proxy=proxy,
            trust_env=False,  # the proxy and the certificates of the environment are read here
            follow_redirects=False,
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        raise SettingsError(
            f"the proxy for {source.url} cannot be used: check `proxy`, or HTTPS_PROXY, HTTP_PROXY and ALL_PROXY. "
            "It must be an http:// or https:// address"
        ) from None


def provider_connection(source: SourceSettings, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """The HTTP client for the token endpoint of a source's OIDC provider. Raises SettingsError as `connection` does."""
    endpoint = source.oidc_token_endpoint or ""
    return httpx.AsyncClient(
        headers={"Accept": "application/json", "Accept-Encoding": ACCEPTED_ENCODING, "User-Agent": "quayledger"},
        timeout=source.timeout_seconds,
        transport=transport,
        verify=trust(source),
        proxy=proxy_of(source, endpoint),
        trust_env=False,
        follow_redirects=False,
    )


def proxy_of(source: SourceSettings, url: str) -> str | None:
    """The proxy for a connection on a source's behalf; None: connect directly."""
    return source.proxy or proxy_for(url, os.environ)


def trust(source: SourceSettings) -> ssl.SSLContext | bool:
    """The certificates that connections for a source accept. Raises SettingsError."""
    if not source.verify_tls:
        return False
    named = {"ca_file": source.ca_file, "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE")}
    for name, path in named.items():
        if path:
            return _trusting(name, str(path), source)
    if folder := os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=folder)
    return True


def _trusting(name: str, path: str, source: SourceSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        why = "it contains no certificate that can be read"
    except OSError as error:
        why = reason(error)
    raise SettingsError(
        f"{name} {path} for {source.url} cannot be used: {why}. It must be a PEM file with certificates"
    )


def is_tls(error: BaseException | None) -> bool:
    """Whether the TLS handshake failed; a connection that merely ends is not a TLS failure."""
    while error is not None:
        if "EOF" in str(error):
            return False
        if isinstance(error, ssl.SSLError) or "SSL" in str(error) or "CERTIFICATE" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
