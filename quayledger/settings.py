"""All settings of quayledger in one typed tree, read from a TOML file, the environment and secret files.

Order of precedence, strongest first: environment variables (`QUAYLEDGER_…`, see `quayledger.environment`), then
`quayledger.toml` in the folder of the ledger (or the file that `QUAYLEDGER_CONFIG` names), then the defaults below.
A secret never comes from the TOML file: it is in an environment variable such as `QUAYLEDGER_SOURCES__<ID>__TOKEN`, or in
the file that a setting such as `token_file` names.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from quayledger.environment import PREFIX, listed, merged, read_environment, variable

CONFIG_NAME = "quayledger.toml"
DEFAULT_HOME = Path("ledger")
SECRETS = frozenset({"token", "oidc_client_secret", "target_url"})  # never in the file
REQUEST_CPU_SECONDS = {"token": 0.25, "oidc": 0.015}
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_BYTE_ORDER_MARK = "\ufeff"


class SettingsError(Exception):
    """A setting is missing, malformed or contradicts another; the text says which one, where, and what to do."""


def _checked_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// address with a host, such as https://quay.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "must not contain a user, password, query or fragment; the token belongs in TOKEN or TOKEN_FILE"
        )
    if parts.port == 0:
        raise ValueError("must not have port 0")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


Url = Annotated[str, AfterValidator(_checked_url)]
Texts = Annotated[tuple[str, ...], BeforeValidator(listed)]
Dates = Annotated[tuple[date, ...], BeforeValidator(listed)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SourceSettings(_Section):
    """One Quay and the account that reads it. The key in `[sources.<id>]` is the permanent id of the source."""

    url: Url = Field(description="Address of the Quay, such as https://quay.example.com.")
    token: SecretStr | None = Field(
        default=None, description="OAuth access token. Environment variable only; not allowed in this file."
    )
    token_file: Path | None = Field(
        default=None,
        description="File that contains only the token, such as a mounted secret. With auth = oidc it is read again for "
        "each new token.",
    )
    auth: Literal["token", "oidc"] = Field(
        default="token",
        description="token: an OAuth application token, which costs Quay about 0.25 s of CPU for each request. oidc: a "
        "token of Quay's OIDC provider, about a sixteenth of that; from the provider, or from token_file.",
    )
    oidc_token_endpoint: Url | None = Field(
        default=None, description="Token endpoint of the provider, https, for client credentials."
    )
    oidc_client_id: str = Field(default="", description="Client id at the provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Client secret. Environment variable only; not allowed in this file."
    )
    oidc_client_secret_file: Path | None = Field(default=None, description="File that contains only the client secret.")
    oidc_scope: str = Field(default="", description="Scopes to ask the provider for, separated by spaces.")
    oidc_issuer: str = Field(default="", description="The `iss` that Quay expects (OIDC_SERVER in its configuration).")
    oidc_audience: str = Field(
        default="",
        description="The `aud` that Quay expects (CLIENT_ID, or one of OIDC_AUDIENCES, in its configuration).",
    )
    oidc_username: str = Field(
        default="",
        description="Name of the account in Quay. Compared with what Quay says, because it may create another by itself.",
    )
    name: str = Field(default="", description="Name to show; the id if empty. May change at any time.")
    enabled: bool = Field(default=True, description="false: keep what is stored, send no requests.")
    scopes: Texts = Field(
        default=(),
        description="What to collect: `superuser`, `organization:NAME`, `user:NAME`, `repository:NAMESPACE/NAME`. "
        "Empty: everything that the token may read.",
    )
    requests_per_second: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="Average number of requests per second at most. Not set: 1 with auth = token; with auth = oidc only "
        "cpu_share counts. If only this one is set, cpu_share does not count.",
    )
    cpu_share: float = Field(
        default=0.25,
        gt=0,
        le=64,
        description="CPU of the source that requests may take, in cores. What a request takes is measured: the time of a "
        "reply while no other is awaited.",
    )
    chains: int = Field(default=2, ge=1, le=32, description="How many requests may run at the same time.")
    timeout_seconds: float = Field(default=60.0, gt=0, le=600, description="How long one reply may take.")
    retries: int = Field(default=5, ge=0, le=20, description="How often a failed request is retried.")
    verify_tls: bool = Field(default=True, description="false: accept any certificate. Only for a test installation.")
    ca_file: Path | None = Field(default=None, description="PEM file with the certificate authorities to trust.")
    proxy: Url | None = Field(
        default=None,
        description="HTTP proxy for this source. Default: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.",
    )

    exports: Literal["off", "repair", "prefer"] = Field(
        default="off",
        description="off: pages only. repair: an export where pages fall short. prefer: an export where it costs less. "
        "Each export leaves an `export_logs_success` row in the log that is exported.",
    )

    @property
    def most_requests_per_second(self) -> float | None:
        """The limit by number of requests; None where there is none."""
        is_set = "requests_per_second" in self.model_fields_set
        return self.requests_per_second if is_set or self.auth == "token" else None

    @property
    def most_cpu(self) -> float | None:
        """The limit by CPU of the source, in cores; None where only the other one is set."""
        is_given = "requests_per_second" in self.model_fields_set and "cpu_share" not in self.model_fields_set
        return None if is_given else self.cpu_share

    @property
    def request_cpu_seconds(self) -> float:
        """CPU that a request takes at the source by what was measured on a real Quay, before it is measured here."""
        return REQUEST_CPU_SECONDS[self.auth]

    @property
    def expected_rate(self) -> float:
        """Requests per second to plan with, as long as nothing was measured."""
        limits = [self.most_requests_per_second, self.most_cpu and self.most_cpu / self.request_cpu_seconds]
        return min(limit for limit in limits if limit is not None)

    def secret(self, source_id: str) -> SecretStr:
        """The token, from the setting or its file. `source_id` is for the message. Raises SettingsError if there is none."""
        return self._secret(source_id, self.token, self.token_file, "token")

    def client_secret(self, source_id: str) -> SecretStr:
        """The secret of the OIDC client, from the setting or its file. Raises SettingsError if there is none."""
        return self._secret(source_id, self.oidc_client_secret, self.oidc_client_secret_file, "oidc_client_secret")

    def _secret(self, source_id: str, given: SecretStr | None, path: Path | None, name: str) -> SecretStr:
        what = name.removeprefix("oidc_").replace("_", " ")
        whose, variable_name = f"the source {source_id} ({self.url})", variable_of(source_id, name)
        return _read_secret(what, whose, self.url, given, path, variable_name)


def _read_secret(
    what: str, whose: str, place: str, given: SecretStr | None, path: Path | None, named: str
) -> SecretStr:
    """A secret from its setting or its file. `named`: the variable that sets it. Raises SettingsError where there is none."""
    if given is not None and (text := _bare(given.get_secret_value())):
        return SecretStr(text)
    if path is None:
        raise SettingsError(f"no {what} for {whose}: set {named}, or name a file that holds it with {named}_FILE")
    try:
        text = _bare(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SettingsError(f"the {what} file {path} for {place} is not a text file in UTF-8") from None
    except OSError as error:
        raise SettingsError(
            f"the {what} file {path} for {place} cannot be read: {reason(error)}. Check the path and its permissions"
        ) from None
    if not text or len(text.split()) != 1:
        raise SettingsError(f"the {what} file {path} for {place} must contain only the {what}, on one line")
    return SecretStr(text)


def check_source_id(source_id: str, what: str = "source") -> None:
    """Raises ValueError for what cannot be the id of a source, or of `what`."""
    if not _ID.fullmatch(source_id):
        raise ValueError(f"the {what} id {source_id!r} must be 1 to 40 of a-z 0-9 _ - and begin with a letter or digit")


def variable_of(source_id: str, setting: str) -> str:
    """The environment variable of a source's setting. A shell cannot set a name with a dash: an underscore stands for it."""
    return variable("sources", source_id, setting)


