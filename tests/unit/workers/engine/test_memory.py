"""How much memory loading takes, measured in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# The interpreter and its libraries are there before; the weights are all used once, then the peak is read.
MEASURE = """
import sys
from pathlib import Path
import torch
from workers.engine.device import Placement
from workers.engine.loading import load_network
from workers.engine.quantization import halve_linears, quantize_linears

def read_status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024

torch.set_num_threads(1)
torch.nn.functional.linear(torch.ones(64, 64), torch.ones(64, 64))
placement = Placement(device="cpu", dtype=torch.float32, quantization=sys.argv[2])
before = read_status("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
network = load_network(Path(sys.argv[1]), placement=placement, adapter=None, device_map=None)
ids = torch.arange(8).unsqueeze(0)
if placement.is_int8_on_cpu:
    quantize_linears(network, run_sample=lambda: network(input_ids=ids))
if placement.quantization == "half":
    halve_linears(network)
with torch.inference_mode():
    network(input_ids=ids)
print(read_status("VmHWM") - before)
"""


def measure_peak(weights: Path, quantization: str) -> int:
    """Return the bytes that loading takes at its peak above the bare interpreter with its libraries."""
    command = [sys.executable, "-c", MEASURE, str(weights), quantization]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("quantization", ["none", "half", "int8"])
def test_loading_takes_at_most_1_3_times_the_weights(real_weights: Path, quantization: str) -> None:
    size = (real_weights / "model.safetensors").stat().st_size
    assert measure_peak(real_weights, quantization) <= 1.3 * size
