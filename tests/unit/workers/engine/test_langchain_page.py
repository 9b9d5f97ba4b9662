"""The example of docs/langchain.md, run with tiny weights."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[4] / "docs" / "langchain.md"
[EXAMPLE] = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_example_summarizes_streams_and_counts(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "ask.py"
    script.write_text(EXAMPLE)
    monkeypatch.setattr("sys.argv", [str(script), str(tiny_weights)])

    runpy.run_path(str(script), run_name="__main__")

    printed = capsys.readouterr().out
    assert printed.count("summary: ") == 2
    assert "'output_tokens': 16" in printed
    assert "ended: length" in printed
