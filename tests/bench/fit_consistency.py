"""Fit the estimate of consistency from words and facts, on claims that people judged or that were made false.

Run: ``python -m tests.bench.fit_consistency``; it prints the constants of ``workers.evaluation.consistency``.
Environment: DATA, a folder with claims_train.jsonl (Tam et al., "FIB", 2022); CLAIMS of each kind and article.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from tests.bench.calibration import fit_calibration
from tests.shared_data import SHARED_DATA
from workers.evaluation.consistency import LEXICAL, Signals
from workers.evaluation.examination import Examiner
from workers.evaluation.limits import StopConditions
from workers.finetuning.claim_files import read_claims
from workers.finetuning.claim_groups import ClaimGroup, TrainingClaim

CLAIMS = "3"
SEED = 3


def choose_claims(group: ClaimGroup, count: int, generator: random.Random) -> list[TrainingClaim]:
    """Return as many true as false claims of a text, up to a number of each."""
    kinds = [[claim for claim in group.claims if claim.is_supported is kind] for kind in (True, False)]
    size = min(count, *map(len, kinds))
    return [claim for kind in kinds for claim in generator.sample(kind, size)]


def main() -> None:
    """Measure the claims, fit, and print the constants."""
    data, count = Path(os.environ.get("DATA", SHARED_DATA)), int(os.environ.get("CLAIMS", CLAIMS))
    examiner, generator = Examiner(None, StopConditions()), random.Random(SEED)
    claims = read_claims([data / "claims_train.jsonl"], source_column="source", target_column="claims", seed=SEED)
    rows: list[Signals] = []
    truths: list[float] = []
    for group in claims.groups:
        for claim in choose_claims(group, count, generator):
            rows.append(examiner.examine(group.source, claim.text).signals)
            truths.append(float(claim.is_supported))
    found = fit_calibration(rows, truths, names=tuple(LEXICAL.terms))
    print(f"{len(rows)} claims, intercept {found.intercept:.4f}")
    for name, term in found.terms.items():
        print(f"  {name}: mean {term.mean:.4f}, deviation {term.deviation:.4f}, weight {term.weight:.4f}")
    print(json.dumps({"claims": len(rows), "intercept": round(found.intercept, 4)}))


if __name__ == "__main__":
    main()
