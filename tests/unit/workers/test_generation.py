from __future__ import annotations

import math

import pytest

from workers.generation import GenerationParams


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 1e-40),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("repetition_penalty", math.inf),
        ("repetition_penalty", math.nan),
        ("num_beams", 10**6),
        ("seed", 10**22),
    ],
)
def test_parameters_that_nothing_can_compute_with_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} must"):
        GenerationParams(**{name: value})  # type: ignore[arg-type]
