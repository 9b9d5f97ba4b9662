"""How well the signals and their combinations agree with people, and what a calibration on these people would be."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.bench.calibration import estimate_out_of_fold, fit_calibration
from tests.bench.correlations import correlate_ranks, correlate_values, estimate_correlation
from tests.bench.judgements import FILES, Judged
from workers.evaluation.consistency import WITH_GENERATOR, WITHOUT_GENERATOR, Signals, choose_calibration
from workers.evaluation.examination import Examiner
from workers.evaluation.intervals import Interval
from workers.evaluation.limits import StopConditions
from workers.generation import TextGenerator

CHEAP = tuple(WITHOUT_GENERATOR.terms)
ALL = tuple(WITH_GENERATOR.terms)

# A column of the tables: a value for each summary, None where there is none.
Column = Sequence[float | None]


def measure_signals(judged: Sequence[Judged], generator: TextGenerator, *, items: int) -> list[Signals]:
    """Return the signals of every summary; those of the weights for the first ones of each data set."""
    rows: list[Signals] = []
    for place, item in enumerate(judged):
        is_asked = sum(other.dataset == item.dataset for other in judged[:place]) < items
        examiner = Examiner(generator if is_asked else None, StopConditions())
        rows.append(examiner.examine(item.source, item.summary).signals)
        if is_asked and place % 10 == 0:
            print(f"judged summaries: {place} of {len(judged)}", file=sys.stderr, flush=True)
    return rows


def print_agreement(judged: Sequence[Judged], rows: Sequence[Signals]) -> dict[str, float]:
    """Print a table for each data set; return Pearson's correlation of the combination, estimated out of fold."""
    asked = [place for place, row in enumerate(rows) if row["likelihood"] is not None]
    everything = range(len(rows))
    columns: dict[str, Column] = {name: [row[name] for row in rows] for name in ALL} | {
        "combined without weights, out of fold": _cross_validate(judged, rows, places=everything, names=CHEAP),
        "combined, out of fold": _cross_validate(judged, rows, places=everything, names=ALL),
        "the former, on what the weights read": _cross_validate(judged, rows, places=asked, names=CHEAP),
        "the latter, on what the weights read": _cross_validate(judged, rows, places=asked, names=ALL),
        "combined, calibrated on the other data set": _transfer(judged, rows),
        "combined as shipped (has seen the published files)": [choose_calibration(row).estimate(row) for row in rows],
    }
    for dataset, (_, published) in FILES.items():
        print(f"\n{dataset}; the paper reports {published}\n\n| signal | n | Pearson | Spearman |\n|---|---|---|---|")
        for label, values in columns.items():
            _print_row(label, judged, values, dataset)
    combined = columns["combined, out of fold"]
    return {f"pearson_{dataset}": round(_correlate(judged, combined, dataset)[0].value, 4) for dataset in FILES}


def print_calibrations(judged: Sequence[Judged], rows: Sequence[Signals]) -> None:
    """Print the calibrations on these judgements: the constants of ``consistency`` come from here."""
    for names in (CHEAP, ALL):
        calibration = fit_calibration(rows, [item.judgement for item in judged], names=names)
        print(f"\ncalibration on all {len(rows)}: intercept {calibration.intercept:.4f}")
        for name, term in calibration.terms.items():
            print(f"  {name}: mean {term.mean:.4f}, deviation {term.deviation:.4f}, weight {term.weight:.4f}")


def _cross_validate(
    judged: Sequence[Judged], rows: Sequence[Signals], *, places: Sequence[int], names: Sequence[str]
) -> Column:
    """Return estimates for the summaries at some places, from calibrations on others of them."""
    column: list[float | None] = [None] * len(rows)
    if places:
        judgements = [judged[place].judgement for place in places]
        estimates = estimate_out_of_fold([rows[place] for place in places], judgements, names=names)
        for place, estimate in zip(places, estimates, strict=True):
            column[place] = estimate
    return column


def _transfer(judged: Sequence[Judged], rows: Sequence[Signals]) -> Column:
    """Return estimates from calibrations that have seen nothing of the same data set."""
    column: list[float | None] = [None] * len(rows)
    for dataset in FILES:
        others = [place for place, item in enumerate(judged) if item.dataset != dataset]
        judgements = [judged[place].judgement for place in others]
        calibration = fit_calibration([rows[place] for place in others], judgements, names=ALL)
        for place, item in enumerate(judged):
            if item.dataset == dataset:
                column[place] = calibration.estimate(rows[place])
    return column


def _print_row(label: str, judged: Sequence[Judged], values: Column, dataset: str) -> None:
    found = _correlate(judged, values, dataset)
    if found:
        print(f"| {label} | {found[0].count} | {' | '.join(map(str, found))} |")


def _correlate(judged: Sequence[Judged], values: Column, dataset: str) -> list[Interval]:
    """Return Pearson's and Spearman's correlation with the judgements, nothing where there are too few values."""
    pairs = [
        (value, item.judgement)
        for item, value in zip(judged, values, strict=True)
        if value is not None and item.dataset == dataset
    ]
    if len(pairs) < 3:
        return []
    found, judgements = [value for value, _ in pairs], [judgement for _, judgement in pairs]
    return [estimate_correlation(found, judgements, correlate=how) for how in (correlate_values, correlate_ranks)]
