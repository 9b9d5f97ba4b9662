"""The combined consistency: the mean human judgement that a summary's signals make likely.

A logistic regression of the share of sentences that people judged consistent on the standardized signals (judgements of
QAGS, Wang et al., ACL 2020: news summaries of CNN/DailyMail and XSum together). Weakness: it is calibrated on news in
English, and on summarizers of 2020 whose errors are cruder than those of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp

Signals = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Term:
    """What one signal adds: its distance from the mean, in standard deviations, times a weight."""

    mean: float
    deviation: float
    weight: float

    def contribute(self, value: float | None) -> float:
        """Return what the signal adds to the log-odds; one that could not be measured says nothing either way."""
        return 0.0 if value is None else self.weight * (value - self.mean) / self.deviation


@dataclass(frozen=True, slots=True)
class Calibration:
    """An estimate of the human judgement.

    Args:
        intercept: its log-odds where every signal stands at its mean.
        terms: what each signal adds to the log-odds, by its name.
    """

    intercept: float
    terms: Mapping[str, Term]

    def estimate(self, signals: Signals) -> float:
        """Return the estimated judgement, between 0 and 1."""
        return 1 / (1 + exp(-self.intercept - sum(self.contributions(signals).values())))

    def contributions(self, signals: Signals) -> dict[str, float]:
        """Return what each signal adds to the log-odds."""
        return {name: term.contribute(signals.get(name)) for name, term in self.terms.items()}


# Fitted by ``calibration.fit_calibration`` on all 236 summaries of qags_mturk_cnndm.jsonl and qags_mturk_xsum.jsonl,
# with the packaged Gemma 3 270M, whose questions add nothing to the other signals; the quality bench prints both
# tables. docs/quality.md says how well they do on summaries that they have not seen.
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
