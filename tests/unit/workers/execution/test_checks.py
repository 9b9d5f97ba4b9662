"""What a check stores."""

from __future__ import annotations

from workers.execution.checks import remove_nul


def test_evidence_loses_nul_and_keeps_what_only_looks_like_it() -> None:
    evidence = {"questions": ({"answer": "a\0b"},), "text": "\\u0000", "f1": 0.5}
    assert remove_nul(evidence) == {"questions": [{"answer": "ab"}], "text": "\\u0000", "f1": 0.5}