class CollectSettings(_Section):
    """What to collect, and how far back."""

    backfill_days: int = Field(default=31, ge=1, le=3660, description="Days before today that the first sync fetches.")
    start: date | None = Field(default=None, description="Never fetch days before this one (YYYY-MM-DD).")
    exclude_days: Dates = Field(default=(), description="UTC days to leave out; their state is `excluded`.")
    grace_minutes: int = Field(
        default=30, ge=0, le=1440, description="Wait after midnight UTC for late events, before a day counts as closed."
    )
    settle_seconds: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="Events younger than this are left for the next run, because more may still come in the same second.",
    )
    recount_days: int = Field(
        default=62, ge=0, le=3660, description="How far back sealed days are counted again, once a week."
    )
    repair_requests: int = Field(
        default=1000,
        ge=0,
        le=100_000,
        description="Requests that the repair of one short day may take in a run, more where more is missing; 0: none.",
    )


class DetectionSettings(_Section):
    """The detection rules, which judge what was collected and raise alerts."""

    enabled: bool = Field(default=True, description="false: `serve` runs no rules; `alerts refresh` still does.")
    run_every_minutes: float = Field(
        default=1.0, gt=0, le=1440, description="How often `serve` looks whether there is a new copy to judge."
    )
    sigma: Path | None = Field(
        default=None,
        description="Folder of your own rules as Sigma YAML files; relative to the folder of the ledger. `quayledger detect lint` checks it.",
    )
    rules: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="By id or name of a rule: `enabled = false`, or other values of its parameters, such as allow-lists "
        '(docs/detections.md names them): `[detections.rules.D21]` with `allow_hosts = ["example.com"]`.',
    )


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise ValueError("must be the IANA name of a time zone, such as Europe/Berlin") from None
    return name


