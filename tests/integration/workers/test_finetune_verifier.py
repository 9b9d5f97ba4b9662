"""One command from claims and pairs to a verifier that is measured and loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.views import JobSummary
from tests.claims import TRUE, write_claims
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.pairs import write_pairs
from workers.engine.verifier import load_verifier

SHORT = ("--task", "verify", "--held-out", "4", "--source-tokens", "64", "--learning-rate", "0.01", "--rank", "4")


@pytest.fixture
def claims(tmp_path: Path) -> str:
    """24 texts with claims, of which 4 are held out."""
    return str(write_claims(tmp_path / "claims.jsonl", 24))


def test_one_command_trains_a_verifier_that_is_loaded(gistmill: Gistmill, claims: str, base_weights: Path) -> None:
    trained = gistmill(
        *("finetune", claims, "--base", str(base_weights), "--output", "verifier", *SHORT),
        *("--steps", "60", "--warmup-steps", "1"),
    )
    assert trained.code == 0, trained.err
    assert "80 claims on 20 texts to train on, 16 on 4 texts held out" in trained.err
    assert "step 60 of 60, loss" in trained.err
    metadata = json.loads(Path("verifier/verifier.json").read_text())
    assert metadata["metrics"]["verifier"]["auc"] == 1.0
    assert "verifier in verifier, trained for tiny-gemma in" in trained.out
    assert "after                        1.000" in trained.out
    assert f"threshold {metadata['threshold']:.3f}; use it with: GISTMILL_VERIFIER=verifier" in trained.out
    verifier = load_verifier(Path("verifier"), base=base_weights)
    true, false = verifier.judge(f"Day 5. {TRUE[1]} {TRUE[0]}", [TRUE[0], "The council measured the piers."])
    assert true.probability > verifier.threshold > false.probability


def test_claims_are_made_of_pairs_and_what_is_left_out_is_said(
    gistmill: Gistmill, claims: str, base_weights: Path, tmp_path: Path
) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv", 40)
    with pairs.open("a") as file:
        file.write("99,A text without a summary.,\n")
    done = gistmill(
        "finetune", claims, str(pairs), "--base", str(base_weights), "-o", "verifier", *SHORT, "--steps", "1"
    )
    assert done.code == 0, done.err
    assert "1 rows without a summary were left out" in done.err
    origins = json.loads(Path("verifier/verifier.json").read_text())["data"]["origins"]
    assert {"true: written", "true: reference", "false: opposite word"} <= set(origins)


def test_an_interrupted_run_says_how_to_go_on_and_resumes(
    gistmill: Gistmill, claims: str, base_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("finetune", claims, "--base", str(base_weights), "-o", "verifier", *SHORT)
    command += ("--steps", "4", "--checkpoint-steps", "2")

    def interrupt(_: object, news: Any) -> None:
        if news.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gistmill.cli.progress.TrainingDisplay.show", interrupt)
        stopped = gistmill(*command)
    assert stopped.code == 130
    assert "the same command with --resume goes on at the last checkpoint in verifier" in stopped.err
    resumed = gistmill(*command, "--resume")
    assert resumed.code == 0, resumed.err
    assert "step 4 of 4" in resumed.err
    assert "step 1 of" not in resumed.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("claims.jsonl", "--style", "news", "--qlora"), 2, "--style, --qlora is for --task summarize: leave it out"),
        (("claims.jsonl", "--name", "judge"), 2, "--name is for --task summarize"),
        (("claims.jsonl", "--held-out", "20"), 2, "bring at least 40 texts"),
        (("none.jsonl",), 2, "none.jsonl does not exist; check the path"),
        (("claims.jsonl", "--base", "no/such-folder"), 1, "no weights folder no/such-folder"),
        (("claims.jsonl", "--from-batch", "nightly"), 2, "there is no batch or job 'nightly'"),
        ((), 2, "no data file given"),
    ],
)
def test_what_cannot_work_is_said_before_training(
    arguments: tuple[str, ...], code: int, message: str, gistmill: Gistmill, claims: str, base_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert Path(claims).is_file()
    monkeypatch.setenv("GISTMILL_WEIGHTS", str(base_weights))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = gistmill("finetune", "--task", "verify", *arguments, "--output", "verifier")
    assert (done.code, Path("verifier").exists()) == (code, False), done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_approved_summaries_are_made_to_claims(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary], base_weights: Path
) -> None:
    for number, job in enumerate(submitted):
        driver.run(job.job_id, words=f"summary number {number} is written")
    gistmill("approve", "pile")
    done = gistmill(
        *("finetune", "--from-batch", "pile", "--base", str(base_weights), "-o", "verifier", *SHORT),
        *("--held-out", "0", "--steps", "1"),
    )
    assert done.code == 0, done.err
    assert f"on {len(submitted)} texts to train on" in done.err
