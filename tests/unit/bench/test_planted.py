from __future__ import annotations

import pytest

from tests.bench.planted import measure_swaps
from tests.bench.swaps import Document, Swap, SwapKind
from tests.word_judge import WordJudge

SOURCE = (
    "Police in Leeds arrested Ada Brown on Monday after a long chase. Her brother Tom Brown paid 40 pounds of bail. "
    "The trial begins in York in May."
)
DOCUMENT = Document(SOURCE, "Police arrested Ada Brown in Leeds.\nTom Brown paid a bail of 40 pounds.")


def plant(fact: str, replacement: str, kind: SwapKind) -> Swap:
    """Replace a fact of the summary."""
    start = DOCUMENT.summary.index(fact)
    false = DOCUMENT.summary.replace(fact, replacement, 1)
    return Swap(DOCUMENT, false, fact, replacement, kind, ((start, start + len(replacement)),))


def test_every_kind_has_its_own_share_pointed_at_and_refused(capsys: pytest.CaptureFixture[str]) -> None:
    swaps = [
        plant("Leeds", "Boston", SwapKind.STRANGER),
        plant("40 pounds", "90 pounds", SwapKind.STRANGER),
        plant("Ada Brown", "Tom Brown", SwapKind.SOURCE),
    ]

    figures = measure_swaps(swaps, WordJudge())

    assert figures == {
        "swap_lower_stranger": 1.0,
        "swap_pointed_at_stranger": 1.0,
        "swap_refused_stranger": 1.0,
        "swap_lower_source": 1.0,
        "swap_pointed_at_source": 0.0,
        "swap_refused_source": 0.0,
        "swap_detected": 1.0,
    }
    assert "| another source | 2 |" in capsys.readouterr().out


def test_nothing_planted_gives_no_figures() -> None:
    assert measure_swaps([], None) == {}