AlertSeverity = Literal["low", "medium", "high", "critical"]


class NotifyTarget(_Section):
    """Who is told of alerts, and how. The key in `[notify.<id>]` is the id of the target."""

    target_url: SecretStr | None = Field(
        default=None,
        description="Where to, as a URL of Apprise: mailtos://, slack://, workflows:// (Teams), pagerduty://, jsons:// … "
        "Environment variable only; not allowed in this file.",
    )
    target_url_file: Path | None = Field(default=None, description="File that contains only that URL.")
    enabled: bool = Field(default=True, description="false: nothing is sent; what is new meanwhile waits.")
    severity: AlertSeverity = Field(default="medium", description="Only alerts of this severity or above.")
    namespaces: Texts = Field(
        default=(),
        description="Only alerts with events in these organizations or users; `team-*` stands for all that begin so. Empty: all, "
        "also those of no namespace.",
    )
    sources: Texts = Field(default=(), description="Only alerts of these sources. Empty: all.")
    rules: Texts = Field(default=(), description="Only alerts of these rules, such as D13. Empty: all.")
    delivery: Literal["at-once", "digest"] = Field(
        default="at-once", description="at-once: each alert when it is raised. digest: all of a day in one message."
    )
    digest_at: time = Field(default=time(7, 0), description="When the digest is sent, in `time_zone`.")
    quiet_from: time | None = Field(
        default=None, description="Begin of the quiet hours, in `time_zone`: what is new waits."
    )
    quiet_until: time | None = Field(default=None, description="End of the quiet hours.")
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="IANA name of the time zone of these hours, such as Europe/Berlin."
    )
    urgent: Literal["low", "medium", "high", "critical", "never"] = Field(
        default="critical",
        description="Alerts of this severity or above are sent at once, in quiet hours and beside a digest too; never: none.",
    )

    @model_validator(mode="after")
    def _both_ends(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet hours need both quiet_from and quiet_until")
        if self.target_url is not None and self.target_url_file is not None:
            raise ValueError("set target_url or target_url_file, not both")
        return self

    def secret_url(self, target_id: str) -> SecretStr:
        """The URL, from the setting or its file. Raises SettingsError if there is none."""
        whose = f"the notification target {target_id}"
        named = variable("notify", target_id, "target_url")
        return _read_secret("target URL", whose, whose, self.target_url, self.target_url_file, named)


class SiemSettings(_Section):
    """Events and alerts for a SIEM, as files in the format OCSF that `serve` keeps adding."""

    folder: Path | None = Field(
        default=None,
        description="Folder that the files go to, such as one that a log shipper watches. Not set: none are written.",
    )
    form: Literal["ocsf-jsonl", "ocsf-parquet"] = Field(default="ocsf-jsonl", description="Format of the files.")
    run_every_minutes: float = Field(default=1.0, gt=0, le=1440, description="How often `serve` looks for what is new.")
    backfill_days: int = Field(
        default=31, ge=0, le=3660, description="Days before the first run whose events are written as well."
    )


class InventorySettings(_Section):
    """What is read of the registry besides its log, and how often."""

    enabled: bool = Field(default=True, description="false: `serve` collects only the log.")
    period_days: float = Field(
        default=7.0, ge=0.25, le=365, description="Days in which all of the registry is read once."
    )
    run_every_minutes: float = Field(
        default=15.0,
        gt=0,
        le=1440,
        description="How often `serve` reads the objects that events changed, and some of the others.",
    )
    run_minutes: float = Field(
        default=5.0, gt=0, le=1440, description="How long such a run may take before the log is collected again."
    )
    leave_out: Texts = Field(default=(), description="Queries that are never sent; docs/inventory.md names them.")
    extra: Texts = Field(
        default=(),
        description="Queries that are off unless named: `tag_pulls`, one request a tag; `log_config`, what the log records.",
    )
    settle_hours: float = Field(
        default=24.0,
        ge=0,
        le=24,
        description="How long a tag may wait at most until layers, labels and signatures of its image are read: many "
        "images are replaced within hours.",
    )
    calculate_registry_size: bool = Field(
        default=False,
        description="true: ask Quay once a day to calculate the size of the registry. Besides exports, the only request that is not a read.",
    )


class MonthsSettings(_Section):
    """When a month moves from the live file to a Parquet file of its own."""

    final_after_days: int = Field(
        default=10,
        ge=1,
        le=365,
        description="Days after a month's end from which its complete days become a Parquet file.",
    )


class SealSettings(_Section):
    """The seal: the signed log that proves that closed days were not altered."""

    enabled: bool = Field(default=True, description="false: days are closed, but not sealed.")
    key_file: Path | None = Field(
        default=None,
        description="File with the key that signs the log, outside the ledger's folder; `quayledger key create` makes one. "
        "Empty: the log grows unsigned, and proves nothing yet.",
    )


class ClockSettings(_Section):
    """When the service does its work."""

    sync_every_minutes: float = Field(default=15.0, gt=0, le=1440, description="How often missing events are fetched.")
    close_at: time = Field(default=time(0, 45), description="UTC time of the daily close: count, check, seal, months.")
    publish_every_minutes: float = Field(
        default=15.0, gt=0, le=1440, description="How often a new read-only copy is published."
    )


class PublishSettings(_Section):
    """The read-only copies."""

    keep: int = Field(default=3, ge=2, le=50, description="How many published copies stay on disk.")


class DuckDBSettings(_Section):
    """What DuckDB may take, in each process that reads or writes the ledger."""

    memory_mb: int = Field(default=1024, ge=256, description="Main memory that DuckDB may use, in MiB.")
    spill_gb: int = Field(
        default=20,
        ge=1,
        description="Disk space for queries larger than that memory, in GiB; used in `spill/` of the ledger's folder.",
    )


class CallbackSettings(_Section):
    """Where Quay reports that an export is done, and from where its file may be downloaded."""

    public_url: Url | None = Field(
        default=None,
        description="Address under which Quay reaches the receiver, such as https://ledger.example.com/quay. "
        "Needed for exports.",
    )
    address: str = Field(default="127.0.0.1", description="Address the receiver listens on.")
    port: int = Field(default=8502, ge=0, le=65535, description="Port the receiver listens on; 0: any free one.")
    allowed_storage_hosts: Texts = Field(
        default=(),
        description="Hosts besides Quay itself from which files may be downloaded, as `host` or `host:port`; "
        "`*.example.com` stands for all hosts below it. Needed for exports where Quay keeps its files elsewhere, as in S3.",
    )
    allow_private_addresses: bool = Field(
        default=False, description="true: those hosts may have addresses of private networks."
    )
    timeout_minutes: float = Field(
        default=30.0, gt=0, le=1440, description="How long to wait for a callback before the export counts as lost."
    )
    retry_seconds: float = Field(
        default=330.0,
        ge=0,
        le=3600,
        description="How long to wait at least after a callback that brought no file: Quay tries again after 300 s.",
    )
    attempts: int = Field(default=2, ge=1, le=5, description="How often a lost export is requested in all.")
    max_file_bytes: int = Field(default=20 << 30, ge=1 << 20, description="Larger files are refused.")


class AppSettings(_Section):
    """The web pages."""

    address: str = Field(default="127.0.0.1", description="Address the app listens on.")
    port: int = Field(default=8501, ge=0, le=65535, description="Port of the app; 0: any free one.")
    public_url: Url | None = Field(
        default=None, description="Address under which people reach the pages, for links in notifications."
    )
    user_header: str = Field(
        default="",
        max_length=100,
        description="HTTP header in which a proxy says who is signed in, such as X-Forwarded-User. Only for a proxy that always "
        "sets it, and through which alone the app can be reached.",
    )


class Settings(_Section):
    """The whole tree. Use `load()`, which names the place of every error."""

    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    notify: dict[str, NotifyTarget] = Field(default_factory=dict)
    collect: CollectSettings = CollectSettings()
    inventory: InventorySettings = InventorySettings()
    detections: DetectionSettings = DetectionSettings()
    siem: SiemSettings = SiemSettings()
    months: MonthsSettings = MonthsSettings()
    seal: SealSettings = SealSettings()
    publish: PublishSettings = PublishSettings()
    duckdb: DuckDBSettings = DuckDBSettings()
    clock: ClockSettings = ClockSettings()
    callbacks: CallbackSettings = CallbackSettings()
    app: AppSettings = AppSettings()
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What `serve` narrates."
    )

    @field_validator("sources")
    @classmethod
    def _ids(cls, sources: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        for source_id in sources:
            check_source_id(source_id)
        return sources

    @field_validator("notify")
    @classmethod
    def _target_ids(cls, notify: dict[str, NotifyTarget]) -> dict[str, NotifyTarget]:
        for target_id in notify:
            check_source_id(target_id, "target")
        return notify

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        for source_id, source in self.sources.items():
            if source.token is not None and source.token_file is not None:
                raise ValueError(f"sources.{source_id}: set token or token_file, not both")
            if source.oidc_client_secret is not None and source.oidc_client_secret_file is not None:
                raise ValueError(f"sources.{source_id}: set oidc_client_secret or oidc_client_secret_file, not both")
        return self


NAMED_SECTIONS: dict[str, type[BaseModel]] = {"sources": SourceSettings, "notify": NotifyTarget}


def config_path(home: Path) -> Path:
    """The settings file in the folder of a ledger; it need not exist."""
    named = os.environ.get("QUAYLEDGER_CONFIG")
    return Path(named) if named else home / CONFIG_NAME


def load(home: Path) -> Settings:
    """All settings for the ledger in `home`. Raises SettingsError, in words for the person who wrote the setting."""
    path = config_path(home)
    file = _read_toml(path)
    ids = {name: found if isinstance(found := file.get(name), dict) else {} for name in NAMED_SECTIONS}
    for section, one_id, values in ((section, *item) for section, items in ids.items() for item in items.items()):
        for name in sorted(SECRETS & values.keys()) if isinstance(values, dict) else ():
            raise SettingsError(
                f"{path}: {section}.{one_id}.{name}: a secret does not belong in this file. Set "
                f"{variable(section, one_id, name)} or `{name}_file`, and renew the secret if the file was shared"
            )
    environment = read_environment(os.environ, Settings.model_fields, ids)
    try:
        return Settings.model_validate(merged(file, environment))
    except ValidationError as error:
        raise SettingsError(explain(error, path, environment)) from None


def reason(error: OSError) -> str:
    """Why a file or address cannot be used, in words and without a number."""
    return (error.strerror or type(error).__name__).lower()


def _bare(text: str) -> str:
    """A secret as it was meant, without a byte-order mark, spaces and quotes round it."""
    text = text.strip(_BYTE_ORDER_MARK + " \t\r\n")
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if os.environ.get("QUAYLEDGER_CONFIG"):
            raise SettingsError(f"the settings file {path} (QUAYLEDGER_CONFIG) does not exist") from None
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path} is not valid TOML: {error}. Correct that line, or run `quayledger init` again"
        ) from None
    except OSError as error:
        raise SettingsError(f"the settings file cannot be read: {explain_os_error(error)}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text. Save it as UTF-8") from None


