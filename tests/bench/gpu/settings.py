"""Settings that could be better than the loop as it is: each changes one thing."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.gpu.loops import Setting

LOOP = Setting("our loop as it is")
BATCH = Setting("generate_batch", way="generate_batch")


def list_loop_settings() -> list[Setting]:
    """Return ways to run our loop."""
    return [
        LOOP,
        *(replace(LOOP, name=f"kernel {kernel}", kernel=kernel) for kernel in ("efficient", "cudnn", "math")),
        *(replace(LOOP, name=f"page of {tokens}", page_tokens=tokens) for tokens in (16, 32, 64, 256)),
        *(replace(LOOP, name=f"pass of {tokens}", batch_tokens=tokens) for tokens in (1024, 2048, 8192, 16_384)),
    ]


def list_batch_settings() -> list[Setting]:
    """Return ways to run ``generate_batch``, the slow ones last."""
    return [
        BATCH,
        replace(BATCH, name="page of 256", page_tokens=256),
        replace(BATCH, name="asynchronous batching", options={"use_async_batching": True}),
        replace(BATCH, name="CUDA graphs", options={"use_cuda_graph": True}),
        replace(BATCH, name="both", options={"use_cuda_graph": True, "use_async_batching": True}),
        *(
            replace(BATCH, name=f"attention {name}", attention=name)
            for name in ("eager", "flash_attention_2", "flash_attention_3")
        ),
        replace(BATCH, name="compiled", compile_mode="default"),
    ]
