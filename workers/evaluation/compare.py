"""Paired comparison of two batches on the documents that both have summarized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workers.evaluation.errors import PairingError
from workers.evaluation.intervals import Interval, estimate_mean

# Measures of one summary by name: ROUGE, consistency, length, tokens, seconds; None where not measurable.
Measures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired difference of one measure, on the documents that have it in both batches.

    Args:
        measure: name of the measure.
        first: mean over the first batch.
        second: mean over the second batch.
        difference: mean of second minus first, with its confidence interval.
    """

    measure: str
    first: float
    second: float
    difference: Interval


def compare_batches(first: Mapping[str, Measures], second: Mapping[str, Measures]) -> list[Difference]:
    """Return the paired difference of every measure in both batches.

    Args:
        first: measures by document, under the same key in both batches.
        second: measures of the other batch.

    Raises:
        PairingError: the batches have no document in common.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise PairingError("the two batches have no document in common; compare batches over the same documents")
    names = dict.fromkeys(name for key in shared for name in first[key])
    found = (
        _compare_measure(name, [(first[key].get(name), second[key].get(name)) for key in shared]) for name in names
    )
    return [difference for difference in found if difference is not None]


def _compare_measure(name: str, values: list[tuple[float | None, float | None]]) -> Difference | None:
    pairs = [(one, other) for one, other in values if one is not None and other is not None]
    if not pairs:
        return None
    return Difference(
        measure=name,
        first=sum(one for one, _ in pairs) / len(pairs),
        second=sum(other for _, other in pairs) / len(pairs),
        difference=estimate_mean([other - one for one, other in pairs]),
    )
