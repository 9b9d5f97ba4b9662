"""Pairs of a text and its summary that a tiny Gemma can learn from, and training from their files."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.finetuning.claim_groups import ClaimSet
    from workers.finetuning.config import FinetuneConfig
    from workers.finetuning.pairs import PairSet
    from workers.finetuning.training import FinetuneResult
    from workers.finetuning.verifier_config import VerifierConfig
    from workers.finetuning.verifier_training import VerifierResult

COUNCILS = ("council", "team", "network", "engineers")
DEEDS = ("closed both bridges", "measured the piers", "trained eight folds", "scored 0.898")


def write_pairs(path: Path, count: int) -> Path:
    """Write pairs whose summary is a sentence of the text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "article", "highlights"])
        for number in range(count):
            deed = f"The {COUNCILS[number % 4]} {DEEDS[number // 4 % 4]}."
            writer.writerow([number, f"{deed} The river rose by {number} metres in two days.", deed])
    return path


def read_pair_files(config: FinetuneConfig) -> PairSet:
    """Return the pairs of the config's files."""
    from gistmill.cli.training_data import make_row_reader
    from workers.finetuning.pairs import read_pairs

    read_rows = make_row_reader(source_column=config.source_column, target_column=config.target_column)
    return read_pairs(config.data, read_rows=read_rows)


def finetune(config: FinetuneConfig, *, pairs: PairSet | None = None, **listeners: Any) -> FinetuneResult:
    """Train an adapter on pairs, by default those of the config's files."""
    from workers.finetuning import training

    return training.finetune(config, pairs=pairs or read_pair_files(config), **listeners)


def train_verifier(config: VerifierConfig, *, claims: ClaimSet | None = None, **listeners: Any) -> VerifierResult:
    """Train a verifier on claims, by default those of the config's files."""
    from gistmill.cli.training_data import make_row_reader
    from workers.finetuning import verifier_training
    from workers.finetuning.claim_files import read_claims

    read_rows = make_row_reader(source_column=config.source_column, target_column=config.target_column)
    claims = claims or read_claims(config.data, read_rows=read_rows, seed=config.training.seed)
    return verifier_training.train_verifier(config, claims=claims, **listeners)
