"""The output folder of a run: what must not be overwritten, and where an interrupted run goes on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workers.finetuning.config import FinetuneConfig
from workers.finetuning.errors import OutputInUseError, TrainingSettingsError

RECORD_NAME = "run.json"
# Settings that may differ between an interrupted run and its continuation.
FREE_SETTINGS = frozenset({"output", "resume", "data", "base", "name", "generated", "max_new_tokens"})


def name_checkpoints(output: Path) -> Path:
    """Return where a run keeps its checkpoints."""
    return output / "checkpoints"


def prepare_output(config: FinetuneConfig, *, data_hash: str) -> Path | None:
    """Make the output folder ready and return the checkpoint to go on from, None to begin.

    Raises:
        OutputInUseError: the folder holds an adapter, or the checkpoints of another run.
        TrainingSettingsError: the folder cannot be written to.
    """
    folder = name_checkpoints(config.output)
    if (config.output / "adapter_config.json").is_file():
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
        raise TrainingSettingsError(
            f"{config.output} cannot be written to ({error.strerror}): choose another output folder"
        ) from error
    return last


def read_record(folder: Path) -> Any:
    """Return what a folder's checkpoints were made from, None if nobody can tell."""
    try:
        return json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def find_last_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint with the most steps that was written to its end."""
    # The trainer's state is the last file of a checkpoint; one without it was cut off while it was written.
    complete = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def describe_run(config: FinetuneConfig, *, data_hash: str) -> dict[str, Any]:
    """Return what makes two runs the same run, as plain JSON values."""
    settings = {name: value for name, value in asdict(config).items() if name not in FREE_SETTINGS}
    described: dict[str, Any] = json.loads(json.dumps({"data_hash": data_hash, **settings}))
    return described
