"""The engine: one set of weights, loaded once, with continuous batching.

``generate`` blocks; all task threads of the process call it, and their requests share one batch, on a CPU two. Beam
search and scoring, which the loop cannot batch, run beside it on the same weights, one call at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace

import torch
from transformers import ContinuousBatchingConfig

from workers.engine.architectures import translate_errors
from workers.engine.batching.beam_and_score import SequentialGenerator
from workers.engine.batching.lanes import Lanes
from workers.engine.batching.loop import GenerationLoop
from workers.engine.batching.metrics import EngineMetrics
from workers.engine.batching.request import GenerationOutcome, Request
from workers.engine.batching.sizing import size_lanes
from workers.engine.config import EngineConfig
from workers.engine.constraints import Constraint, SchemaCompiler
from workers.engine.cpu.huge_pages import schedule_move
from workers.engine.errors import GenerationError, InsufficientMemoryError, PromptTooLongError, UnsupportedPromptError
from workers.engine.loading import LoadedWeights, load_weights
from workers.engine.streaming import TextStream
from workers.generation import FinishReason, Generation, GenerationParams, Prompt, PromptFormat
from workers.weights.fingerprint import Hashes


def load_engine(
    config: EngineConfig, *, hashing: Future[Hashes] | None = None, on_fatal: Callable[[], None] | None = None
) -> Engine:
    """Load weights and start serving them.

    Args:
        config: weights and settings.
        hashing: hashes of the weights and adapter, if their computation has begun.
        on_fatal: called in a loop's thread after a fatal error; the process should end then.

    Raises:
        WeightsError: see the subclasses; every message contains the remedy.
    """
    weights = load_weights(config, hashing)
    with translate_errors(weights.network.config.model_type, config.weights):
        return Engine(weights, config, on_fatal=on_fatal)


class Engine:
    """Generates text with one set of weights; implements ``TextGenerator``."""

    def __init__(
        self, weights: LoadedWeights, config: EngineConfig, *, on_fatal: Callable[[], None] | None = None
    ) -> None:
        self.weights = weights
        self._tokenizer = weights.tokenizer
        threads = torch.get_num_threads()
        sizes = size_lanes(weights, config, threads=threads)
        self._context_tokens = sizes.context_tokens

        def build_loop(batching: ContinuousBatchingConfig, share_threads: Callable[[], int]) -> GenerationLoop:
            return GenerationLoop(
                weights.network,
                tokenizer=weights.tokenizer,
                batching=batching,
                share_threads=share_threads,
                is_speculative=config.is_speculative,
                on_fatal=on_fatal,
            )

        self._compiler = SchemaCompiler(
            weights.tokenizer.backend,
            vocabulary=weights.network.config.get_text_config().vocab_size,
            control_ids=weights.tokenizer.control_ids,
        )
        self._sequential = SequentialGenerator(weights.network, threads=threads)
        try:
            self.lanes = Lanes(build_loop, sizes.lanes, threads=threads)
        except MemoryError as error:
            raise InsufficientMemoryError(
                f"the KV cache does not fit {weights.placement.device} beside the weights: {error}; "
                "set fewer slots, a smaller kv_cache_gb or a smaller context_tokens"
            ) from error
        self.metrics = EngineMetrics(self.lanes.read_state, device=self.device)
        self.lanes.start()
        self._move = schedule_move() if self.device == "cpu" else None

    @property
    def device(self) -> str:
        """Device of the weights: ``cpu`` or ``cuda``."""
        return self.weights.placement.device

    @property
    def context_tokens(self) -> int:
        """Maximum number of tokens of prompt and completion together."""
        return self._context_tokens

    @property
    def prompt_format(self) -> PromptFormat:
        """Prompt format of the weights."""
        return self.weights.prompt_format

    @property
    def fingerprint(self) -> str:
        """Hash of config, tensors, adapter, dtype and quantization."""
        return self.weights.fingerprint

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a plain text, without any control tokens."""
        return self._tokenizer.count_tokens(text)

    def count_prompt_tokens(self, prompt: Prompt) -> int:
        """Return the exact length of the encoded prompt, control tokens included."""
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

        Raises:
            PromptTooLongError: prompt and ``max_new_tokens`` exceed the context.
            UnsupportedPromptError: the weights' chat template refuses the turns.
            RequestFailedError: this request failed; others continue.
            EngineStoppedError: the engine serves no more requests.
        """
        request = self._build_request(prompt, params, deadline=deadline, cancelled=cancelled)
        try:
            if params.num_beams > 1:
                outcome = self._sequential.generate(request)
            else:
                self.lanes.submit(request)
                outcome = request.future.result()
        except GenerationError:
            self.metrics.count_failure()
            raise
        return self._build_generation(request, outcome)

    def stream(self, prompt: Prompt, params: GenerationParams) -> Iterator[str | Generation]:
        """Yield the text in pieces as it grows, and the whole generation last.

        Closing the iterator early cancels the request. Raises as ``generate`` does.
        """
        cancelled = threading.Event()
        request = self._build_request(prompt, replace(params, num_beams=1), deadline=None, cancelled=cancelled)
        texts = TextStream(request, self._tokenizer).iterate_texts()
        self.lanes.submit(request)
        sent = ""
        try:
            for text in texts:
                if len(text) > len(sent):
                    yield text[len(sent) :]
                    sent = text
            generation = self._build_generation(request, request.future.result())
            if len(generation.text) > len(sent):
                yield generation.text[len(sent) :]
            yield generation
        finally:
            cancelled.set()

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Return the summed log-probability of each continuation after the prompt.

        Raises:
            PromptTooLongError: prompt and longest continuation exceed the context.
            ValueError: a continuation is empty.
        """
        encoded = self._tokenizer.encode_continuations(continuations)
        longest = max(map(len, encoded), default=0)
        return self._sequential.score(self._encode_checked(prompt, longest), encoded)

    def seconds_since_progress(self) -> float:
        """Return the seconds since the loop's last heartbeat; a loop hangs if that is longer than any forward pass."""
        return self.lanes.seconds_since_progress()

    def close(self) -> None:
        """End the loops and fail all pending requests."""
        if self._move is not None:
            self._move.cancel()
        self.lanes.close()

    def _build_request(
        self, prompt: Prompt, params: GenerationParams, *, deadline: float | None, cancelled: threading.Event | None
    ) -> Request:
        return Request(
            prompt_ids=self._encode_checked(prompt, params.max_new_tokens),
            params=params,
            eos_ids=self._find_eos_ids(prompt.format),
            stop=prompt.stop,
            deadline=deadline,
            cancelled=cancelled,
            device=self.device,
            constraint=self._constrain(prompt, params),
        )

    def _constrain(self, prompt: Prompt, params: GenerationParams) -> Constraint | None:
        if prompt.schema is None:
            return None
        if params.num_beams > 1:
            raise UnsupportedPromptError("beam search cannot be kept to a schema; set num_beams to 1")
        return self._compiler.constrain(prompt.schema, params.max_new_tokens)

    def _encode_checked(self, prompt: Prompt, new_tokens: int) -> list[int]:
        ids = self._tokenizer.encode_prompt(prompt)
        if len(ids) + new_tokens > self._context_tokens:
            raise PromptTooLongError(
                f"the prompt has {len(ids)} tokens and asks for {new_tokens} more, and the context holds "
                f"{self._context_tokens}; shorten the prompt or lower max_new_tokens"
            )
        return ids

    def _find_eos_ids(self, prompt_format: PromptFormat) -> frozenset[int]:
        configured = self.weights.network.generation_config.eos_token_id
        ids = set(configured if isinstance(configured, list) else [configured]) - {None}
        if self._tokenizer.turn_end is not None and prompt_format is PromptFormat.CHAT:
            ids.add(self._tokenizer.turn_end)
        return frozenset(ids)

    def _build_generation(self, request: Request, outcome: GenerationOutcome) -> Generation:
        answer = self._tokenizer.decode_answer(outcome.tokens, prompt_ids=request.prompt_ids)
        text, has_stop = request.cut_text(answer)
        generation = Generation(
            text=text,
            prompt_tokens=len(request.prompt_ids),
            completion_tokens=len(outcome.tokens),
            finish_reason=FinishReason.STOP if has_stop else outcome.reason,
            seconds=time.monotonic() - request.submitted,
        )
        self.metrics.count_generation(generation)
        return generation
