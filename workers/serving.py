"""Serving: resolve the served name to weights and adapter, and load them into an engine."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from prometheus_client import REGISTRY

from models.session import open_transaction
from models.settings import NO_ADAPTER, NO_VERIFIER, PACKAGED, TRANSFORMERS, VLLM, Settings
from workers.engine.errors import InsufficientMemoryError, ServerUnreachableError, UnsupportedSettingError
from workers.errors import ServingError, ShortageError
from workers.importing import import_without_gc
from workers.service import Served, end_process
from workers.started_server import StartedServer, find_started_server
from workers.weights.description import describe_served_weights, read_names
from workers.weights.errors import WeightsError
from workers.weights.fingerprint import begin_hashing, has_same_tokenizer, hash_files
from workers.weights.folder import find_folder, find_tokenizer_folder
from workers.weights.packaged import NAME as PACKAGED_NAME
from workers.weights.packaged import has_packaged_weights, packaged_folder
from workers.weights.registration import resolve_name
from workers.weights.trained_prompt import TrainedPrompt, read_trained_prompt
from workers.weights.verifier import VerifierMetadata, find_packaged_verifier

if TYPE_CHECKING:
    from workers.engine.config import EngineConfig
    from workers.engine.remote.attach import RemoteConfig
    from workers.engine.remote.server_facts import ServerFacts
    from workers.engine.tokenizer import PromptTokenizer
    from workers.evaluation.verification import ClaimJudge

log = structlog.get_logger()


def load_served(settings: Settings) -> Served:
    """Load the weights of the settings, or attach to servers that have them; convert the packaged ones if necessary.

    A name registered in the results database takes precedence over the settings.

    Raises:
        ServingError: the weights cannot be served; the message has the reason and the remedy.
        ShortageError: too little memory is free, or no server of the engine answers.
        UnknownIdError: the name is not registered, and the settings give no weights.
    """
    with open_transaction(settings.require_database_url()) as session:
        settings = resolve_name(settings, session)
        names = read_names(session)
    try:
        served = load_transformers(settings) if settings.engine == TRANSFORMERS else attach_servers(settings)
    except (InsufficientMemoryError, ServerUnreachableError) as error:
        raise ShortageError(str(error)) from error
    except WeightsError as error:
        raise ServingError(str(error)) from error
    words = describe_served_weights(
        settings, names, has_adapter=served.has_adapter, precision=served.details["precision"]
    )
    return replace(served, details=served.details | {"served_weights": words})


def load_transformers(settings: Settings) -> Served:
    """Load the weights into this process; raise as ``load_engine`` does."""
    weights, adapter = find_folders(settings)
    trained_prompt = read_trained_prompt(weights, adapter)
    # In parallel with the single-threaded imports of torch and transformers.
    hashing = begin_hashing(weights, adapter)
    with import_without_gc():
        from workers.engine.engine import load_engine
    engine = load_engine(make_config(settings, weights, adapter), hashing=hashing, on_fatal=end_process)
    log.info(
        "engine_loaded",
        quantization=engine.weights.placement.quantization,
        lanes=len(engine.lanes.loops),
        context_tokens=engine.context_tokens,
    )
    REGISTRY.register(engine.metrics)
    placement = engine.weights.placement
    return Served(
        engine,
        engine.device,
        engine.seconds_since_progress,
        engine.close,
        trained_prompt,
        load_judge(settings, weights, engine.weights.tokenizer),
        {"precision": placement.dtype_name if placement.quantization == "none" else placement.quantization},
        has_adapter=adapter is not None,
    )


def attach_servers(settings: Settings) -> Served:
    """Attach to the engine's servers; raise as ``attach_engine`` does. Imports torch for a verifier alone.

    Raises:
        ServingError: the engine is to be started, which this process does not do.
    """
    from workers.engine.remote.attach import attach_engine

    if settings.engine == VLLM:
        raise ServingError(
            "GISTMILL_ENGINE=vllm is started by `gistmill worker` and `gistmill up`; "
            "for a server that runs already set its address, such as http://gpu1:8000/v1"
        )
    started = find_started_server()
    if started is None:
        weights, adapter = find_tokenizer_folders(settings)
        hashes: dict[str, object] = {"tokenizer": hash_files(weights)}
    else:
        # The server has these very files.
        weights, adapter = find_folders(settings)
        hashes = asdict(begin_hashing(weights, adapter).result()) | {"dtype": settings.dtype}
        hashes |= {"quantization": settings.quantization}
    engine = attach_engine(make_remote_config(settings, started), weights, adapter=adapter, hashes=hashes)
    log.info("engine_attached", context_tokens=engine.context_tokens, servers=engine.hosts, **engine.facts.describe())
    REGISTRY.register(engine.metrics)
    return Served(
        engine,
        engine.device,
        engine.seconds_since_progress,
        engine.close,
        read_trained_prompt(weights, adapter),
        load_judge(settings, weights),
        {"engine": engine.facts.describe(), "precision": describe_precision(settings, engine.facts, started)},
        engine.remark,
        has_adapter=adapter is not None,
    )


def describe_precision(settings: Settings, facts: ServerFacts, started: StartedServer | None) -> str:
    """Return the precision of weights that a server has: the settings' own if this process's launcher started it."""
    server = f"{facts.dialect.name} {facts.version}".strip()
    chosen = [value for value in (settings.quantization, settings.dtype) if value not in ("auto", "none")]
    return f"{chosen[0]} on {server}" if started is not None and chosen else f"on {server}"


def load_judge(settings: Settings, weights: Path, tokenizer: PromptTokenizer | None = None) -> ClaimJudge | None:
    """Load the verifier of the settings; None if there is none, so that only facts are checked.

    Args:
        settings: settings of this process.
        weights: folder of the served weights.
        tokenizer: theirs, if it is loaded already.

    Raises:
        ServingError: it cannot be loaded; the message has the reason and the remedy.
        ShortageError: too little memory is free.
    """
    if settings.verifier == NO_VERIFIER:
        return None
    folder = find_packaged_verifier() if settings.verifier == PACKAGED else Path(settings.verifier).expanduser()
    if folder is None or (settings.verifier == PACKAGED and not has_packaged_weights()):
        log.warning(
            "verifier_is_missing",
            action="only names, numbers and dates of generated sentences are checked; install the extra `local`",
        )
        return None
    from workers.engine.verifier import load_verifier

    try:
        base = find_verifier_base(settings, folder)
        known = tokenizer if tokenizer is not None and has_same_tokenizer(base, weights) else None
        judge = load_verifier(folder, base=base, tokenizer=known)
    except InsufficientMemoryError as error:
        raise ShortageError(f"the verifier cannot be loaded: {error}") from error
    except WeightsError as error:
        raise ServingError(f"the verifier cannot be loaded: {error}") from error
    log.info("verifier_loaded", threshold=judge.threshold)
    return judge


def find_verifier_base(settings: Settings, folder: Path) -> Path:
    """Return the folder of the weights that a verifier was trained on; convert the packaged ones if necessary."""
    base = VerifierMetadata.read(folder).base
    if base != PACKAGED_NAME:
        return find_folder(base)
    from workers.engine.packaged_conversion import ensure_packaged_weights

    return ensure_packaged_weights(packaged_folder(settings))


def make_config(settings: Settings, weights: Path, adapter: Path | None) -> EngineConfig:
    """Return the engine's configuration.

    Args:
        settings: settings of this process.
        weights: folder from ``find_folders``; resolved only once, because a hub id may change its revision.
        adapter: adapter folder from ``find_folders``.

    Raises:
        UnsupportedSettingError: only another engine has this quantization.
    """
    from workers.engine.config import EngineConfig

    if settings.quantization == "fp8":
        raise UnsupportedSettingError("only vLLM serves fp8; set GISTMILL_ENGINE=vllm, or quantization to int8 or nf4")
    return EngineConfig(
        weights=str(weights),
        adapter=None if adapter is None else str(adapter),
        dtype=settings.dtype,
        quantization=settings.quantization,
        device_map=None if settings.device_map == "none" else settings.device_map,
        slots=settings.slots,
        context_tokens=settings.context_tokens,
        kv_cache_gb=settings.kv_cache_gb,
    )


def make_remote_config(settings: Settings, started: StartedServer | None) -> RemoteConfig:
    """Return the configuration of an engine on servers.

    Args:
        settings: settings of this process.
        started: the server that the launcher has started; None for servers that run elsewhere.
    """
    from workers.engine.remote.attach import RemoteConfig

    return RemoteConfig(
        urls=settings.engine_urls,
        model=settings.engine_model if started is None else settings.weights_name,
        name=settings.weights_name,
        key=None if settings.engine_key is None else settings.engine_key.get_secret_value(),
        ca=settings.engine_ca,
        context_tokens=settings.context_tokens,
        check_failure=(lambda: None) if started is None else started.check_failure,
    )


def find_tokenizer_folders(settings: Settings) -> tuple[Path, Path | None]:
    """Return the folder of the tokenizer, and that of the adapter if the settings name one for its metadata.

    Raises:
        WeightsNotFoundError: one does not exist.
    """
    adapter = find_adapter(settings) if settings.adapter else None
    folder = None if adapter is None else find_folder(adapter, kind="adapter")
    return find_tokenizer_folder(find_weights(settings), revision=settings.revision), folder


def find_trained_prompt(settings: Settings) -> TrainedPrompt:
    """Return the trained prompt of the weights; raise as ``find_folders`` and ``read_trained_prompt`` do."""
    return read_trained_prompt(*(find_tokenizer_folders if settings.engine_urls else find_folders)(settings))


def find_folders(settings: Settings) -> tuple[Path, Path | None]:
    """Return the folders of the weights to serve and of their adapter; download hub ids that are not cached.

    Raises:
        WeightsNotFoundError: the weights or the adapter do not exist.
        WeightsUnsafeError: they are not safetensors.
        WeightsCorruptError: they are incomplete or damaged.
    """
    weights = find_folder(find_weights(settings), revision=settings.revision)
    adapter = find_adapter(settings)
    return weights, None if adapter is None else find_folder(adapter, kind="adapter")


def find_weights(settings: Settings) -> str:
    """Return the folder or hub id to load; convert the packaged weights into the data folder once."""
    if settings.weights != PACKAGED:
        return settings.weights
    from workers.engine.packaged_conversion import ensure_packaged_weights

    return str(ensure_packaged_weights(packaged_folder(settings)))


def find_adapter(settings: Settings) -> str | None:
    """Return the folder or hub id of the adapter to merge; by default the packaged one for the packaged weights.

    Raises:
        WeightsNotFoundError: the packaged adapter is requested and not installed.
    """
    from workers.weights.packaged import find_packaged_adapter, require_packaged_adapter

    if settings.adapter == PACKAGED:
        return str(require_packaged_adapter())
    if settings.adapter:
        return None if settings.adapter == NO_ADAPTER else settings.adapter
    packaged = find_packaged_adapter() if settings.weights == PACKAGED else None
    return None if packaged is None else str(packaged)
