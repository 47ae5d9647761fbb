"""The settings room: every setting of quayledger in one typed tree, read from a TOML file, the environment and secret files.

Order of precedence, strongest first: environment (`QUAYLEDGER_…`, two underscores between levels), then
`quayledger.toml` in the ledger's folder (or the file that `QUAYLEDGER_CONFIG` names), then the defaults below.
A token never comes from the TOML file: it is in `QUAYLEDGER_SOURCES__<ID>__TOKEN` or in the file that `token_file` names.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

CONFIG_NAME = "quayledger.toml"
DEFAULT_HOME = Path("ledger")
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class SettingsError(Exception):
    """A setting is missing, malformed or contradicts another; the text says which one, where, and what to do."""


def _checked_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// address with a host, such as https://quay.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no user, password, query or fragment; the token goes into TOKEN or TOKEN_FILE")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


Url = Annotated[str, AfterValidator(_checked_url)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class SourceSettings(_Section):
    """One Quay and the account that reads it. The key in `[sources.<id>]` is the source's id for good."""

    url: Url = Field(description="Address of the Quay, such as https://quay.example.com.")
    token: SecretStr | None = Field(
        default=None, description="OAuth access token. Environment only; refused in the TOML file."
    )
    token_file: Path | None = Field(default=None, description="File that holds the token alone, e.g. a mounted secret.")
    name: str = Field(default="", description="Name to show; the id where empty. May change at any time.")
    enabled: bool = Field(default=True, description="false: keep what is held, ask nothing.")
    scopes: tuple[str, ...] = Field(
        default=(),
        description="What to collect: `superuser`, `organization:NAME`, `user:NAME`, `repository:NAMESPACE/NAME`. "
        "Empty: found out from what the token may read.",
    )
    requests_per_second: float = Field(default=1.0, gt=0, le=1000, description="Budget: requests a second on average.")
    chains: int = Field(default=2, ge=1, le=32, description="How many chains of pages may run side by side.")
    timeout_seconds: float = Field(default=60.0, gt=0, le=600, description="How long one reply may take.")
    retries: int = Field(default=5, ge=0, le=20, description="How often one request is tried again before it fails.")
    verify_tls: bool = Field(default=True, description="false: accept any certificate. Only for a test installation.")
    ca_file: Path | None = Field(default=None, description="PEM file with the certificate authorities to trust.")
    proxy: Url | None = Field(
        default=None, description="HTTP proxy for this source; else HTTPS_PROXY and NO_PROXY count."
    )

    exports: Literal["off", "repair", "prefer"] = Field(
        default="off",
        description="off: pages only. repair: an export where pages fall short. prefer: an export where it costs less. "
        "Each export leaves an `export_logs_success` row in the log that is exported.",
    )

    def secret(self, source_id: str) -> SecretStr:
        """The token, from the setting or its file. `source_id` is for the message. Raises SettingsError where there is none."""
        if self.token is not None and self.token.get_secret_value().strip():
            return SecretStr(self.token.get_secret_value().strip())
        if self.token_file is None:
            variable = variable_of(source_id, "token")
            raise SettingsError(
                f"no token for the source {source_id} ({self.url}): set {variable}, or name a file that holds it with "
                f"{variable}_FILE"
            )
        try:
            text = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"the token file {self.token_file} of {self.url} cannot be read ({type(error).__name__}): "
                "check the path and its permissions"
            ) from error
        if not text or len(text.split()) != 1:
            raise SettingsError(
                f"the token file {self.token_file} of {self.url} must hold the token alone, on one line, and nothing else"
            )
        return SecretStr(text)


def check_source_id(source_id: str) -> None:
    """Raises ValueError for what cannot be a source's id."""
    if not _ID.fullmatch(source_id):
        raise ValueError(f"the source id {source_id!r} must be 1 to 40 of a-z 0-9 _ - and begin with a letter or digit")


def variable_of(source_id: str, setting: str) -> str:
    """The environment variable of a source's setting. A shell cannot set a name with a dash: an underscore stands for it."""
    return f"QUAYLEDGER_SOURCES__{source_id}__{setting}".upper().replace("-", "_")


