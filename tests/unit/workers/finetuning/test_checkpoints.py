"""An output folder is never overwritten, and goes on only as the run it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workers.finetuning.checkpoints import find_last_checkpoint, prepare_output
from workers.finetuning.config import FinetuneConfig, TrainingSettings
from workers.finetuning.errors import OutputInUseError, TrainingSettingsError


@pytest.fixture
def config(tmp_path: Path) -> FinetuneConfig:
    return FinetuneConfig(data=(Path("pairs.csv"),), base=Path("base"), output=tmp_path / "adapter")


def write_checkpoint(output: Path, step: int, *, is_complete: bool = True) -> Path:
    folder = output / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    if is_complete:
        (folder / "trainer_state.json").write_text("{}")
    return folder


def test_a_new_folder_begins_at_the_beginning(config: FinetuneConfig) -> None:
    assert prepare_output(config, data_hash="a") is None


def test_a_resumed_run_goes_on_at_its_last_complete_checkpoint(config: FinetuneConfig) -> None:
    prepare_output(config, data_hash="a")
    write_checkpoint(config.output, 25)
    last = write_checkpoint(config.output, 100)
    write_checkpoint(config.output, 125, is_complete=False)
    assert prepare_output(replace(config, resume=True), data_hash="a") == last


def test_an_interrupted_run_is_not_overwritten_unasked(config: FinetuneConfig) -> None:
    prepare_output(config, data_hash="a")
    write_checkpoint(config.output, 25)
    with pytest.raises(OutputInUseError, match="interrupted run: go on with --resume"):
        prepare_output(config, data_hash="a")


@pytest.mark.parametrize("data_hash", ["a", "other"])
def test_other_data_or_settings_do_not_go_on_with_a_run(config: FinetuneConfig, data_hash: str) -> None:
    prepare_output(config, data_hash="a")
    write_checkpoint(config.output, 25)
    seed = 42 if data_hash == "other" else 43
    changed = replace(config, resume=True, training=TrainingSettings(seed=seed))
    with pytest.raises(OutputInUseError, match="other data or settings"):
        prepare_output(changed, data_hash=data_hash)


@pytest.mark.parametrize("record", [None, "{broken"])
def test_checkpoints_that_do_not_say_of_which_run_they_are_do_not_go_on(
    config: FinetuneConfig, record: str | None
) -> None:
    folder = write_checkpoint(config.output, 25).parent
    if record is not None:
        (folder / "run.json").write_text(record)
    with pytest.raises(OutputInUseError, match="other data or settings"):
        prepare_output(replace(config, resume=True), data_hash="a")


def test_an_output_that_cannot_be_a_folder_is_named(config: FinetuneConfig) -> None:
    config.output.write_text("a file")
    with pytest.raises(TrainingSettingsError, match=r"adapter cannot be written to .*: choose another output folder"):
        prepare_output(config, data_hash="a")


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert find_last_checkpoint(tmp_path) is None
