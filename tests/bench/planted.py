"""How planted hallucinations are found: the score falls, a doubt points at the fact, the sentence is refused.

A refused sentence that is long points at nothing, and a verifier that refused everything would refuse the planted ones
too; so both are counted apart, beside the cost: true sentences that are refused or in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.base import Json
from tests.bench.swaps import Swap, SwapKind
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.intervals import estimate_mean
from workers.evaluation.metric import Metric
from workers.evaluation.verification import ClaimJudge


@dataclass(frozen=True, slots=True)
class PlantedResult:
    """Findings on a true summary and on the same with a planted fact.

    Args:
        kind: where the planted fact is from.
        is_lower: whether the false summary has the lower consistency.
        is_pointed_at: whether a doubt overlaps the planted fact.
        is_refused: whether the sentence with the planted fact is not borne out.
        refused: for each sentence of the true summary, whether it is not borne out.
        doubts: number of doubts in each sentence of the true summary.
    """

    kind: SwapKind
    is_lower: bool
    is_pointed_at: bool
    is_refused: bool
    refused: tuple[bool, ...]
    doubts: tuple[int, ...]


def measure_swaps(swaps: Iterable[Swap], judge: ClaimJudge | None) -> dict[str, float]:
    """Measure planted facts, print every one and a table by kind, and return the shares by name."""
    print("\n| true fact | false fact | from | true | false | pointed at | refused |\n|---|---|---|---|---|---|---|")
    results = [result for swap in swaps if (result := _measure_swap(swap, judge)) is not None]
    print("\n| from | swaps | lower | pointed at | refused | true sentences | refused | with a doubt | doubts |")
    print("|---|---|---|---|---|---|---|---|---|")
    figures: dict[str, float] = {}
    for kind in SwapKind:
        if found := [result for result in results if result.kind is kind]:
            figures |= _print_kind(kind, found)
    if results:
        figures["swap_detected"] = estimate_mean([result.is_lower for result in results]).value
    return figures


def _measure_swap(swap: Swap, judge: ClaimJudge | None) -> PlantedResult | None:
    """Measure a planted fact and print it; None if one of the summaries cannot be measured."""
    true, false = (
        evaluate_summary(None, source=swap.document.source, summary=summary, judge=judge)["consistency"]
        for summary in (swap.document.summary, swap.summary)
    )
    if true.value is None or false.value is None:
        print(f"| {swap.fact} | {swap.replacement} | not measurable: {true.reason or false.reason} |", flush=True)
        return None
    result = PlantedResult(
        kind=swap.kind,
        is_lower=false.value < true.value,
        is_pointed_at=any(swap.points_at_swap(start, end) for start, end in list_doubts(false)),
        is_refused=any(
            sentence["objection"] is not None
            for sentence in list_sentences(false)
            if swap.points_at_swap(sentence["start"], sentence["end"])
        ),
        refused=tuple(sentence["objection"] is not None for sentence in list_sentences(true)),
        doubts=tuple(len(sentence["doubts"]) for sentence in list_sentences(true)),
    )
    cells = (swap.fact, swap.replacement, swap.kind, f"{true.value:.3f}", f"{false.value:.3f}")
    print(f"| {' | '.join(map(str, (*cells, result.is_pointed_at, result.is_refused)))} |", flush=True)
    return result


def _print_kind(kind: SwapKind, results: Sequence[PlantedResult]) -> dict[str, float]:
    """Print the row of one kind and return its figures by name."""
    shares = {
        "lower": estimate_mean([result.is_lower for result in results]),
        "pointed_at": estimate_mean([result.is_pointed_at for result in results]),
        "refused": estimate_mean([result.is_refused for result in results]),
    }
    refused = [is_refused for result in results for is_refused in result.refused]
    doubts = [count for result in results for count in result.doubts]
    costs = (estimate_mean(refused), estimate_mean([count > 0 for count in doubts]), estimate_mean(doubts))
    print(f"| {' | '.join(map(str, (kind, len(results), *shares.values(), len(doubts), *costs)))} |", flush=True)
    return {f"swap_{name}_{kind.name.lower()}": share.value for name, share in shares.items()}


def list_doubts(metric: Metric) -> list[tuple[int, int]]:
    """Return the spans of a summary that its evidence doubts."""
    return [(doubt["start"], doubt["end"]) for sentence in list_sentences(metric) for doubt in sentence["doubts"]]


def list_sentences(metric: Metric) -> list[Json]:
    """Return the sentences of a measured summary, with their objections and doubts."""
    sentences = metric.evidence["sentences"]
    assert isinstance(sentences, list)
    return sentences
