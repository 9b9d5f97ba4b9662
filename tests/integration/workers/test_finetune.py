"""One command from pairs to an adapter that is measured, registered, merged and loaded by plain transformers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.views import JobSummary
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.pairs import write_pairs
from tests.tiny_gemma import build_tiny_gemma

SHORT = ("--held-out", "12", "--scored", "2", "--max-new-tokens", "8", "--source-tokens", "48")
TEXT = "Article:\nThe river rose by four metres in two days.\n\nSummary:\n"


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    """212 pairs, of which 12 are held out."""
    return str(write_pairs(tmp_path / "pairs.csv", 212))


@torch.no_grad()
def compute_logits(network: Any, folder: Path) -> torch.Tensor:
    ids = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt").input_ids
    return network.eval()(input_ids=ids).logits


def test_one_command_trains_on_two_hundred_pairs_and_another_merges_what_it_made(
    gistmill: Gistmill, pairs: str, base_weights: Path
) -> None:
    trained = gistmill(
        "finetune", pairs, "--base", str(base_weights), "--output", "adapter", "--name", "bridges", *SHORT,
        *("--batch-size", "4", "--accumulation", "1", "--learning-rate", "0.01", "--epochs", "2"),
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert "200 pairs to train on, 12 held out" in trained.err
    assert "step 100 of 100, loss" in trained.err
    note = json.loads(Path("adapter/gistmill.json").read_text())
    assert note["metrics"]["after"]["loss"] < 0.8 * note["metrics"]["before"]["loss"]
    assert f"loss{note['metrics']['before']['loss']:>21.2f}{note['metrics']['after']['loss']:>9.2f}" in trained.out

    assert set(note["metrics"]["after"]["tokenizers"]) == {"rouge-score"}
    assert "\ntokenizer: rouge-score (" in trained.out

    merged = gistmill("weights", "merge", "bridges", "--output", "merged", "--name", "bridges-merged")
    assert merged.code == 0, merged.err
    base = compute_logits(AutoModelForCausalLM.from_pretrained(base_weights), base_weights)
    attached = compute_logits(
        PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_weights), "adapter"), base_weights
    )
    reloaded = compute_logits(AutoModelForCausalLM.from_pretrained("merged"), Path("merged"))
    assert torch.allclose(reloaded, attached, atol=1e-4)
    assert (reloaded - base).abs().max() > 0.1

    listed = {row["name"]: row for row in gistmill("weights", "list", "--json").json}
    assert {name: row["base"] for name, row in listed.items()} == {
        "tiny-gemma": None,
        "bridges": "tiny-gemma",
        "bridges-merged": "tiny-gemma",
    }
    assert listed["bridges"]["data_sha256"] == note["data"]["hash"]
    shown = gistmill("weights", "show", "bridges")
    assert "completion, style news" in shown.out
    assert "200 pairs, 12 held out" in shown.out
    assert "\ntokenizer: rouge-score (" in shown.out


def test_what_is_saved_names_its_base_and_no_path_of_this_machine(
    gistmill: Gistmill, pairs: str, base_weights: Path
) -> None:
    done = gistmill("finetune", pairs, "--base", str(base_weights), "--output", "adapter", *SHORT, "--steps", "1")
    assert done.code == 0, done.err
    files = [path for path in Path("adapter").iterdir() if path.is_file()]
    assert {path.name for path in files} == {"adapter_config.json", "adapter_model.safetensors", "gistmill.json"}
    assert json.loads(Path("adapter/adapter_config.json").read_text())["base_model_name_or_path"] == "tiny-gemma"
    assert not any(str(base_weights.parent).encode() in path.read_bytes() for path in files)


def test_an_interrupted_run_says_how_to_go_on_and_resumes(
    gistmill: Gistmill, pairs: str, base_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("finetune", pairs, "--base", str(base_weights), "-o", "adapter", *SHORT)
    command += ("--steps", "4", "--checkpoint-steps", "2")

    def interrupt(_: object, news: Any) -> None:
        if news.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gistmill.cli.progress.TrainingDisplay.show", interrupt)
        stopped = gistmill(*command)
    assert stopped.code == 130
    assert "the same command with --resume goes on at the last checkpoint in adapter" in stopped.err
    again = gistmill(*command)
    assert again.code == 2
    assert "go on with --resume or choose another output folder" in again.err
    resumed = gistmill(*command, "--resume")
    assert resumed.code == 0, resumed.err
    assert "step 4 of 4" in resumed.err
    assert "step 1 of" not in resumed.err


def test_rows_that_cannot_be_used_and_texts_that_are_cut_are_counted_before_training(
    gistmill: Gistmill, base_weights: Path, tmp_path: Path
) -> None:
    rows = [
        ("The river rose. " * 40, "It rose."),
        ("Text", ""),
        ("", "Summary"),
        ("Text one", "One"),
        ("Text one", "One"),
    ]
    rows += [(f"The council closed bridge {number}.", "A bridge closed.") for number in range(20)]
    lines = [json.dumps({"article": article, "highlights": highlights}) for article, highlights in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    done = gistmill(
        *("finetune", "rows.jsonl", "--base", str(base_weights), "-o", "adapter", "--source-tokens", "32"),
        *("--held-out", "0", "--steps", "1"),
    )
    assert done.code == 0, done.err
    for words in (
        "22 pairs to train on",
        "1 texts are longer than the budget and were cut",
        "1 rows without a text were left out",
        "1 rows without a summary were left out",
        "1 duplicates were left out",
    ):
        assert words in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pairs.csv", "--target-column", "summary"), 2, "no column 'summary'; give --target-column one of"),
        (("none.csv",), 2, "none.csv does not exist; check the path"),
        ((), 2, "no data file given"),
        (("pairs.csv", "--held-out", "150"), 2, "bring at least 300 pairs"),
        (("pairs.csv", "--batch-size", "10000000"), 1, "lower the batch size"),
        (("pairs.csv", "--base", "no/such-folder"), 1, "no weights folder no/such-folder"),
        (("pairs.csv", "--base", "gemma"), 2, "no weights are registered as 'gemma'"),
        (("pairs.csv", "--from-batch", "nightly"), 2, "there is no batch or job 'nightly'"),
        (("pairs.csv", "--name", "no good"), 2, "'no good' is no name for weights"),
    ],
)
def test_what_cannot_work_is_said_before_training(
    arguments: tuple[str, ...], code: int, message: str, gistmill: Gistmill, pairs: str, base_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(base_weights))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = gistmill("finetune", *arguments, "--output", "adapter")
    assert (done.code, Path("adapter").exists()) == (code, False), done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_approved_summaries_are_pairs_and_others_are_not(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary], base_weights: Path
) -> None:
    for number, job in enumerate(submitted):
        driver.run(job.job_id, words=f"summary {number}")
    refused = gistmill("finetune", "--from-batch", "pile", "--base", str(base_weights), "-o", "adapter")
    assert refused.code == 2
    assert "batch 'pile' has no approved summary" in refused.err
    gistmill("approve", "pile")
    gistmill("approve", short_id(submitted[0].job_id), "--revoke")
    few = gistmill("finetune", "--from-batch", "pile", "--base", str(base_weights), "-o", "adapter", "--held-out", "0")
    assert "3 usable pairs" in few.err


def test_an_adapter_for_another_base_is_refused_by_name(
    gistmill: Gistmill, pairs: str, base_weights: Path, tmp_path: Path
) -> None:
    gistmill("finetune", pairs, "--base", str(base_weights), "-o", "adapter", *SHORT, "--steps", "1")
    other = build_tiny_gemma(tmp_path / "other-gemma", seed=7, chat=False)
    assert gistmill("weights", "add", "other", str(other)).code == 0
    for command in (
        ("weights", "add", "bridges", "adapter", "--base", "other"),
        ("weights", "merge", "./adapter", "--base", str(other), "--output", "merged"),
    ):
        done = gistmill(*command)
        assert done.code == 1
        assert "the adapter was trained for tiny-gemma" in done.err
        assert "give it the base weights it was trained for" in done.err
    shutil.rmtree("adapter")


def short_id(job: UUID) -> str:
    return str(job)[:8]
