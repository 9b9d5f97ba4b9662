from __future__ import annotations

import pytest

from gistmill.cli.compare import print_comparison
from gistmill.cli.plan import print_plans


def make_plan(source: str, tokens: int) -> dict[str, object]:
    return {
        "source": source, "strategy": "stuff", "reason": f"it has {tokens} tokens", "splitter": "auto",
        "split_reason": "no chunks", "chunks": 1, "document_tokens": tokens, "calls": 1, "prompt_tokens": 300,
        "completion_tokens": 512, "depth": 1, "seconds": 60.0, "rates": {"origin": "as measured"},
    }  # fmt: skip


def test_every_reason_of_a_plan_names_its_documents(capsys: pytest.CaptureFixture[str]) -> None:
    same = [make_plan(f"{name}.md", 200) for name in "abcde"]

    print_plans([make_plan("long.md", 900), *same], as_json=False)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["source", "strategy", "splitter", "chunks", "calls", "depth", "read", "written", "time"]
    assert "long.md: stuff, because it has 900 tokens; no chunks" in lines
    assert "a.md, b.md, c.md and 2 more: stuff, because it has 200 tokens; no chunks" in lines


def test_no_plan_prints_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_plans([], as_json=False)

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("count", "low", "verdict"), [(2, 0.1, "too few documents"), (40, 0.1, ""), (40, -0.1, "may be chance")]
)
def test_an_interval_of_few_documents_tells_nothing(
    count: int, low: float, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    interval = {"count": count, "value": 0.2, "low": low, "high": 0.3}
    difference = {"measure": "rouge1", "first": 0.1, "second": 0.3, "difference": interval}
    compared = {"first": "one", "second": "two", "documents": count, "differences": [difference]}
    weights = {"weights": ("default: gemma (1a2b3c4d)",) * 2, "others": []}

    print_comparison({**compared, **weights, "unpaired": {}, "remarks": []})

    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["  one by default: gemma (1a2b3c4d)", "  two by default: gemma (1a2b3c4d)"]
    assert lines[4].endswith(verdict or "+0.300")
