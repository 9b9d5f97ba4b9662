"""The engine's own limit: transformers' ``generate_batch`` over all map prompts, then over all reduce prompts."""

from __future__ import annotations

import torch
from protocol import Ids, read_work, serve
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

PAGE_TOKENS = 32
BATCH_TOKENS = 256


def main() -> None:
    """Load the weights and serve."""
    work = read_work()
    torch.set_num_threads(work.threads)
    network = AutoModelForCausalLM.from_pretrained(work.weights, dtype=torch.float32, attn_implementation="sdpa").eval()

    def generate(prompts: list[Ids]) -> list[Ids]:
        longest = max(map(len, prompts)) + work.new_tokens
        outputs = network.generate_batch(
            prompts,
            generation_config=GenerationConfig(
                do_sample=False, max_new_tokens=work.new_tokens, eos_token_id=-1, pad_token_id=0
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=work.slots * (longest // PAGE_TOKENS + 2),
                max_batch_tokens=BATCH_TOKENS,
                max_requests_per_batch=work.slots,
                use_async_batching=False,
                use_cuda_graph=False,
            ),
        )
        # By prompt and not by place: requests end in any order.
        answers = {tuple(output.prompt_ids): list(output.generated_tokens) for output in outputs.values()}
        return [answers[tuple(prompt)] for prompt in prompts]

    serve(lambda: work.run_waves(generate))


if __name__ == "__main__":
    main()
