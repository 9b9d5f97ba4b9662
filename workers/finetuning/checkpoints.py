"""Output folder of a run: protects earlier results and finds the checkpoint of an interrupted run."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.full_disk import find_write_error
from workers.finetuning.config import MAX_GRADIENT_NORM, FinetuneConfig
from workers.finetuning.errors import OutputInUseError, TrainingSettingsError
from workers.finetuning.lora import GEMMA_LINEAR_LAYERS
from workers.finetuning.verifier_config import VerifierConfig
from workers.weights.fingerprint import hash_folder

RECORD_NAME = "run.json"
ADAPTER_CONFIG = "adapter_config.json"
# Settings that may differ between an interrupted run and its continuation.
FREE_SETTINGS = frozenset({"output", "resume", "data", "base", "name", "generated", "max_new_tokens"})


def name_checkpoints(output: Path) -> Path:
    """Return the checkpoint folder of a run."""
    return output / "checkpoints"


def prepare_output(config: FinetuneConfig | VerifierConfig, *, data_hash: str) -> Path | None:
    """Prepare the output folder; return the checkpoint to resume from, or None for a new run.

    Raises:
        OutputInUseError: the folder contains an adapter, or checkpoints of another run.
        TrainingSettingsError: the folder is not writable.
    """
    folder = name_checkpoints(config.output)
    if (config.output / ADAPTER_CONFIG).is_file():
        raise OutputInUseError(f"{config.output} already holds an adapter: choose another output folder")
    last = find_last_checkpoint(folder)
    if last is not None and not config.resume:
        raise OutputInUseError(
            f"{folder} holds an interrupted run: go on with --resume or choose another output folder"
        )
    record = describe_run(config, data_hash=data_hash)
    if last is not None and read_record(folder) != record:
        raise OutputInUseError(
            f"{folder} holds a run with other data or settings: give it the same again or choose another output folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD_NAME).write_text(json.dumps(record, indent=2), encoding="utf-8")
    except OSError as error:
        if find_write_error(error) is not None:
            raise
        raise TrainingSettingsError(
            f"{config.output} cannot be written to ({error.strerror}): choose another output folder"
        ) from error
    return last


def read_record(folder: Path) -> Any:
    """Return the recorded data hash and settings of a folder's checkpoints; None without a readable record."""
    try:
        return json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def find_last_checkpoint(folder: Path) -> Path | None:
    """Return the complete checkpoint with the most steps."""
    # The trainer writes its state last: a checkpoint without it, or with a part of it, is incomplete.
    complete = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json") if _is_whole(state)]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def save_whole(output: Path) -> Iterator[Path]:
    """Yield a folder whose files are moved to ``output`` at the end of the block; an error leaves nothing of them.

    The configuration of an adapter comes last, because a folder with one counts as an adapter.
    """
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=output) as part:
        yield Path(part)
        for path in sorted(Path(part).iterdir(), key=lambda path: path.name == ADAPTER_CONFIG):
            shutil.move(path, output / path.name)


def describe_run(config: FinetuneConfig | VerifierConfig, *, data_hash: str) -> dict[str, Any]:
    """Return the data hash, settings and constants that identify a run, as JSON values."""
    settings = {name: value for name, value in asdict(config).items() if name not in FREE_SETTINGS}
    if settings.get("start") is not None:
        settings["start"] = hash_folder(settings["start"])
    settings["lora"]["target_modules"] = GEMMA_LINEAR_LAYERS
    settings["training"]["max_gradient_norm"] = MAX_GRADIENT_NORM
    described: dict[str, Any] = json.loads(json.dumps({"data_hash": data_hash, **settings}))
    return described
