"""Identification of a server: its program, version, model and context, and the form in which it takes prompts.

Every fact is tried out with a request of one token, because versions and options of servers differ in them.
"""

from __future__ import annotations

from typing import Any

import httpx

from workers.engine.errors import RequestFailedError, ServerUnreachableError, UnsupportedSettingError
from workers.engine.remote.answers import ServedCompletion, ServedModel, ServedModels, read_completion, read_error
from workers.engine.remote.balancer import EngineServer
from workers.engine.remote.delivery import BUSY
from workers.engine.remote.dialect import (
    DIALECTS,
    OLLAMA,
    OTHER,
    VLLM,
    Dialect,
    PromptForm,
    build_body,
    build_score_body,
)
from workers.engine.remote.server_facts import ServerFacts
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import GenerationParams

# Words of several lengths, with a line break and characters of more than one byte.
SAMPLE = "The council closed both bridges.\nRepairs cost 1,250 €, more than in 2019."
# Seconds for an answer that takes one token; a server may compile kernels for its first one.
PROBE_SECONDS = 120.0


class ServerProbe:
    """Asks one server for its facts.

    Args:
        client: HTTP client.
        server: the server.
        tokenizer: of the weights that it should serve.
    """

    def __init__(self, client: httpx.AsyncClient, server: EngineServer, tokenizer: PromptTokenizer) -> None:
        self._client = client
        self._server = server
        self._tokenizer = tokenizer

    async def identify(self, wanted: str | None, fallback: str) -> ServerFacts:
        """Return the facts.

        Args:
            wanted: id of the model to use; None for the only one, or for the fallback among several.
            fallback: name of the weights.

        Raises:
            ServerUnreachableError: the server does not answer yet.
            UnsupportedSettingError: it refuses the key, has no such model, or has another tokenizer.
        """
        models = await self._list_models()
        model = choose_model(models.data, wanted, fallback, self._server.host)
        dialect = DIALECTS.get(model.owned_by, OTHER)
        ids = [*self._tokenizer.bos, *self._tokenizer.encode_plain(SAMPLE)]
        form = await self._find_form(dialect, model.id, ids)
        await self._check_tokenizer(dialect, model.id, ids)
        details = await self._read_details(dialect)
        return ServerFacts(
            dialect=dialect,
            version=str(details.get(dialect.version_key, "")),
            model=model.id,
            root=model.root or "",
            context_tokens=models.find_context(model) or find_context(details),
            form=form,
            can_score=form is PromptForm.IDS and await self._can_score(dialect, model.id, ids),
        )

    async def _list_models(self) -> ServedModels:
        reply = await self._ask("GET", f"{self._server.url}/models")
        if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise UnsupportedSettingError(
                f"{self._server.host} refuses the key; set GISTMILL_ENGINE_KEY to the server's"
            )
        if reply.status_code in BUSY:
            raise ServerUnreachableError(f"{self._server.host} is busy: {read_error(reply.content)}")
        try:
            return ServedModels.model_validate_json(reply.content)
        except ValueError as error:
            raise UnsupportedSettingError(
                f"{self._server.url}/models is no list of models (status {reply.status_code}); GISTMILL_ENGINE must be "
                "the address of a server that speaks OpenAI's API, such as http://gpu1:8000/v1"
            ) from error

    async def _find_form(self, dialect: Dialect, model: str, ids: list[int]) -> PromptForm:
        """Return the safest form that the server takes: of ids it must have counted every one."""
        completion = await self._try_completion(self._build(dialect, model) | {"prompt": ids})
        if completion is not None and completion.usage.prompt_tokens in (None, len(ids)):
            return PromptForm.IDS
        return PromptForm.MESSAGES if self._tokenizer.has_chat_template else PromptForm.TEXT

    async def _check_tokenizer(self, dialect: Dialect, model: str, ids: list[int]) -> None:
        """Refuse a server that encodes a text to other tokens than the tokenizer of the weights.

        Raises:
            UnsupportedSettingError: it does.
        """
        completion = await self._try_completion(self._build(dialect, model) | {"prompt": SAMPLE})
        # Ollama wraps a text in a template, whose tokens it counts too.
        if completion is None or dialect is OLLAMA or has_encoded(completion, ids, bos=len(self._tokenizer.bos)):
            return
        raise UnsupportedSettingError(
            f"{model} on {self._server.host} has another tokenizer than the weights in GISTMILL_WEIGHTS; "
            "set it to those that the server has"
        )

    async def _can_score(self, dialect: Dialect, model: str, ids: list[int]) -> bool:
        if dialect is not VLLM:
            return False
        completion = await self._try_completion(build_score_body(dialect, model, ids))
        return completion is not None and completion.choice.prompt_logprobs is not None

    async def _read_details(self, dialect: Dialect) -> dict[str, Any]:
        if dialect.version is None:
            return {}
        reply = await self._ask("GET", self._server.root + dialect.version)
        try:
            found = reply.json()
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    async def _try_completion(self, body: dict[str, Any]) -> ServedCompletion | None:
        """Return a completion, or None if the server does not take such a request."""
        reply = await self._ask("POST", f"{self._server.url}/completions", json=body)
        if reply.status_code in BUSY:
            raise ServerUnreachableError(f"{self._server.host} is busy: {read_error(reply.content)}")
        try:
            return read_completion(reply.content) if reply.status_code == httpx.codes.OK else None
        except RequestFailedError:
            return None

    async def _ask(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            return await self._client.request(method, url, timeout=PROBE_SECONDS, **options)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise UnsupportedSettingError(f"GISTMILL_ENGINE has no valid address: {error}") from error
        except httpx.TransportError as error:
            raise ServerUnreachableError(f"{self._server.host} does not answer: {error!r}") from error

    @staticmethod
    def _build(dialect: Dialect, model: str) -> dict[str, Any]:
        return build_body(dialect, model, GenerationParams(do_sample=False, max_new_tokens=1))


def choose_model(models: list[ServedModel], wanted: str | None, fallback: str, host: str) -> ServedModel:
    """Return the model to use among those that a server has.

    Raises:
        UnsupportedSettingError: there is no such model.
    """
    by_id = {model.id: model for model in models}
    found = by_id.get(wanted or fallback)
    if found is None and wanted is None and len(models) == 1:
        found = models[0]
    if found is None:
        there = ", ".join(by_id) or "none"
        raise UnsupportedSettingError(
            f"{host} serves no model {wanted or fallback}; set GISTMILL_ENGINE_MODEL to one that it serves: {there}"
        )
    return found


def has_encoded(completion: ServedCompletion, ids: list[int], *, bos: int) -> bool:
    """Return whether a server encoded a text to ids, or to as many if it does not return them.

    Servers differ in whether they begin a text as a prompt, with ``bos`` further ids.
    """
    if completion.choice.prompt_token_ids is not None:
        return completion.choice.prompt_token_ids in (ids, ids[bos:])
    return completion.usage.prompt_tokens in (None, len(ids), len(ids) - bos)


def find_context(details: dict[str, Any]) -> int | None:
    """Return the context in the properties of llama.cpp's server; None without them."""
    settings = details.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    return context if isinstance(context, int) else None
