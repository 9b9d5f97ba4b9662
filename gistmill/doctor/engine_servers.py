"""Examination of an engine that is a server: whether it answers, what it serves, in which form it takes prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from gistmill.doctor.diagnosis import Diagnosis, approve, remark, report
from gistmill.doctor.weight_files import find_local_weights
from models.settings import VLLM, Settings
from workers.errors import WorkerError
from workers.weights.errors import WeightsError

# Seconds for a server to list its models.
LIST_SECONDS = 10.0
NO_IDS = "control tokens in a document are broken by a space, as the server takes no token ids"


def examine_engine(settings: Settings) -> Iterator[Diagnosis]:
    """Yield the condition of vLLM's environment, or of every server that the settings name."""
    if settings.engine == VLLM:
        yield _examine_vllm(settings)
    for url in settings.engine_urls:
        subject = f"engine at {urlsplit(url).netloc.rpartition('@')[2]}"
        try:
            yield _examine_server(subject, settings, url)
        except (WeightsError, httpx.HTTPError) as error:
            yield report(subject, " ".join(str(error).split()) or repr(error), "check GISTMILL_ENGINE and the server")


def _examine_vllm(settings: Settings) -> Diagnosis:
    from workers.local.vllm import check_vllm, find_python

    try:
        check_vllm(settings)
    except WorkerError as error:
        return report("engine", str(error))
    return approve("engine", f"vLLM is in the environment of {find_python(settings)}")


def _examine_server(subject: str, settings: Settings, url: str) -> Diagnosis:
    folder = find_local_weights(settings)
    if folder is None or not (folder / "tokenizer.json").is_file():
        names = ", ".join(list_models(settings, url)) or "none"
        words = f"answers and serves {names}; how it takes prompts is known when the tokenizer of the weights is here"
        return remark(subject, words, "set GISTMILL_WEIGHTS to the weights that the server has")
    return _probe_server(subject, settings, url, folder)


def _probe_server(subject: str, settings: Settings, url: str, folder: Path) -> Diagnosis:
    from workers.engine.remote.balancer import EngineServer
    from workers.engine.remote.connection import ServerConnection
    from workers.engine.remote.dialect import PromptForm
    from workers.engine.remote.probe import ServerProbe
    from workers.engine.tokenizer import PromptTokenizer
    from workers.engine.vocabulary import read_tokenizer_files

    connection = ServerConnection(key=_read_key(settings), ca=settings.engine_ca)
    try:
        tokenizer = PromptTokenizer(read_tokenizer_files(folder))
        probe = ServerProbe(connection.client, EngineServer(url.rstrip("/")), tokenizer)
        facts = connection.run(probe.identify(settings.engine_model, settings.weights_name))
    finally:
        connection.close()
    context = "" if facts.context_tokens is None else f", a context of {facts.context_tokens:,} tokens"
    name = f"{facts.dialect.name} {facts.version}".strip()
    words = f"{name} serves {facts.model}, takes prompts as {facts.form.value}{context}"
    return approve(subject, words) if facts.form is PromptForm.IDS else remark(subject, f"{words}: {NO_IDS}")


def list_models(settings: Settings, url: str) -> list[str]:
    """Return the names of the models that a server lists.

    Raises:
        HTTPError: it does not answer, or refuses.
    """
    key = _read_key(settings)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    verify = True if settings.engine_ca is None else str(settings.engine_ca)
    reply = httpx.get(f"{url.rstrip('/')}/models", headers=headers, timeout=LIST_SECONDS, verify=verify)
    reply.raise_for_status()
    try:
        return [str(model["id"]) for model in reply.json()["data"]]
    except (ValueError, LookupError, TypeError) as error:
        raise httpx.DecodingError(f"{url}/models is no list of models ({error!r})") from error


def _read_key(settings: Settings) -> str | None:
    return None if settings.engine_key is None else settings.engine_key.get_secret_value()
