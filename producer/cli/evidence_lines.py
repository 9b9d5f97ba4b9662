"""The evidence behind a check as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from producer.cli.terminal import clean_line
from producer.evidence import Evidence


def render_evidence(evidence: Evidence) -> Iterator[str]:
    """Yield the doubtful sentences with their reasons, then the questions with both answers."""
    for sentence in evidence.doubtful:
        yield f"{'MARKED' if sentence.is_marked else 'doubt'}  {clean_line(sentence.text)}"
        for doubt in sentence.doubts:
            yield f"        “{clean_line(doubt.text)}”: {clean_line(doubt.words)}"
    for each in evidence.questions:
        yield f"asked   {clean_line(each.question)}"
        yield f"        the summary: {clean_line(each.summary_answer)}"
        yield f"        the source: {clean_line(each.source_answer)}  (F1 {each.f1:.2f})"
