"""Our own engine without queue, database and executor, float32: all map prompts, then all reduce prompts."""

from __future__ import annotations

import torch
from protocol import Ids, read_work, serve

from workers.engine.batching.request import Request
from workers.engine.config import EngineConfig
from workers.engine.engine import load_engine
from workers.generation import GenerationParams

CACHE_GIB = 2.5


def main() -> None:
    """Load the weights and serve."""
    work = read_work()
    torch.set_num_threads(work.threads)
    engine = load_engine(
        EngineConfig(work.weights, device="cpu", quantization="none", slots=work.slots, kv_cache_gb=CACHE_GIB)
    )
    params = GenerationParams(do_sample=False, max_new_tokens=work.new_tokens)

    def generate(prompts: list[Ids]) -> list[Ids]:
        requests = [Request(prompt_ids=ids, params=params, eos_ids=frozenset()) for ids in prompts]
        for request in requests:
            engine.lanes.submit(request)
        return [request.future.result().tokens for request in requests]

    serve(lambda: work.run_waves(generate))


if __name__ == "__main__":
    main()
