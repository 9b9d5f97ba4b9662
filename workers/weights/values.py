"""First values of every tensor of a safetensors file, rounded to bfloat16 without torch.

safetensors returns numpy arrays, which have no bfloat16, so the bytes are read here. The offsets follow from the
header: the format has no gap between tensors, and the last one ends the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from workers.weights.folder import TensorEntry, list_file

# numpy's little-endian types by the format's names.
NUMPY_TYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
# The quiet NaN that torch writes for every NaN in its scalar conversion.
BFLOAT16_NAN = 0x7FC0


def read_first_values(path: Path, count: int) -> Iterator[tuple[str, TensorEntry, bytes]]:
    """Yield every tensor in order of names, with the first values of its first row as bfloat16.

    Args:
        path: safetensors file.
        count: maximum number of values of each tensor.

    Raises:
        WeightsCorruptError: the file is damaged.
    """
    tensors = list_file(path)
    start = path.stat().st_size - sum(map(_count_bytes, tensors.values()))
    starts = {}
    for name, tensor in tensors.items():
        starts[name] = start
        start += _count_bytes(tensor)
    with path.open("rb") as file:
        for name, tensor in sorted(tensors.items()):
            file.seek(starts[name])
            yield name, tensor, _read_values(file, tensor, count)


def _read_values(file: BinaryIO, tensor: TensorEntry, count: int) -> bytes:
    in_row = math.prod(tensor.shape[1:]) if tensor.elements else 0
    wanted = min(in_row, count)
    stored = file.read(wanted * _count_bits(tensor) // 8)
    if tensor.dtype not in NUMPY_TYPES:
        # bfloat16 already, or a type that is not rounded: at most 8 bits, or complex.
        return stored
    return round_to_bfloat16(np.frombuffer(stored, dtype=NUMPY_TYPES[tensor.dtype])).tobytes()


def round_to_bfloat16(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Round numbers, shape (count,), to bfloat16 and return their bits; ties go to even."""
    with np.errstate(over="ignore"):
        bits = values.astype("<f4").view("<u4")
    # Adds half of the last kept bit, minus one unless that bit is set: ties go to the even neighbour.
    rounded = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
    return np.where(np.isnan(values), np.uint16(BFLOAT16_NAN), rounded)


def _count_bytes(tensor: TensorEntry) -> int:
    return tensor.elements * _count_bits(tensor) // 8


def _count_bits(tensor: TensorEntry) -> int:
    """Return the bits of one element, the first number in the name of its type: 16 of ``BF16``, 8 of ``F8_E4M3``."""
    size = re.search(r"\d+", tensor.dtype)
    return int(size[0]) if size else 8
