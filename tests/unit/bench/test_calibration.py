import numpy as np
import pytest

from tests.bench.calibration import fit_calibration


def make_rows(count: int) -> tuple[list[dict[str, float | None]], list[float]]:
    random = np.random.default_rng(3)
    good, noise = random.uniform(0, 1, count), random.uniform(0, 1, count)
    judgements = (good + random.normal(0, 0.1, count)).clip(0, 1).tolist()
    return [{"good": float(a), "noise": float(b)} for a, b in zip(good, noise, strict=True)], judgements


def test_the_signal_that_tells_gets_the_weight() -> None:
    rows, judgements = make_rows(80)
    terms = fit_calibration(rows, judgements, names=("good", "noise")).terms
    assert terms["good"].weight > 5 * terms["noise"].weight >= 0


def test_a_signal_that_counts_against_itself_gets_no_weight() -> None:
    rows, judgements = make_rows(80)
    reversed_rows = [{"good": row["good"], "bad": -(row["good"] or 0)} for row in rows]
    assert fit_calibration(reversed_rows, judgements, names=("good", "bad")).terms["bad"].weight == 0


def test_a_signal_that_was_not_measured_says_nothing_either_way() -> None:
    rows, judgements = make_rows(40)
    calibration = fit_calibration(rows, judgements, names=("good", "noise"))
    at_mean = {name: term.mean for name, term in calibration.terms.items()}
    assert calibration.estimate({"good": None}) == pytest.approx(calibration.estimate(at_mean))


def test_judgements_that_all_agree_and_constant_signals_can_be_fitted() -> None:
    calibration = fit_calibration([{"flat": 1.0}] * 10, [1.0] * 10, names=("flat",))
    assert 0.9 < calibration.estimate({"flat": 1.0}) < 1
