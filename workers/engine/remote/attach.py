"""Start of a remote engine: waits for its servers, identifies them, and checks that they serve the weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from workers.engine.errors import ServerUnreachableError, UnsupportedSettingError
from workers.engine.remote.balancer import Balancer, EngineServer
from workers.engine.remote.connection import ServerConnection
from workers.engine.remote.dialect import PromptForm
from workers.engine.remote.late_servers import LateServers
from workers.engine.remote.probe import ServerProbe
from workers.engine.remote.remote_engine import RemoteEngine
from workers.engine.remote.server_facts import ServerFacts
from workers.engine.tokenizer import PromptTokenizer
from workers.engine.vocabulary import read_tokenizer_files
from workers.weights.fingerprint import fingerprint_served
from workers.weights.folder import read_prompt_format

log = structlog.get_logger()

# Seconds that a worker waits for its servers: they may have to download and load large weights.
START_SECONDS = 1800.0
# Seconds to wait for the other servers once one answers.
OTHERS_SECONDS = 10.0
# Seconds between two tries, and between two lines of the log about them.
TRY_SECONDS = 0.5
LOG_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """Settings of a remote engine.

    Args:
        urls: bases of the servers' paths, such as ``http://gpu1:8000/v1``.
        model: id of the model at the servers; None for the only one, or for the name among several.
        name: name of the weights.
        key: of the servers; None for none.
        ca: certificates that are trusted; None for those of the system.
        context_tokens: upper limit on prompt and completion together; None for that of the servers.
        check_failure: raises the reason if the servers can never start.
    """

    urls: tuple[str, ...]
    model: str | None = None
    name: str = "default"
    key: str | None = field(default=None, repr=False)
    ca: Path | None = None
    context_tokens: int | None = None
    check_failure: Callable[[], None] = lambda: None

    @property
    def bases(self) -> list[str]:
        """The addresses, without a slash at their end, each once."""
        return list(dict.fromkeys(url.rstrip("/") for url in self.urls))


def attach_engine(
    config: RemoteConfig, folder: Path, *, adapter: Path | None, hashes: Mapping[str, object]
) -> RemoteEngine:
    """Return an engine on servers, once one of them answers.

    Args:
        config: addresses and settings.
        folder: tokenizer of the weights.
        adapter: metadata of the adapter that the servers apply; None for none.
        hashes: of the weights' files, for the fingerprint.

    Raises:
        UnsupportedSettingError: the servers do not serve these weights, or differ.
        ServerUnreachableError: none has answered in time.
        WeightsError: the tokenizer's files are broken.
    """
    tokenizer = PromptTokenizer(read_tokenizer_files(folder))
    connection = ServerConnection(key=config.key, ca=config.ca)
    try:
        found = identify_servers(config, connection, tokenizer)
        facts = join_facts(found)
        balancer = Balancer(list(found))
        engine = RemoteEngine(
            connection,
            balancer,
            facts,
            tokenizer=tokenizer,
            prompt_format=read_prompt_format(folder, adapter=adapter, has_chat_template=tokenizer.has_chat_template),
            context_tokens=choose_context(list(found.values()), config.context_tokens),
            fingerprint=fingerprint_served(identify_served(facts, hashes), hashes),
        )
        watch_for_others(config, connection, balancer, engine, tokenizer)
    except BaseException:
        connection.close()
        raise
    warn_of_limits(facts)
    return engine


def watch_for_others(
    config: RemoteConfig,
    connection: ServerConnection,
    balancer: Balancer,
    engine: RemoteEngine,
    tokenizer: PromptTokenizer,
) -> None:
    """Let the servers that do not answer yet join later, if they have the facts and the context of the others."""
    first = balancer.servers[0]
    missing = [EngineServer(url) for url in config.bases if url not in {server.url for server in balancer.servers}]

    def check(server: EngineServer, facts: ServerFacts) -> None:
        join_facts({first: engine.facts, server: facts})
        context = choose_context([facts], config.context_tokens)
        if context < engine.context_tokens:
            raise UnsupportedSettingError(
                f"{server.host} has a context of {context} tokens, and this worker has promised "
                f"{engine.context_tokens}; restart this worker, or the server with a larger context"
            )

    def identify(server: EngineServer) -> Coroutine[Any, Any, ServerFacts]:
        return ServerProbe(connection.client, server, tokenizer).identify(config.model, config.name)

    for server in missing:
        log.warning("engine_server_left_out", server=server.host, action="it gets requests when it answers")
    connection.start(LateServers(missing, balancer, check=check, identify=identify).watch())


def identify_served(facts: ServerFacts, hashes: Mapping[str, object]) -> dict[str, object]:
    """Return what of the servers belongs to the fingerprint: not where weights lie whose hashes are known."""
    described = facts.describe()
    return {name: value for name, value in described.items() if name != "root" or "weights" not in hashes}


def identify_servers(
    config: RemoteConfig, connection: ServerConnection, tokenizer: PromptTokenizer
) -> dict[EngineServer, ServerFacts]:
    """Return the facts of every server that answers; wait for the first, and a little for the others."""
    missing = [EngineServer(url) for url in config.bases]
    found: dict[EngineServer, ServerFacts] = {}
    until, next_line = time.monotonic() + START_SECONDS, time.monotonic() + TRY_SECONDS
    while True:
        config.check_failure()
        for server in tuple(missing):
            try:
                probe = ServerProbe(connection.client, server, tokenizer)
                found[server] = connection.run(probe.identify(config.model, config.name))
            except ServerUnreachableError as error:
                reason = error
            else:
                missing.remove(server)
                until = min(until, time.monotonic() + OTHERS_SECONDS)
        if not missing or (found and time.monotonic() > until):
            break
        if time.monotonic() > until:
            raise reason
        if time.monotonic() > next_line:
            log.info("waiting_for_engine_server", reason=str(reason))
            next_line = time.monotonic() + LOG_SECONDS
        time.sleep(TRY_SECONDS)
    return found


def join_facts(found: Mapping[EngineServer, ServerFacts]) -> ServerFacts:
    """Return the facts that all servers share.

    Raises:
        UnsupportedSettingError: they differ, so that their outputs may.
    """
    (first, facts), *others = found.items()
    for server, other in others:
        for name in ("dialect", "version", "model", "form", "can_score"):
            if getattr(facts, name) != getattr(other, name):
                raise UnsupportedSettingError(
                    f"{first.host} and {server.host} differ in their {name} ({getattr(facts, name)} and "
                    f"{getattr(other, name)}); name only servers that are alike in GISTMILL_ENGINE"
                )
    return facts


def choose_context(facts: Sequence[ServerFacts], limit: int | None) -> int:
    """Return the tokens that fit every server.

    Raises:
        UnsupportedSettingError: neither a server nor a setting says how many.
    """
    known = [served.context_tokens for served in facts if served.context_tokens is not None]
    # A server generates at least one token after a prompt that it scores.
    known = [context - facts[0].can_score for context in known] + ([] if limit is None else [limit])
    if not known:
        raise UnsupportedSettingError(
            f"{facts[0].dialect.name} does not say how many tokens its context has; set GISTMILL_CONTEXT_TOKENS"
        )
    return min(known)


def warn_of_limits(facts: ServerFacts) -> None:
    """Log which parts of a request the servers cannot take as they are."""
    if facts.form is not PromptForm.IDS:
        log.warning(
            "prompts_go_as_text",
            server=facts.dialect.name,
            form=facts.form.value,
            action="the server takes no token ids: control tokens in documents are broken by a space",
        )
    if facts.dialect.ignored:
        log.warning("sampling_parameters_ignored", server=facts.dialect.name, parameters=facts.dialect.ignored)
