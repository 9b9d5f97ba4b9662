"""Weights folders: find and check one, and read its metadata, before the weights are loaded.

Only safetensors are served: the other formats are pickles, which can run arbitrary code when loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from safetensors import SafetensorError, safe_open

from models.full_disk import explain_full_disk
from workers.generation import PromptFormat
from workers.weights.errors import (
    WeightsCorruptError,
    WeightsNotFoundError,
    WeightsUnsafeError,
    WeightsUnsupportedError,
)

# All files that loading needs; none of them can contain code.
HUB_FILES = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")
TOKENIZER = "tokenizer.json"
TOKENIZER_FILES = ("*.json", "*.jinja")
UNSAFE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl"})
METADATA_FILE = "gistmill.json"
# PEFT prefers this file to its pickle.
ADAPTER_TENSORS = "adapter_model.safetensors"
# One of these holds a tokenizer; without them transformers would make an empty one.
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")
HUB_REMEDY = "free some space there, or set HF_HOME to a folder on a larger disk, and start again"
GGUF_ADVICE = "name the safetensors weights that it was made of, such as google/gemma-3-1b-it"
# Per kind: the file that identifies it, and the pattern of its tensor files.
NEEDED_FILES = {"weights": ("config.json", "*.safetensors"), "adapter": ("adapter_config.json", ADAPTER_TENSORS)}
# Maps tensors to files if there are several.
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Tensor of a safetensors file, from its header.

    Args:
        path: the file.
        dtype: safetensors' name of the type, such as ``BF16``.
        shape: dimensions.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def find_folder(name: str, *, revision: str | None = None, kind: Literal["weights", "adapter"] = "weights") -> Path:
    """Return the local folder of weights or of an adapter; download a hub id unless it is cached.

    Raises:
        WeightsNotFoundError: there is no such folder or hub id, or it has no weights.
        WeightsUnsafeError: its weights are in a format that can run code.
        WeightsUnsupportedError: its weights are in llama.cpp's format.
        WeightsCorruptError: some of its files are missing.
        FullDiskError: there is no room for a download.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.lower().endswith("gguf"):
            raise WeightsUnsupportedError(
                f"{name} is a GGUF file or has one, which only llama.cpp reads; {GGUF_ADVICE}"
            )
        folder = _download(name, revision=revision, kind=kind)
    check_folder(folder, kind=kind)
    if kind == "weights":
        _check_tokenizer(folder)
    return folder


def find_tokenizer_folder(name: str, *, revision: str | None = None) -> Path:
    """Return the local folder of a tokenizer, of weights that a server has; download only that of a hub id.

    Raises:
        WeightsNotFoundError: there is no such folder or hub id, or it has no tokenizer.json.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _download(name, revision=revision, kind="tokenizer", patterns=TOKENIZER_FILES)
    if not (folder / TOKENIZER).is_file():
        raise WeightsNotFoundError(f"{folder} holds no tokenizer: {TOKENIZER} is missing; name a folder that has it")
    return folder


def check_folder(folder: Path, *, kind: Literal["weights", "adapter"] = "weights") -> None:
    """Check that a folder has complete weights as safetensors; raise as ``find_folder`` does."""
    config, tensors = NEEDED_FILES[kind]
    if not any(folder.glob(tensors)) and (found := next(folder.glob("*.gguf"), None)) is not None:
        raise WeightsUnsupportedError(f"{found} is a GGUF file, which only llama.cpp reads; {GGUF_ADVICE}")
    if not (folder / config).is_file():
        raise WeightsNotFoundError(f"{folder} holds no {kind}: {config} is missing; name a folder that has it")
    if any(folder.glob(tensors)):
        _check_index(folder)
        return
    if any(path.suffix in UNSAFE_SUFFIXES for path in folder.iterdir()):
        raise WeightsUnsafeError(f"{folder} holds its {kind} in a format that can run code; save it as safetensors")
    raise WeightsNotFoundError(f"{folder} holds no {kind}: there is no {tensors} file in it")


def _check_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise WeightsNotFoundError(
            f"{folder} has no tokenizer: {' or '.join(TOKENIZER_FILES)} is missing; copy the tokenizer of the weights "
            "that it was made from"
        )


def _check_index(folder: Path) -> None:
    """Check that every file of the folder's index exists and is safetensors."""
    index = folder / INDEX
    if not index.is_file() or (folder / "model.safetensors").is_file():
        return
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise WeightsCorruptError(f"{index} is damaged ({error!r}); download or save the weights again") from error
    missing = named - {path.name for path in folder.glob("*.safetensors")}
    if missing:
        raise WeightsCorruptError(
            f"{folder} lacks safetensors files that its index names ({name_some(missing)}); download or save it again"
        )


