"""Consistency of a summary: the verifier's support for its sentences, and an estimate from their words and facts.

The estimate is a logistic regression on standardized signals, fitted on claims about news, true or not (Tam et al.,
"FIB", 2022). Weakness: it rewards nearness to the source's words, so a free wording scores lower than a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

Signals = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Term:
    """Term of one signal: a weight on its distance from the mean in standard deviations."""

    mean: float
    deviation: float
    weight: float

    def contribute(self, value: float | None) -> float:
        """Return the signal's contribution to the log-odds; 0 for a signal that was not measured."""
        return 0.0 if value is None else self.weight * (value - self.mean) / self.deviation


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic regression from signals to the truth of a claim.

    Args:
        intercept: log-odds with every signal at its mean.
        terms: term of each signal, by its name.
    """

    intercept: float
    terms: Mapping[str, Term]

    def estimate(self, signals: Signals) -> float:
        """Return the estimated judgement, between 0 and 1."""
        return 1 / (1 + exp(-self.intercept - sum(self.contributions(signals).values())))

    def contributions(self, signals: Signals) -> dict[str, float]:
        """Return the contribution of every signal to the log-odds."""
        return {name: term.contribute(signals.get(name)) for name, term in self.terms.items()}


# Fitted by ``python -m tests.bench.fit_consistency`` on claims_train.jsonl, which shares no article with a file that is
# measured on.
LEXICAL = Calibration(
    intercept=-0.0546,
    terms={
        "words": Term(mean=0.7994, deviation=0.1488, weight=0.1728),
        "bigrams": Term(mean=0.3727, deviation=0.3097, weight=0.0000),
        "links": Term(mean=0.3688, deviation=0.3207, weight=0.0773),
        "facts": Term(mean=0.8378, deviation=0.3036, weight=0.7588),
    },
)

# Share of the verifier in the consistency; the rest is that of the words and facts.
JUDGE_SHARE = 0.5


def estimate_consistency(signals: Signals) -> float:
    """Return the consistency, from 0 to 1: the mean of the verifier's support and the estimate from words and facts.

    Without a verifier it is the latter alone.
    """
    lexical, support = LEXICAL.estimate(signals), signals.get("support")
    return lexical if support is None else JUDGE_SHARE * support + (1 - JUDGE_SHARE) * lexical
