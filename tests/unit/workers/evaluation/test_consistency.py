import pytest

from workers.evaluation.consistency import WITH_GENERATOR, WITHOUT_GENERATOR, Calibration, choose_calibration


@pytest.mark.parametrize("calibration", [WITH_GENERATOR, WITHOUT_GENERATOR])
def test_the_shipped_calibrations_rise_with_their_signals_and_stay_between_0_and_1(calibration: Calibration) -> None:
    worst, best = (dict.fromkeys(calibration.terms, value) for value in (0.0, 1.0))
    assert all(term.weight >= 0 < term.deviation for term in calibration.terms.values())
    assert 0 < calibration.estimate(worst) < calibration.estimate(best) < 1


def test_the_calibration_fits_what_was_measured() -> None:
    assert choose_calibration({"words": 1.0, "likelihood": None}) is WITHOUT_GENERATOR
    assert choose_calibration({"words": 1.0, "likelihood": 2.0}) is WITH_GENERATOR
