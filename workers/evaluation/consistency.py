"""Combined consistency: a logistic regression from a summary's signals to the mean human judgement.

The target is the share of sentences judged consistent (judgements of QAGS, Wang et al., ACL 2020, on news summaries of
CNN/DailyMail and XSum); the inputs are standardized signals. Weakness: the calibration data are English news, and
summarizers of 2020 with cruder errors than those of today.
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
    """Logistic regression from signals to the human judgement.

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


# Fitted by ``fit_calibration`` of the quality bench on all 236 summaries of qags_mturk_cnndm.jsonl and
# qags_mturk_xsum.jsonl, with the packaged Gemma 3 270M, whose questions add nothing to the other signals; the bench
# prints both tables. docs/quality.md has their accuracy on summaries outside the calibration data.
WITH_GENERATOR = Calibration(
    intercept=0.5513,
    terms={
        "words": Term(mean=0.9367, deviation=0.0846, weight=0.3865),
        "bigrams": Term(mean=0.6970, deviation=0.2627, weight=0.1704),
        "links": Term(mean=0.6700, deviation=0.2948, weight=0.4975),
        "facts": Term(mean=0.9287, deviation=0.2319, weight=0.2261),
        "likelihood": Term(mean=3.2706, deviation=0.9876, weight=0.0700),
        "qags": Term(mean=0.8161, deviation=0.2037, weight=0.0000),
    },
)

WITHOUT_GENERATOR = Calibration(
    intercept=0.5509,
    terms={
        "words": Term(mean=0.9367, deviation=0.0846, weight=0.3906),
        "bigrams": Term(mean=0.6970, deviation=0.2627, weight=0.1866),
        "links": Term(mean=0.6700, deviation=0.2948, weight=0.5207),
        "facts": Term(mean=0.9287, deviation=0.2319, weight=0.2366),
    },
)


def choose_calibration(signals: Signals) -> Calibration:
    """Return the calibration for the signals that were measured."""
    has_generator = signals.get("likelihood") is not None
    return WITH_GENERATOR if has_generator else WITHOUT_GENERATOR