class CollectSettings(_Section):
    """What is collected, and how far back."""

    backfill_days: int = Field(default=31, ge=1, le=3660, description="Days before today that the first sync asks for.")
    start: date | None = Field(default=None, description="Never ask for days before this one (YYYY-MM-DD).")
    exclude_days: tuple[date, ...] = Field(
        default=(), description="UTC days that are left out on purpose; their state is `excluded`."
    )
    grace_minutes: int = Field(
        default=30, ge=0, le=1440, description="Wait after midnight UTC before a day counts as over: late rows."
    )
    settle_seconds: float = Field(
        default=5.0,
        ge=0,
        le=300,
        description="Rows younger than this are left for the next run: they still may get twins.",
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


class InventorySettings(_Section):
    """What is read of the registry besides its log, and how often."""

    enabled: bool = Field(default=True, description="false: `serve` reads the log alone.")
    period_days: float = Field(
        default=7.0, ge=0.25, le=365, description="A whole round over the registry is spread over so many days."
    )
    run_every_minutes: float = Field(
        default=15.0,
        gt=0,
        le=1440,
        description="How often `serve` reads what events changed, and a share of the round.",
    )
    run_minutes: float = Field(
        default=5.0, gt=0, le=1440, description="How long such a run may take before the log goes first again."
    )
    leave_out: tuple[str, ...] = Field(
        default=(), description="Queries that are never sent; docs/inventory.md names them."
    )
    extra: tuple[str, ...] = Field(
        default=(), description="Queries that are off unless named: `tag_pulls`, one request a tag."
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
        description="true: ask Quay once a day to sum the registry's size up. The one request besides exports that is no read.",
    )


class MonthsSettings(_Section):
    """When a month leaves the live file for a Parquet file of its own."""

    final_after_days: int = Field(
        default=10,
        ge=1,
        le=365,
        description="Days after a month's end from which its complete days become a Parquet file.",
    )


class ClockSettings(_Section):
    """When the service does what."""

    sync_every_minutes: float = Field(default=15.0, gt=0, le=1440, description="How often what is missing is fetched.")
    close_at: time = Field(default=time(0, 45), description="UTC time of the daily close: count, check, seal, months.")
    publish_every_minutes: float = Field(default=15.0, gt=0, le=1440, description="How often readers get a new copy.")


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
    """Where a Quay tells that an export is done, and from where its file may be fetched."""

    public_url: Url | None = Field(
        default=None,
        description="Address under which the Quays reach the receiver, such as https://ledger.example.com/quay. "
        "Needed for exports.",
    )
    address: str = Field(default="127.0.0.1", description="Address the receiver listens on.")
    port: int = Field(default=8502, ge=0, le=65535, description="Port the receiver listens on; 0: any free one.")
    allowed_storage_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts besides the Quay's own that files may be fetched from, as `host` or `host:port`; "
        "`*.example.com` stands for all hosts below it.",
    )
    allow_private_addresses: bool = Field(
        default=False, description="true: those hosts may have addresses of private networks."
    )
    timeout_minutes: float = Field(
        default=30.0, gt=0, le=1440, description="How long a callback is waited for before the export counts as lost."
    )
    retry_seconds: float = Field(
        default=330.0,
        ge=0,
        le=3600,
        description="How long to wait on after a callback that brought no file: Quay tries again after 300 s.",
    )
    attempts: int = Field(default=2, ge=1, le=5, description="How often a lost export is asked for, all in all.")
    max_file_bytes: int = Field(default=20 << 30, ge=1 << 20, description="Larger files are refused.")


class AppSettings(_Section):
    """The browser front."""

    address: str = Field(default="127.0.0.1", description="Address the app listens on.")
    port: int = Field(default=8501, ge=0, le=65535, description="Port of the app; 0: any free one.")


class Settings(BaseSettings):
    """The whole tree. Use `load()`; it names the place of every fault."""

    model_config = SettingsConfigDict(
        env_prefix="QUAYLEDGER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    collect: CollectSettings = CollectSettings()
    inventory: InventorySettings = InventorySettings()
    months: MonthsSettings = MonthsSettings()
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

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        for source_id, source in self.sources.items():
            if source.token is not None and source.token_file is not None:
                raise ValueError(f"sources.{source_id}: set token or token_file, not both")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what `load` read from the file."""
        return _with_dashes(env_settings, init_settings), init_settings


def _with_dashes(
    environment: PydanticBaseSettingsSource, file: PydanticBaseSettingsSource
) -> PydanticBaseSettingsSource:
    """The environment, its `prod_eu` under the id `prod-eu` where the file knows that one alone."""
    known = file().get("sources", {})
    by_variable = {source_id.replace("-", "_"): source_id for source_id in known} if isinstance(known, dict) else {}

    class Renamed(PydanticBaseSettingsSource):
        def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
            return environment.get_field_value(field, field_name)

        def __call__(self) -> dict[str, Any]:
            values = environment()
            if isinstance(sources := values.get("sources"), dict):
                values["sources"] = {
                    key if key in known else by_variable.get(key, key): value for key, value in sources.items()
                }
            return values

    return Renamed(environment.settings_cls)


def config_path(home: Path) -> Path:
    """The settings file of a ledger's folder; it need not exist."""
    named = os.environ.get("QUAYLEDGER_CONFIG")
    return Path(named) if named else home / CONFIG_NAME


def load(home: Path) -> Settings:
    """All settings for the ledger in `home`. Raises SettingsError, in words for the person who wrote the setting."""
    path = config_path(home)
    values = _read_toml(path)
    for source_id, source in values.get("sources", {}).items() if isinstance(values.get("sources"), dict) else ():
        if isinstance(source, dict) and "token" in source:
            raise SettingsError(
                f"{path}: sources.{source_id}.token: a token does not belong in this file; set "
                f"{variable_of(source_id, 'token')} or `token_file`, and renew the token if the file was shared"
            )
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        if os.environ.get("QUAYLEDGER_CONFIG"):
            raise SettingsError(f"the settings file {path} (QUAYLEDGER_CONFIG) does not exist") from None
        return {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{path} is no valid TOML: {error}. Mend that line, or run `quayledger init` anew"
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


def _explain(error: ValidationError, path: Path) -> str:
    """One line a fault, without the value where it may be a secret (pydantic's own text repeats input)."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in fault["loc"]) or "settings"
        says = said_by(fault["msg"])
        if fault["type"] == "extra_forbidden":
            says = "is not a setting; docs/settings.md lists all of them"
        elif fault["type"] == "missing":
            says = "is missing"
        variable = "QUAYLEDGER_" + where.upper().replace(".", "__").replace("-", "_")
        lines.append(f"{where}: {says} (in {path} or {variable})")
    return "\n".join(lines)
