"""Settings as people write them: in the environment, in files, with quotes, commas and hyphens; and what is said of mistakes."""

from __future__ import annotations

import ssl
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr

from quayledger.collector.quay.connection import connection, proxy_of, trust
from quayledger.collector.quay.proxies import is_direct, proxy_for
from quayledger.environment import variable
from quayledger.service.config_template import settings_text
from quayledger.settings import Settings, SettingsError, SourceSettings, load

URL = "https://quay.example.com"
MAIN = "QUAYLEDGER_SOURCES__MAIN__"


def loaded(home: Path, monkeypatch: pytest.MonkeyPatch, toml: str = "", **environment: str) -> Settings:
    for name, value in {f"{MAIN}URL": URL, **environment}.items():
        monkeypatch.setenv(name, value)
    (home / "quayledger.toml").write_text(toml, encoding="utf-8")
    return load(home)


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("superuser", ("superuser",)),
        ("organization:acme, user:bob", ("organization:acme", "user:bob")),
        ("organization:acme,", ("organization:acme",)),
        ('["superuser"]', ("superuser",)),
        ("", ()),
        ("  ", ()),
    ],
)
def test_a_list_is_read_as_people_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, scopes: tuple[str, ...]
) -> None:
    assert loaded(tmp_path, monkeypatch, **{f"{MAIN}SCOPES": text}).sources["main"].scopes == scopes


def test_lists_of_days_empty_variables_and_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = f'[sources.prod-eu]\nurl = "{URL}"\nretries = 3\n[collect]\nbackfill_days = 9\n'
    settings = loaded(
        tmp_path,
        monkeypatch,
        "\ufeff" + toml,
        QUAYLEDGER_COLLECT__EXCLUDE_DAYS="2026-11-01, 2026-11-02",
        QUAYLEDGER_COLLECT__START="",
        QUAYLEDGER_SOURCES__PROD_EU__TOKEN="abc",
        QUAYLEDGER_SOURCES__PROD_EU__CHAINS="4",
        QUAYLEDGER_CALLBACKS='{"port": 9000}',
        QUAYLEDGER_CALLBACKS__ADDRESS="127.0.0.2",
        QUAYLEDGER_HOME="somewhere",
    )
    assert settings.collect.exclude_days == (date(2026, 11, 1), date(2026, 11, 2))
    assert (settings.collect.start, settings.collect.backfill_days) == (None, 9)
    source = settings.sources["prod-eu"]
    assert (source.secret("prod-eu").get_secret_value(), source.retries, source.chains) == ("abc", 3, 4)
    assert (settings.callbacks.port, settings.callbacks.address) == (9000, "127.0.0.2")


def test_the_variable_that_is_named_can_be_set_by_a_shell(tmp_path: Path) -> None:
    assert variable("sources", "prod-eu", "token") == "QUAYLEDGER_SOURCES__PROD_EU__TOKEN"
    assert "PROD-EU" not in settings_text("prod-eu", URL)
    (tmp_path / "quayledger.toml").write_text(f'[sources.prod-eu]\nurl = "{URL}"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="no token") as caught:
        load(tmp_path).sources["prod-eu"].secret("prod-eu")
    assert "-" not in str(caught.value).partition("QUAYLEDGER_")[2].split()[0]


@pytest.mark.parametrize("text", ["abc", "\ufeffabc\n", '"abc"\n', "'abc'", " abc \r\n"])
def test_a_token_is_read_without_what_is_round_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    assert SourceSettings(url=URL, token_file=path).secret("main").get_secret_value() == "abc"
    assert SourceSettings(url=URL, token=SecretStr(text)).secret("main").get_secret_value() == "abc"


@pytest.mark.parametrize(
    ("toml", "environment", "says"),
    [
        ("[sources.main]\nurl = 7", {}, "sources.main.url: must be"),
        ("x = 1", {}, "x: is not a setting"),
        ("", {f"{MAIN}URL": "quay"}, f"(in {MAIN}URL)"),
        ("", {f"{MAIN}CHAINS": "many"}, f"(in {MAIN}CHAINS)"),
        ("", {f"{MAIN}SCOPES": "[superuser"}, "commas"),
        ("", {"QUAYLEDGER_COLLECT__START": "yesterday"}, "collect.start"),
        ("", {"QUAYLEDGER_COLLECT": "7"}, "collect"),
        ("[sources.main]\ntoken = 'x'", {}, "does not belong in this file"),
        ("[sources.main]\noidc_client_secret = 'x'", {}, "does not belong in this file"),
        ("[sources.A]\nurl = 'http://x'", {}, "must be 1 to 40"),
        ("[[", {}, "not valid TOML"),
    ],
)
def test_a_mistake_is_said_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, environment: dict[str, str], says: str
) -> None:
    monkeypatch.delenv(f"{MAIN}URL", raising=False)
    if toml == "[sources.main]\nurl = 7":
        says, environment = "sources.main.url", {f"{MAIN}URL": ""}
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, monkeypatch, toml, **environment)
    assert says in str(caught.value)
    assert "Value error" not in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(SettingsError, match="is a file, not a folder") as caught:
        load(tmp_path / "home")
    assert "Errno" not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("fd01::/48", "fd01::7", 443, True),
        ("fd01::/48", "fd02::7", 443, False),
        ("[::1]", "::1", 443, True),
        ("[::1]:8443", "::1", 443, False),
        ("10.0.0.0/8,192.168.0.0/16", "192.168.4.5", 443, True),
        ("10.0.0.0/8", "11.0.0.1", 443, False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 443, True),
        ("quay.example.com:*", "quay.example.com", 443, True),
        ("quay.example.com:8443", "quay.example.com", 443, False),
        (".cluster.local .svc", "quay.ns.svc", 443, True),
        ("*.example.com", "quay.example.com", 443, True),
        ("example.com", "quay.example.com", 443, True),
        ("ample.com", "quay.example.com", 443, False),
        ("EXAMPLE.com.", "quay.example.com", 443, True),
        ("*", "anything", 1, True),
        (":::/x, ,10.0.0.0/99,[", "10.0.0.1", 443, False),
        ("", "quay.example.com", 443, False),
    ],
)
def test_no_proxy_is_read_as_people_write_it(no_proxy: str, host: str, port: int, direct: bool) -> None:
    assert is_direct(host, port, no_proxy) is direct
    named = f"[{host}]" if ":" in host else host
    environ = {"https_proxy": "proxy.example:3128", "NO_PROXY": no_proxy}
    assert proxy_for(f"https://{named}:{port}/x", environ) == (None if direct else "http://proxy.example:3128")


def test_a_connection_is_made_whatever_no_proxy_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "fd01::/48,[::1],registry:*,10.0.0.0/8,*.svc")
    source = SourceSettings(url=URL, token=SecretStr("x"))
    connection(source, None)
    assert proxy_of(source, URL) == "http://proxy.example:3128"
    assert proxy_of(source, "https://[fd01::7]/") is None
    assert proxy_of(source.model_copy(update={"proxy": "http://own:1"}), "https://[fd01::7]/") == "http://own:1"


def test_certificates_that_are_missing_are_said_with_the_name_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE .*no such file") as caught:
        trust(SourceSettings(url=URL))
    assert "Errno" not in str(caught.value)
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(SettingsError, match=r"ca_file .*no certificate"):
        trust(SourceSettings(url=URL, ca_file=empty))
    monkeypatch.setenv("SSL_CERT_FILE", ssl.get_default_verify_paths().openssl_cafile or "")
