"""How the bench talks to a peer: the work in a file, then a line for every run, answered by a line of JSON.

Knows nothing of Gistmill, because some peers live in environments of their own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Ids = list[int]
# Of every server and of vLLM's offline interface.
CONTEXT_TOKENS = 4096
# GiB for the KV cache; a few dozen calls need far less. Left to itself vLLM computes on one of two cores.
VLLM_VARIABLES = {
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True)
class Work:
    """What is to be done, as token ids of the weights' own tokenizer.

    Args:
        weights: a folder as transformers loads it.
        gguf: the same weights as llama.cpp loads them.
        new_tokens: of every call, exactly.
        slots: most calls at once.
        threads: most threads to compute with.
        documents: of each document the map prompts.
        before: the reduce prompt up to the first summary.
        separator: between two summaries.
        after: the reduce prompt after the last summary.
        texts: of each document the chunks as text.
        map_template: the map prompt with {text} where the chunk goes.
        reduce_template: the reduce prompt with {text} where the summaries go.
    """

    weights: str
    gguf: str
    new_tokens: int
    slots: int
    threads: int
    documents: list[list[Ids]]
    before: Ids
    separator: Ids
    after: Ids
    texts: list[list[str]]
    map_template: str
    reduce_template: str

    def build_reduce(self, outputs: Sequence[Ids]) -> Ids:
        """Return the reduce prompt around the answers to the map prompts of a document."""
        ids = list(self.before)
        for number, output in enumerate(outputs):
            ids += self.separator * (number > 0) + output
        return ids + self.after

    def run_waves(self, generate: Callable[[list[Ids]], list[Ids]]) -> int:
        """Generate all map prompts, then all reduce prompts, and return the number of new tokens."""
        prompts = [prompt for document in self.documents for prompt in document]
        answers = iter(generate(prompts))
        outputs = [[next(answers) for _ in document] for document in self.documents]
        last = generate([self.build_reduce(each) for each in outputs])
        return sum(map(len, last)) + sum(len(answer) for document in outputs for answer in document)


def read_work() -> Work:
    """Return the work that the command line names."""
    return Work(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


def serve(run: Callable[[], int]) -> None:
    """Say that everything is loaded, and run whenever a line asks for it."""
    # Libraries print to standard output too; the answers go where the bench reads.
    answers = os.fdopen(int(sys.argv[2]), "w")
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for _ in sys.stdin:
        started = time.monotonic()
        tokens = run()
        print(json.dumps({"seconds": time.monotonic() - started, "tokens": tokens}), file=answers, flush=True)
