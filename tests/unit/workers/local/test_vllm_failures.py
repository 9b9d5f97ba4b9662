"""The sentence for each way in which vLLM does not start, from lines that it has written."""

from __future__ import annotations

import pytest

from workers.errors import ServerStartError, ServingError, ShortageError, WorkerError
from workers.local.vllm_failures import explain_failure

INFO = "(APIServer pid=7) INFO 11-29 10:52:17 [compilation.py:317] Enabled custom fusions: norm_quant, act_quant"
ERROR = "(EngineCore pid=8) ERROR 11-29 10:52:18 [core.py:1044] "


@pytest.mark.parametrize(
    ("line", "code", "kind", "sentence"),
    [
        (
            "ValueError: Model architectures ['BertModel'] are not supported for now.",
            1,
            ServingError,
            "vLLM cannot serve weights of this kind (ValueError: Model architectures ['BertModel'] are not supported",
        ),
        (
            "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
            1,
            ServingError,
            "too little memory is left for the KV cache (ValueError: No available memory",
        ),
        (
            "ValueError: To serve at least one request with max seq len (32768), (0.5 GiB KV cache is needed, "
            "which is larger than the available KV cache memory (0.2 GiB).",
            1,
            ServingError,
            "too little memory is left for the KV cache",
        ),
        (
            "ValueError: Free memory on device cuda:0 (3.1/79.2 GiB) is less than desired GPU memory utilization",
            1,
            ShortageError,
            "too little GPU memory is free (ValueError: Free memory on device cuda:0 (3.1/79.2 GiB)",
        ),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
            1,
            ShortageError,
            "the weights do not fit the free memory (torch.OutOfMemoryError",
        ),
        (
            "api_server.py: error: unrecognized arguments: --max-num-sheep 3",
            2,
            ServingError,
            "it does not know an option (api_server.py: error: unrecognized arguments: --max-num-sheep 3)",
        ),
        (
            "OSError: [Errno 98] Address already in use",
            1,
            ServerStartError,
            "its port is taken (OSError: [Errno 98] Address already in use)",
        ),
        (
            "ValueError: torch.float16 is not supported for quantization method fp8.",
            1,
            ServingError,
            "vLLM cannot serve these weights with these settings (ValueError: torch.float16 is not supported",
        ),
        (
            "Value error, User-specified max_model_len (2000000) is greater than the derived max_model_len. "
            "[type=value_error, input_value=ArgsKwargs(())]",
            1,
            ServingError,
            "with these settings (Value error, User-specified max_model_len (2000000) is greater than the derived "
            "max_model_len.); correct them",
        ),
        (
            "safetensors._safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata",
            1,
            ServingError,
            "with these settings (safetensors._safetensors_rust.SafetensorError: Error while deserializing header",
        ),
        (
            "ValueError: Layer 0 does not dispatch through the Transformers attention interface",
            1,
            ServingError,
            "with these settings (ValueError: Layer 0 does not dispatch",
        ),
        ("Loading weights", -9, ShortageError, "it was killed, as when memory runs out"),
        ("RuntimeError: the driver is too old", 1, ServerStartError, "code 1: RuntimeError: the driver is too old"),
        ("bye", 3, ServerStartError, "code 3: bye"),
    ],
)
def test_the_reason_is_the_first_error_that_says_one(
    line: str, code: int, kind: type[WorkerError], sentence: str
) -> None:
    after = ERROR + "RuntimeError: Engine core initialization failed. See root cause above."
    lines = [INFO, ERROR + line, *([after] if "Error: " in line and kind is not ServerStartError else [])]
    error = explain_failure(lines, code)
    assert type(error) is kind
    assert sentence in str(error)
    assert str(error).startswith("vLLM did not start")
    assert "\n" not in str(error)


def test_a_server_that_wrote_nothing_is_told_too() -> None:
    assert str(explain_failure([], 1)) == "vLLM did not start and ended with code 1: it wrote nothing"
