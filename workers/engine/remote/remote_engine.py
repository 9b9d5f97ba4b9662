"""Engine of a server that speaks OpenAI's API, such as vLLM; the second implementation of ``TextGenerator``.

Prompts are encoded here and sent as token ids, so that a server cannot take a document's text for a chat turn. A server
that takes no ids gets messages, in which control tokens of documents are broken.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import httpx

from workers.engine.errors import GenerationError, PromptTooLongError, UnsupportedRequestError
from workers.engine.remote.answers import ServedCompletion, check_prompt_count
from workers.engine.remote.balancer import Balancer
from workers.engine.remote.connection import ServerConnection
from workers.engine.remote.delivery import Delivery
from workers.engine.remote.dialect import PromptForm, build_body
from workers.engine.remote.prompt_scores import score_continuations
from workers.engine.remote.remote_metrics import RemoteMetrics
from workers.engine.remote.server_facts import ServerFacts
from workers.engine.remote.structured_outputs import build_schema_fields
from workers.engine.tokenizer import PromptTokenizer
from workers.generation import FinishReason, Generation, GenerationParams, Prompt, PromptFormat, cut_at_stop

# Seconds between two checks that the servers live, while requests run.
HEALTH_SECONDS = 5.0


class RemoteEngine:
    """Generates text with servers of one set of weights; implements ``TextGenerator``.

    Args:
        connection: HTTP connections; the engine closes them.
        balancer: the servers.
        facts: of every server.
        tokenizer: of the weights.
        prompt_format: of the weights.
        context_tokens: maximum of prompt and completion together.
        fingerprint: of the weights as they are served.
    """

    def __init__(
        self,
        connection: ServerConnection,
        balancer: Balancer,
        facts: ServerFacts,
        *,
        tokenizer: PromptTokenizer,
        prompt_format: PromptFormat,
        context_tokens: int,
        fingerprint: str,
    ) -> None:
        self.facts = facts
        self.prompt_format = prompt_format
        self.context_tokens = context_tokens
        self.fingerprint = fingerprint
        self._connection = connection
        self._balancer = balancer
        self._tokenizer = tokenizer
        self._delivery = Delivery(connection.client, balancer)
        self.metrics = RemoteMetrics(self._delivery)
        connection.start(self._watch_health())

    @property
    def device(self) -> str:
        """Program of the servers and its version; not their addresses, because it is stored in a row."""
        return f"{self.facts.dialect.name} {self.facts.version}".strip()

    @property
    def hosts(self) -> list[str]:
        """Hosts and ports of the servers."""
        return [server.host for server in self._balancer.servers]

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text, without any control tokens."""
        return self._tokenizer.count_tokens(text)

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        """Return the length of the encoded prompt, control tokens included."""
        return len(self._tokenizer.encode_prompt(prompt))

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        """Generate text; blocks until done, cancelled or past ``deadline`` (a ``time.monotonic`` value).

        A generation that is cancelled or past its deadline has no text: the server's answer is not awaited.

        Raises:
            PromptTooLongError: prompt and ``max_new_tokens`` exceed the context.
            UnsupportedPromptError: the weights' chat template refuses the turns.
            UnsupportedRequestError: the server cannot do this, as with beams.
            RequestFailedError: the server failed with this request several times.
            ServerUnreachableError: no server answers.
        """
        started = time.monotonic()
        if params.num_beams > 1:
            raise UnsupportedRequestError(
                f"{self.facts.dialect.name} searches no beams; set num_beams to 1, or GISTMILL_ENGINE to transformers"
            )
        ids = self._encode_checked(prompt, params.max_new_tokens)
        path, body = self._build_request(prompt, params, ids)
        try:
            answer = self._connection.run_until(
                self._delivery.complete(path, body), deadline=deadline, cancelled=cancelled
            )
        except GenerationError:
            self.metrics.count_failure()
            raise
        if isinstance(answer, FinishReason):
            generation = Generation("", len(ids), 0, answer, time.monotonic() - started)
        else:
            check_prompt_count(answer, expected=len(ids))
            generation = self._read_generation(answer, prompt, ids, started)
        self.metrics.count_generation(generation)
        return generation

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Return the summed log-probability of each continuation after the prompt.

        Raises:
            PromptTooLongError: prompt and longest continuation exceed the context.
            UnsupportedRequestError: the server returns no log-probabilities of a prompt.
            ValueError: a continuation is empty.
        """
        if not self.facts.can_score:
            raise UnsupportedRequestError(
                f"{self.facts.dialect.name} returns no log-probabilities of a given text, so these checks need vLLM or "
                "GISTMILL_ENGINE=transformers"
            )
        encoded = self._tokenizer.encode_continuations(continuations)
        ids = self._encode_checked(prompt, max(map(len, encoded), default=0))
        return self._connection.run(score_continuations(self._delivery, self.facts, ids, encoded))

    def seconds_since_progress(self) -> float:
        """Return the seconds since a server's last answer while requests run, health checks included; 0 when idle."""
        return self._delivery.seconds_since_answer()

    @property
    def remark(self) -> str | None:
        """Sentence about prompts that the servers take only as text; None for token ids."""
        if self.facts.form is PromptForm.IDS:
            return None
        return (
            f"{self.facts.dialect.name} got the prompt as {self.facts.form.value}: control tokens in the document were "
            "broken by a space"
        )

    def close(self) -> None:
        """End all requests and close the connections."""
        self._connection.close()

    def _encode_checked(self, prompt: Prompt, new_tokens: int) -> list[int]:
        ids = self._tokenizer.encode_prompt(prompt)
        if len(ids) + new_tokens > self.context_tokens:
            raise PromptTooLongError(
                f"the prompt has {len(ids)} tokens and asks for {new_tokens} more, and the context holds "
                f"{self.context_tokens}; shorten the prompt or lower max_new_tokens"
            )
        return ids

    def _build_request(
        self, prompt: Prompt, params: GenerationParams, ids: Sequence[int]
    ) -> tuple[str, dict[str, Any]]:
        """Return the path and the body of a request."""
        turn_end = self._tokenizer.turn_end
        stop_ids = [] if turn_end is None or prompt.format is not PromptFormat.CHAT else [turn_end]
        body = build_body(self.facts.dialect, self.facts.model, params, stop=prompt.stop, stop_ids=stop_ids)
        if prompt.schema is not None:
            body |= build_schema_fields(self.facts.dialect, self._choose_form(prompt), prompt.schema)
        if self.facts.form is PromptForm.IDS:
            return "/completions", body | {"prompt": list(ids)}
        if prompt.format is PromptFormat.CHAT:
            return "/chat/completions", body | {"messages": self._tokenizer.render_messages(prompt)}
        return "/completions", body | {"prompt": self._tokenizer.render_text(prompt)}

    def _choose_form(self, prompt: Prompt) -> PromptForm:
        """Return the form of a prompt: a completion never goes as messages."""
        is_chat = prompt.format is PromptFormat.CHAT
        return self.facts.form if is_chat or self.facts.form is PromptForm.IDS else PromptForm.TEXT

    def _read_generation(
        self, answer: ServedCompletion, prompt: Prompt, ids: Sequence[int], started: float
    ) -> Generation:
        choice, usage = answer.choice, answer.usage
        tokens = choice.token_ids
        # Decoded as by the other engine; a server drops or adds spaces around control tokens.
        text = (
            choice.content.replace("\0", "")
            if tokens is None
            else self._tokenizer.decode_answer(tokens, prompt_ids=ids)
        )
        text, has_stop = cut_at_stop(text, prompt.stop)
        count = usage.completion_tokens
        if count is None:
            count = self.count_tokens(text) if tokens is None else len(tokens)
        return Generation(
            text=text,
            prompt_tokens=usage.prompt_tokens or len(ids),
            completion_tokens=count,
            finish_reason=FinishReason.STOP if has_stop else FinishReason(choice.finish_reason or ""),
            seconds=time.monotonic() - started,
        )

    async def _watch_health(self) -> None:
        """Record the answers to health checks while requests run, since a generation may take minutes."""
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            for server in self._balancer.servers if self._balancer.running else ():
                try:
                    await self._connection.client.get(server.root + self.facts.dialect.health, timeout=HEALTH_SECONDS)
                except httpx.TransportError:
                    continue
                self._delivery.last_answer = time.monotonic()
