from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from workers.weights.metadata import FINGERPRINT_VALUES, fingerprint_base
from workers.weights.packaged import FINGERPRINT
from workers.weights.values import BFLOAT16_NAN, read_first_values, round_to_bfloat16


def fingerprint_by_torch(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in sorted(tensors.keys()):
                values = tensors.get_slice(name)
                digest.update(f"{name}{values.get_shape()}".encode())
                first = values[:1].flatten()[:FINGERPRINT_VALUES].to(torch.bfloat16)
                digest.update(first.view(torch.int16).numpy().tobytes())
    return digest.hexdigest()


def write_weights(folder: Path, **tensors: torch.Tensor) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_base_has_the_fingerprint_that_torch_gives_it(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    folder = write_weights(
        tmp_path,
        wide=(torch.randn(3, 5000) * 10 ** torch.randint(-7, 5, (3, 5000))).to(dtype),
        norm=torch.randn(64).to(dtype),
        deep=torch.randn(2, 3, 7, 5).to(dtype),
        empty=torch.empty(0, 4, dtype=dtype),
        counts=torch.arange(-70_000, 70_000, 7),
        flags=torch.tensor([[True, False, True]]),
        bytes=torch.arange(256, dtype=torch.uint8),
    )

    assert fingerprint_base(folder) == fingerprint_by_torch(folder)


def test_several_files_have_the_fingerprint_that_torch_gives_them(tmp_path: Path) -> None:
    folder = write_weights(tmp_path, b=torch.randn(4, 4))
    save_file({"a": torch.randn(4, 4), "c": torch.randn(2).half()}, folder / "more.safetensors")

    assert fingerprint_base(folder) == fingerprint_by_torch(folder)


@pytest.mark.real
def test_the_packaged_weights_have_the_fingerprint_that_is_written_down(real_weights: Path) -> None:
    assert fingerprint_base(real_weights) == FINGERPRINT


def test_numbers_are_rounded_as_torch_rounds_them() -> None:
    # Every float16, ties of both directions, the largest numbers and the smallest.
    every_half = np.arange(2**16, dtype="<u2").view("<f2").astype("<f4")
    ties = (np.arange(2**16, dtype="<u4") << 16 | 0x8000).view("<f4")
    around = np.concatenate([ties.view("<u4") - 1, ties.view("<u4") + 1]).view("<f4")
    values = np.concatenate([every_half, ties, around])
    values = values[~np.isnan(values)]

    assert (
        round_to_bfloat16(values) == torch.from_numpy(values).bfloat16().view(torch.int16).numpy().view("<u2")
    ).all()


def test_every_nan_becomes_the_same_nan() -> None:
    values = np.array([0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFC00000], dtype="<u4").view("<f4")

    assert round_to_bfloat16(values).tolist() == [BFLOAT16_NAN] * 4


def test_a_number_that_only_64_bits_hold_is_infinite() -> None:
    assert round_to_bfloat16(np.array([1e300, -1e300])).tolist() == [0x7F80, 0xFF80]


def test_a_scalar_and_eight_bits_count_as_they_are_stored(tmp_path: Path) -> None:
    scalar, small = torch.tensor(1.5), torch.tensor([[1.0, 2.0], [3.0, 4.0]]).to(torch.float8_e4m3fn)
    folder = write_weights(tmp_path, scalar=scalar, small=small)

    found = {name: values for name, _, values in read_first_values(folder / "model.safetensors", 8)}

    assert found == {"scalar": b"\xc0\x3f", "small": small[:1].view(torch.uint8).numpy().tobytes()}


def test_a_fingerprint_needs_no_torch(tiny_weights: Path) -> None:
    script = f"""import sys; from pathlib import Path; from workers.weights.metadata import fingerprint_base
fingerprint_base(Path({str(tiny_weights)!r})); print(*sys.modules)"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert {"torch", "transformers"}.isdisjoint(done.stdout.split())
