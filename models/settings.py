"""Settings from the environment (prefix ``GISTMILL_``) and ``.env``; read in entry points and passed down."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.errors import SettingsError

# File in ``home`` with the addresses of the embedded servers, written by ``gistmill up``.
SERVERS_FILE = "servers.json"
# Values of ``weights`` and ``adapter`` besides a folder or a hub id.
PACKAGED = "packaged"
NO_ADAPTER = "none"
# Weights name of jobs and workers that give none.
DEFAULT_NAME = "default"
# A name is part of a queue's name on the broker.
WEIGHTS_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
BROKER_SCHEMES = ("redis://", "rediss://")


class Settings(BaseSettings):
    """All settings; a field is an environment variable."""

    # Compose files and .env pass unset variables on as empty ones.
    model_config = SettingsConfigDict(
        env_prefix="GISTMILL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("gistmill")))
    database_url: str | None = None
    broker_url: str | None = None

    weights: str = PACKAGED
    weights_name: str = Field(DEFAULT_NAME, pattern=WEIGHTS_NAME)
    # None: the packaged adapter for the packaged weights, none for others.
    adapter: str | None = None
    revision: str | None = None
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    quantization: Literal["auto", "none", "bf16", "half", "int8", "nf4"] = "auto"
    device_map: Literal["none", "auto"] = "none"
    slots: int = Field(16, ge=1, le=1024)
    kv_cache_gb: float | None = Field(None, gt=0)

    lease_seconds: float = Field(60, gt=0)
    heartbeat_seconds: float = Field(10, gt=0)
    rescue_seconds: float = Field(5, gt=0)
    # A ready step whose message may be lost is sent again after this long, then ever more rarely.
    redispatch_seconds: float = Field(30, gt=0)
    # After a restart of Postgres nobody could renew a lease: none is taken away for this long.
    restart_grace_seconds: float = Field(60, ge=0)
    step_deadline_seconds: float = Field(1800, gt=0)
    drain_seconds: float = Field(60, gt=0)
    hang_seconds: float = Field(300, gt=0)
    max_errors: int = Field(3, ge=1)
    max_crashes: int = Field(4, ge=1)

    flower_port: int = Field(5555, ge=0, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(9464, ge=0, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "pretty"] = "auto"

    @cached_property
    def _servers(self) -> dict[str, str]:
        path = self.home / SERVERS_FILE
        try:
            servers: dict[str, str] = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read ({error}); stop `gistmill up` and start it again") from None
        return servers

    def _require(self, name: str) -> str:
        url = getattr(self, name) or self._servers.get(name)
        if not url:
            raise SettingsError(
                f"no server is known: run `gistmill up` (data folder {self.home}), "
                f"or set GISTMILL_{name.upper()} to the address of yours"
            )
        return str(url)

    def require_database_url(self) -> str:
        """Return the address of Postgres for SQLAlchemy's psycopg driver.

        Raises:
            SettingsError: neither the environment nor a running ``gistmill up`` names one.
        """
        url = self._require("database_url")
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        return url

    def require_broker_url(self) -> str:
        """Return the address of the Redis-protocol broker.

        Raises:
            SettingsError: neither the environment nor a running ``gistmill up`` names one.
        """
        url = self._require("broker_url")
        if not url.startswith(BROKER_SCHEMES):
            raise SettingsError(f"GISTMILL_BROKER_URL must begin with {' or '.join(BROKER_SCHEMES)}")
        try:
            urlsplit(url).port  # noqa: B018 - urllib parses the port, and may raise, on access
        except ValueError:
            raise SettingsError("GISTMILL_BROKER_URL is not an address such as redis://:password@host:6379/0") from None
        return url


def read_settings(**overrides: object) -> Settings:
    """Read the settings; an error names the variable.

    Raises:
        SettingsError: a variable has an invalid value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "GISTMILL_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}={first['input']!r} is not valid: {first['msg'].lower()}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env in this folder cannot be read: {error}") from None
