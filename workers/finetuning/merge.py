"""Merging: add an adapter to its base weights, for a folder that plain transformers loads."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from models.full_disk import explain_full_disk
from workers.finetuning.errors import OutputInUseError
from workers.weights.folder import check_folder
from workers.weights.metadata import AdapterMetadata

# Files of a weights folder besides the tensors and their configuration.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)


class MergedDtype(StrEnum):
    """Dtype of merged weights: that of the base, or float32."""

    BASE = "base"
    FLOAT32 = "float32"


def merge_adapter(base: Path, adapter: Path, output: Path, *, dtype: MergedDtype = MergedDtype.BASE) -> Path:
    """Merge an adapter into its full-precision base in float32, and write the merged weights.

    Args:
        base: folder of the base weights in full precision, never quantized.
        adapter: folder written by ``gistmill finetune``.
        output: new folder for safetensors, tokenizer and ``gistmill.json``.
        dtype: of the merged tensors. That of the base rounds each sum once; in float32 they say exactly what base and
            adapter say, and take twice the space of a 16-bit base.

    Returns:
        The output folder.

    Raises:
        WeightsError: a folder lacks its files, or the adapter was trained for another base.
        OutputInUseError: the output folder is not empty.
        FullDiskError: there is no room for it; nothing is left of the attempt.
    """
    check_folder(base)
    check_folder(adapter, kind="adapter")
    if output.exists() and any(output.iterdir()):
        raise OutputInUseError(f"{output} is not empty: choose a new folder for the merged weights")
    metadata = AdapterMetadata.read(adapter)
    metadata.check_base(base)
    with explain_full_disk(output), save_new(output) as folder:
        _write_merged(base, adapter, folder, dtype)
        for name in TOKENIZER_FILES:
            if (base / name).is_file():
                shutil.copy2(base / name, folder / name)
        metadata.write(folder)
    return output


@contextmanager
def save_new(output: Path) -> Iterator[Path]:
    """Yield a folder that becomes ``output`` at the end of the block; an error leaves nothing of it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as part:
        folder = Path(part) / output.name
        folder.mkdir()
        yield folder
        # Replaces an empty folder.
        folder.rename(output)


def _write_merged(base: Path, adapter: Path, output: Path, dtype: MergedDtype) -> None:
    from workers.engine.adapter import merge_adapter
    from workers.engine.pretrained import read_network

    network = read_network(base, dtype="auto" if dtype is MergedDtype.BASE else dtype.value)
    merge_adapter(network, folder=base, adapter=adapter).save_pretrained(output)
