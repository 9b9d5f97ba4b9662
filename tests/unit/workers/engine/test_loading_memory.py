"""How much memory loading takes, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from workers.engine.cpu.onednn import has_native_bfloat16
from workers.weights.folder import list_tensors

# The interpreter and its libraries are there before; the weights are all used once, then the peak is read.
MEASURE = """
import sys
from pathlib import Path
import torch
from workers.engine.device import Placement
from workers.engine.loading import load_network, prepare_layers

def read_status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024

torch.set_num_threads(1)
torch.nn.functional.linear(torch.ones(64, 64), torch.ones(64, 64))
placement = Placement(device="cpu", dtype=getattr(torch, sys.argv[2]), quantization=sys.argv[3])
before = read_status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
network = load_network(Path(sys.argv[1]), placement=placement, adapter=None, device_map=None)
ids = torch.arange(8).unsqueeze(0)
prepare_layers(network, placement, ids, device_map=None)
with torch.inference_mode():
    network(input_ids=ids, logits_to_keep=1)
print(read_status("VmHWM") - before)
"""
VOCABULARY = 100_000
NEEDS_BFLOAT16 = pytest.mark.skipif(not has_native_bfloat16(), reason="this CPU does not compute in bfloat16")


def measure_peak(weights: Path, dtype: str, quantization: str) -> int:
    """Return the bytes that loading takes at its peak above the bare interpreter with its libraries."""
    command = [sys.executable, "-c", MEASURE, str(weights), dtype, quantization]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module")
def wide_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma of 330 MB in the proportions of the real one: most of it is the embedding, which is the head too."""
    folder = tmp_path_factory.mktemp("wide")
    config = Gemma3TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=512,
        intermediate_size=2048,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=128,
        max_position_embeddings=512,
    )
    Gemma3ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("weights", "dtype", "quantization", "most"),
    [
        ("wide_weights", "bfloat16", "none", 0.65),
        # FBGEMM pads the inputs of a layer in half precision to the next 512, here and in the real weights.
        ("wide_weights", "float32", "half", 0.95),
        pytest.param("real_weights", "float32", "none", 1.3, marks=pytest.mark.real),
        pytest.param("real_weights", "float32", "bf16", 0.65, marks=[pytest.mark.real, NEEDS_BFLOAT16]),
        # A tenth of them stays in half precision, and more on CPUs whose products overflow in 16 bits; pages of the
        # file that are mapped for a moment count too.
        pytest.param(
            "real_weights", "float32", "int8", 0.5 if torch.cpu._is_vnni_supported() else 0.6, marks=pytest.mark.real
        ),
    ],
)
def test_loading_takes_at_most_1_3_times_the_weights_as_they_are_served(
    request: pytest.FixtureRequest, weights: str, dtype: str, quantization: str, most: float
) -> None:
    folder: Path = request.getfixturevalue(weights)
    in_float32 = 4 * sum(tensor.elements for tensor in list_tensors(folder).values())
    assert measure_peak(folder, dtype, quantization) <= most * in_float32
