"""The documents that the demo shows to newcomers."""

import re
from pathlib import Path

import pytest

import producer
from producer.sources import Source, read_sources

SAMPLES = Path(producer.__path__[0]) / "samples"


@pytest.fixture(scope="module")
def samples() -> dict[str, Source]:
    return {source.name: source for source in read_sources([SAMPLES]) if isinstance(source, Source)}


def test_the_three_samples_have_the_promised_lengths(samples: dict[str, Source]) -> None:
    lengths = {name: len(source.text) for name, source in samples.items()}
    assert set(lengths) == {"clean_writeup.html", "field_report.md", "messy_notes.txt"}
    assert lengths["clean_writeup.html"] >= 6000
    assert lengths["messy_notes.txt"] >= 6000
    assert lengths["field_report.md"] >= 15_000


def test_two_samples_have_sections_and_one_has_none(samples: dict[str, Source]) -> None:
    sections = {name: len(re.findall(r"^#{2,3} ", source.text, re.M)) for name, source in samples.items()}
    assert sections["clean_writeup.html"] >= 7
    assert sections["field_report.md"] >= 10
    assert sections["messy_notes.txt"] == 0
    assert samples["messy_notes.txt"].format == "text"


def test_the_report_has_a_table_and_a_code_block(samples: dict[str, Source]) -> None:
    assert "|---|" in samples["field_report.md"].text
    assert "```python\n" in samples["field_report.md"].text