def name_some(names: Iterable[object]) -> str:
    """Join the first three names, with the number of the others."""
    ordered = sorted(map(str, names))
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")


def read_prompt_format(folder: Path, *, adapter: Path | None = None, has_chat_template: bool) -> PromptFormat:
    """Return the prompt format of weights.

    The adapter's metadata decides, because it must be served under the prompt that it was trained with; then the
    metadata of the weights. Without metadata the format is chat if there is a chat template.
    """
    for source in (adapter, folder):
        metadata = {} if source is None else read_metadata(source)
        if metadata:
            return cast("PromptFormat", metadata["prompt_format"])
    return PromptFormat.CHAT if has_chat_template else PromptFormat.COMPLETION


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's ``gistmill.json``, which has at least the prompt format; {} without the file.

    Raises:
        WeightsCorruptError: the file is broken, or was written by another program.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        return {}
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        return {**metadata, "prompt_format": PromptFormat(metadata["prompt_format"])}
    except (OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise WeightsCorruptError(
            f"{path} cannot be read ({error!r}): it is broken or not one of Gistmill's; save it again or remove it"
        ) from error


def write_metadata(folder: Path, *, prompt_format: PromptFormat, **facts: str) -> None:
    """Write the metadata of weights: their prompt format, and facts on their origin."""
    metadata = {"prompt_format": prompt_format.value, **facts}
    (folder / METADATA_FILE).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def list_tensors(folder: Path) -> dict[str, TensorEntry]:
    """Return every tensor of a folder by name, from the headers of its files.

    Raises:
        WeightsCorruptError: a file is truncated or not safetensors.
    """
    tensors: dict[str, TensorEntry] = {}
    for path in sorted(folder.glob("*.safetensors")):
        tensors.update(list_file(path))
    return tensors


def list_file(path: Path) -> dict[str, TensorEntry]:
    """Return every tensor of one file by name, in the order of their data.

    Raises:
        WeightsCorruptError: the header is too long, does not match the file's size or has a gap between two tensors.
    """
    try:
        # Only the header is read, so the framework does not matter.
        with safe_open(path, framework="numpy") as file:
            return {name: _describe_tensor(path, file.get_slice(name)) for name in file.offset_keys()}
    except (OSError, SafetensorError) as error:
        size = f"{path.stat().st_size:,} bytes" if path.is_file() else "no file"
        raise WeightsCorruptError(f"{path} is damaged ({size}: {error}); download or save it again") from error


def _describe_tensor(path: Path, tensor: Any) -> TensorEntry:
    return TensorEntry(path, dtype=tensor.get_dtype(), shape=tuple(tensor.get_shape()))


def _download(name: str, *, revision: str | None, kind: str, patterns: Sequence[str] = HUB_FILES) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        with explain_full_disk(Path(HF_HUB_CACHE), remedy=HUB_REMEDY):
            return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except HFValidationError as error:
        raise WeightsNotFoundError(f"there is no {kind} folder {name}; check the path") from error
    except (HfHubHTTPError, OSError) as error:
        raise WeightsNotFoundError(
            f"there is no {kind} folder {name}, and no {kind} of that name could be downloaded: {error}; "
            "check the name, the network and, for gated weights, HF_TOKEN"
        ) from error
