"""Calibration of the estimate of consistency on claims of known truth.

Logistic regression with a ridge penalty on standardized signals, the judgements as shares; a signal that was not
measured for an item stands at its mean. No weight may be negative: every signal measures agreement with the source, so
one that would count against it fits noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workers.evaluation.consistency import Calibration, Signals, Term
from workers.evaluation.intervals import Numbers

# Ridge penalty on the weights of standardized signals: mild, for a few hundred summaries.
PENALTY = 5.0

# Newton steps; a handful reach machine precision.
STEPS = 25


def fit_calibration(rows: Sequence[Signals], judgements: Sequence[float], *, names: Sequence[str]) -> Calibration:
    """Return the calibration that fits human judgements best.

    Args:
        rows: the signals of each summary.
        judgements: what people said of each, from 0 to 1.
        names: the signals to use.
    """
    raw = _build_matrix(rows, names)
    targets = np.asarray(judgements, dtype=np.float64)
    known = [column[~np.isnan(column)] for column in raw.T]
    means = np.array([column.mean() if len(column) else 0.0 for column in known])
    # A constant signal, or one that was never measured, gets no weight, whatever its deviation.
    deviations = np.array([column.std() if len(column) and np.ptp(column) > 0 else 1.0 for column in known])
    filled = np.where(np.isnan(raw), means, raw)
    intercept, weights = _solve_nonnegative((filled - means) / deviations, targets)
    terms = {
        name: Term(float(mean), float(deviation), float(weight))
        for name, mean, deviation, weight in zip(names, means, deviations, weights, strict=True)
    }
    return Calibration(intercept, terms)


def _build_matrix(rows: Sequence[Signals], names: Sequence[str]) -> Numbers:
    """Return the signals, shape (summaries, names), not a number where one was not measured."""
    values = [[row.get(name) for name in names] for row in rows]
    return np.array([[np.nan if value is None else value for value in row] for row in values], dtype=np.float64)


def _solve_nonnegative(inputs: Numbers, targets: Numbers) -> tuple[float, Numbers]:
    """Return intercept and weights; whatever would get a negative weight is left out, the worst first."""
    used = list(range(inputs.shape[1]))
    while True:
        solved = _solve_logistic(inputs[:, used], targets)
        if not used or solved[1:].min() >= 0:
            break
        used.pop(int(solved[1:].argmin()))
    weights = np.zeros(inputs.shape[1])
    weights[used] = solved[1:]
    return float(solved[0]), weights


def _solve_logistic(inputs: Numbers, targets: Numbers) -> Numbers:
    """Return intercept and weights of a penalized logistic regression, by Newton's method."""
    design = np.column_stack([np.ones(len(inputs)), inputs])
    # The intercept is hardly penalized: just enough for judgements that all agree.
    penalty = np.diag([1e-3] + [PENALTY] * inputs.shape[1])
    solved = np.zeros(design.shape[1])
    for _ in range(STEPS):
        estimates = 1 / (1 + np.exp(-design @ solved))
        curvature = design.T @ (design * (estimates * (1 - estimates))[:, None]) + penalty
        solved += np.linalg.solve(curvature, design.T @ (targets - estimates) - penalty @ solved)
    return solved
