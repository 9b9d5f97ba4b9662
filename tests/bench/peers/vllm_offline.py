"""vLLM offline on the CPU, float32: all map prompts, then all reduce prompts."""

from __future__ import annotations

import os

from protocol import CONTEXT_TOKENS, VLLM_VARIABLES, Ids, read_work, serve


def main() -> None:
    """Load the weights and serve."""
    work = read_work()
    os.environ.update(VLLM_VARIABLES)
    # In this process, so that the bench can stop it between its runs.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    from vllm import LLM, SamplingParams

    engine = LLM(model=work.weights, dtype="float32", max_model_len=CONTEXT_TOKENS, max_num_seqs=work.slots, seed=0)
    params = SamplingParams(temperature=0.0, max_tokens=work.new_tokens, ignore_eos=True, detokenize=False)

    def generate(prompts: list[Ids]) -> list[Ids]:
        outputs = engine.generate([{"prompt_token_ids": ids} for ids in prompts], params, use_tqdm=False)
        return [list(output.outputs[0].token_ids) for output in outputs]

    def run() -> int:
        # Prefixes of one round are shared; whole prompts of the round before are not remembered.
        engine.reset_prefix_cache()
        return work.run_waves(generate)

    serve(run)


if __name__ == "__main__":
    main()
