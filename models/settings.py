"""Settings from the environment (prefix ``GISTMILL_``) and ``.env``; read in entry points and passed down."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.errors import SettingsError

# File in ``home`` with the addresses of the embedded servers, written by ``gistmill up``.
SERVERS_FILE = "servers.json"
# Values of ``weights`` and ``adapter`` besides a folder or a hub id.
PACKAGED = "packaged"
NO_ADAPTER = "none"
# Values of ``engine`` besides the addresses of servers.
TRANSFORMERS = "transformers"
VLLM = "vllm"
ADDRESS = re.compile(r"^\s*https?://[^\s/]+(/\S*)?\s*$")
# Value of GISTMILL_VERIFIER that turns the verifier off.
NO_VERIFIER = "none"
# Weights name of jobs and workers that give none.
DEFAULT_NAME = "default"
# A name is part of a queue's name on the broker.
WEIGHTS_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
BROKER_SCHEMES = ("redis://", "rediss://")


def _is_address(url: str) -> bool:
    try:
        # urllib parses host and port, and may raise, on access.
        return ADDRESS.match(url) is not None and urlsplit(url.strip()).port != 0
    except ValueError:
        return False


class Settings(BaseSettings):
    """All settings; a field is an environment variable."""

    # Compose files and .env pass unset variables on as empty ones.
    model_config = SettingsConfigDict(
        env_prefix="GISTMILL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    # `make docs` writes docs/configuration.md and .env.example from the fields and their docstrings.
    database_url: str | None = Field(None, examples=["postgresql://gistmill_worker:PASSWORD@db.example:5432/gistmill"])
    """Address of Postgres, which holds jobs, steps and summaries.  [default: the server of `gistmill up`]"""
    broker_url: str | None = Field(None, examples=["redis://:PASSWORD@broker.example:6379/0"])
    """Address of the Redis-protocol broker, which carries step messages; `rediss://` for TLS
    (docs/security.md).  [default: the server of `gistmill up`]"""
    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("gistmill")), examples=["/data/gistmill"]
    )
    """Folder for the data of `gistmill up` and for the converted packaged weights.  [default: gistmill in the user's
    data folder, on Linux `$XDG_DATA_HOME` or `~/.local/share`]"""

    weights: str = PACKAGED
    """Weights to serve: `packaged` (Gemma 3 270M), a folder or a hub id."""
    revision: str | None = None
    """Revision of a hub id.  [default: the hub's main one]"""
    weights_name: str = Field(DEFAULT_NAME, pattern=WEIGHTS_NAME)
    """Name under which jobs ask for the weights."""
    adapter: str | None = None
    """LoRA adapter to merge at load: a folder, a hub id, `packaged` or `none`.  [default: packaged for the packaged
    weights, none for others]"""
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    """Type to compute and store in; `auto` takes the one that suits the weights and the device."""
    quantization: Literal["auto", "none", "bf16", "half", "int8", "nf4", "fp8"] = "auto"
    """Quantization of the weights: `bf16` and `half` on CPUs, `int8` on both, `nf4` on GPUs, `fp8` by vLLM."""
    device_map: Literal["none", "auto"] = "none"
    """`auto` spreads one set of weights over several GPUs: one process per name, with the GPUs divided among the
    names."""
    verifier: str = "packaged"
    """Verifier of generated sentences: `packaged`, a folder that `gistmill finetune --task verify` has made, or `none`,
    with which only their names, numbers and dates are checked."""
    slots: int = Field(16, ge=1, le=1024)
    """Slots: maximum number of concurrent sequences of a process.  [default: 16; on a GPU 64, or as many of them as its
    memory has room for]"""
    context_tokens: int | None = Field(None, ge=64)
    """Upper limit on the tokens of prompt and output together.  [default: as many as the weights, the memory or the
    engine's server allow]"""
    kv_cache_gb: float | None = Field(None, gt=0)
    """KV cache of a process in GB. With a small one a CPU runs one lane instead of two; with a smaller one any engine
    shortens its context, which `gistmill plan` does not take into account.  [default: a part of the free memory]"""

    engine: str = TRANSFORMERS
    """Engine: `transformers`, in the worker's process; `vllm`, servers that `gistmill worker` starts; or the address of
    one that speaks OpenAI's API, such as `http://gpu1:8000/v1`, several with commas between them (docs/engines.md)."""
    engine_model: str | None = None
    """Name of the weights at the engine's server.  [default: the only one there; of several, GISTMILL_WEIGHTS_NAME]"""
    engine_key: SecretStr | None = None
    """Key of the engine's server."""
    engine_ca: Path | None = Field(None, examples=["/etc/ssl/gpus.pem"])
    """Certificates that an engine's server with `https` is checked with.  [default: those of the system]"""
    vllm: Path | None = Field(None, examples=["/opt/vllm/bin/python"])
    """Python of the environment that has vLLM.  [default: that of Gistmill]"""
    vllm_options: str = Field("", examples=["--gpu-memory-utilization 0.8"])
    """Further options of vLLM's server."""

    retention_days: int | None = Field(None, ge=1)
    """Days for which a job is kept after its end, with its document and all that was made from it; a batch may have a
    number of its own (`gistmill submit --keep-days`).  [default: for ever]"""
    lease_seconds: float = Field(60, gt=0)
    """Time until an unrenewed lease is reclaimed, and until a silent transaction of a worker is ended."""
    heartbeat_seconds: float = Field(10, gt=0)
    """Interval at which a worker renews its leases."""
    rescue_seconds: float = Field(5, gt=0)
    """Interval of the rescue, which reclaims lost work."""
    redispatch_seconds: float = Field(30, gt=0)
    """Time until the message of a waiting step is sent again, at first; then ever more rarely."""
    restart_grace_seconds: float = Field(60, ge=0)
    """Time after a start of Postgres in which no lease is reclaimed, because none could be renewed."""
    step_deadline_seconds: float = Field(1800, gt=0)
    """Maximum duration of a step."""
    drain_seconds: float = Field(60, gt=0)
    """Maximum duration of a worker's drain, after which it gives its running steps back."""
    hang_seconds: float = Field(300, gt=0)
    """Time without progress after which an engine counts as hung."""
    max_errors: int = Field(3, ge=1)
    """Errors after which a step fails."""
    max_crashes: int = Field(4, ge=1)
    """Crashes after which a step fails; a crash counts only for a step that ran alone in its worker."""

    serve_host: str = "127.0.0.1"
    """Address on which the HTTP server answers; any other than one of this machine alone needs a token."""
    serve_port: int = Field(8000, ge=0, le=65535)
    """Port of the HTTP server; 0 picks a free one."""
    serve_token: SecretStr | None = Field(None, min_length=16)
    """Token that requests to the HTTP server must carry, 16 characters or more.  [default: none, which this machine
    alone may use]"""
    webhook_secret: SecretStr | None = Field(None, min_length=16)
    """Secret that webhooks are signed with, 16 characters or more; `whsec_` and base64, or any text."""
    webhook_private: bool = False
    """Allow webhooks to addresses of this machine and of private networks."""

    flower_port: int = Field(5555, ge=0, le=65535)
    """Port of Flower under `gistmill up`; 0 picks a free one."""
    metrics_host: str = "127.0.0.1"
    """Address on which a worker process serves metrics and health probes."""
    metrics_port: int = Field(9464, ge=0, le=65535)
    """Port of the first worker process for metrics and health probes, the next ones follow; 0 turns both off."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log events of a worker that are written."""
    log_format: Literal["auto", "json", "pretty"] = "auto"
    """Form of a worker's log; `auto` is pretty on a terminal and JSON elsewhere."""

    @field_validator("engine")
    @classmethod
    def _check_engine(cls, engine: str) -> str:
        if engine not in (TRANSFORMERS, VLLM) and not all(map(_is_address, engine.split(","))):
            raise ValueError(f"name {TRANSFORMERS}, {VLLM} or addresses such as http://gpu1:8000/v1")
        return engine

    @property
    def engine_urls(self) -> tuple[str, ...]:
        """Addresses of the engine's servers; none if the engine is not one that runs elsewhere."""
        is_name = self.engine in (TRANSFORMERS, VLLM)
        return () if is_name else tuple(url.strip() for url in self.engine.split(","))

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
                f"no server is running: start one with `gistmill up` (data folder {self.home}), "
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


SECRETS = frozenset(
    name
    for name, field in Settings.model_fields.items()
    if SecretStr in (field.annotation, *get_args(field.annotation))
)


def read_settings(**overrides: object) -> Settings:
    """Read the settings; an error names the variable.

    Raises:
        SettingsError: a variable has an invalid value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = "_".join(str(part) for part in first["loc"])
        # A secret is no part of a message.
        given = "" if field in SECRETS else f"={first['input']!r}"
        raise SettingsError(f"GISTMILL_{field.upper()}{given} is not valid: {first['msg'].lower()}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f".env in this folder cannot be read: {error}") from None