def explain_os_error(error: OSError) -> str:
    """An error of the operating system in words: what it is about, what happened, what to do; never a bare number."""
    if error.errno is None:
        return str(error)
    about = next((Path(os.fsdecode(name)) for name in (error.filename2, error.filename) if name), None)
    if about is None:
        return f"the operating system says: {error.strerror}"
    if isinstance(error, NotADirectoryError):
        stands = next((parent for parent in (about, *about.parents) if parent.is_file()), about)
        return f"{stands} is a file, not a folder. Name another folder, such as with --home"
    return f"{about}: {error.strerror or type(error).__name__}. Check the path, its permissions and the free space"


def said_by(message: str) -> str:
    """A validator's own sentence, without what pydantic puts before it."""
    return message.removeprefix("Value error, ")


def explain(error: ValidationError, path: Path | None = None, environment: Mapping[str, Any] | None = None) -> str:
    """One line per error, without the value, which may be a secret (pydantic's own text repeats it)."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        where = [str(part) for part in fault["loc"] if not isinstance(part, int)]
        says = said_by(fault["msg"])
        says = _PLAIN.get(fault["type"], says[:1].lower() + says[1:])
        place = "" if path is None else f" (in {_place(where, path, environment or {})})"
        lines.append(f"{'.'.join(where) or 'settings'}: {says}{place}")
    return "\n".join(lines)


_PLAIN = {"extra_forbidden": "is not a setting; docs/settings.md lists all of them", "missing": "is missing"}


def _place(where: list[str], path: Path, environment: Mapping[str, Any]) -> str:
    """The variable or the file that a value comes from; both where it is in neither."""
    value: Any = environment
    for part in where:
        value = value.get(part) if isinstance(value, dict) else None
    if value is not None:
        return variable(*where)
    return f"{path}, or {variable(*where)}" if where else f"{path}, or variables that begin with {PREFIX}"
