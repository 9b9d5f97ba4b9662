"""Two ways of summarizing, compared on the documents that both have summarized: paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workers.evaluation.errors import PairingError
from workers.evaluation.intervals import Interval, estimate_mean

# What one summary measures, by name: ROUGE, consistency, length, tokens, seconds; None where it was not measurable.
Measures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """How one measure differs between two batches, on the documents where both have it.

    Args:
        measure: its name.
        first: mean over the first batch.
        second: mean over the second batch.
        difference: second less first, with its confidence interval.
    """

    measure: str
    first: float
    second: float
    difference: Interval


def compare_batches(first: Mapping[str, Measures], second: Mapping[str, Measures]) -> list[Difference]:
    """Return the paired difference of every measure that both batches have.

    Args:
        first: the measures of each document, by a key that names the document in both batches.
        second: the same for the other batch.

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
