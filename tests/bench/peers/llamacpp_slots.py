"""llama.cpp on the GGUF (4 bits), with parallel slots: prompts of a wave are prefilled, then decoded together."""

from __future__ import annotations

import ctypes

import llama_cpp
import numpy as np
from protocol import Ids, Work, read_work, serve

# Tokens of one forward pass.
BATCH_TOKENS = 512


class Slots:
    """A context with one sequence per slot.

    Args:
        work: names the weights and the number of slots and threads.
    """

    def __init__(self, work: Work) -> None:
        llama_cpp.llama_backend_init()
        self._quiet = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._quiet, ctypes.c_void_p(0))
        self._work = work
        longest = max(len(prompt) for document in work.documents for prompt in document)
        reduce = max(len(work.before) + len(work.after) + len(each) * work.new_tokens for each in work.documents)
        self._model = llama_cpp.llama_model_load_from_file(work.gguf.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = work.slots * (max(longest, reduce) + 64 + work.new_tokens)
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max = work.slots
        params.n_threads = params.n_threads_batch = work.threads
        # One pool of cells for all sequences.
        params.kv_unified = True
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        self._batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)

    def generate(self, prompts: list[Ids]) -> list[Ids]:
        """Generate in waves of as many prompts as there are slots."""
        answers: list[Ids] = []
        for start in range(0, len(prompts), self._work.slots):
            answers += self._run_wave(prompts[start : start + self._work.slots])
        return answers

    def _run_wave(self, prompts: list[Ids]) -> list[Ids]:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        rows = [
            (slot, place, token, place == len(prompt) - 1)
            for slot, prompt in enumerate(prompts)
            for place, token in enumerate(prompt)
        ]
        answers: list[Ids] = [[] for _ in prompts]
        for start in range(0, len(rows), BATCH_TOKENS):
            self._decode(rows[start : start + BATCH_TOKENS], answers)
        for step in range(1, self._work.new_tokens):
            self._decode(
                [(slot, len(prompt) + step - 1, answers[slot][-1], True) for slot, prompt in enumerate(prompts)],
                answers,
            )
        return answers

    def _decode(self, rows: list[tuple[int, int, int, bool]], answers: list[Ids]) -> None:
        batch = self._batch
        batch.n_tokens = len(rows)
        for index, (slot, place, token, is_wanted) in enumerate(rows):
            batch.token[index], batch.pos[index] = token, place
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, slot
            batch.logits[index] = is_wanted
        if llama_cpp.llama_decode(self._context, batch):
            raise SystemExit("llama.cpp could not decode a batch")
        for index, (slot, _, _, is_wanted) in enumerate(rows):
            if is_wanted:
                logits = llama_cpp.llama_get_logits_ith(self._context, index)
                answers[slot].append(int(np.ctypeslib.as_array(logits, (self._vocabulary,)).argmax()))


def main() -> None:
    """Load the weights and serve."""
    work = read_work()
    slots = Slots(work)
    serve(lambda: work.run_waves(slots.generate))


if __name__ == "__main__":
    main()
