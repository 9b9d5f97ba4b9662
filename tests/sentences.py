"""A summary with a sentence of every kind, with the verdicts and the spans that a step stores for it."""

from __future__ import annotations

from models.base import Json
from models.sentence import SentenceKind

# The documents of the tests begin with a heading and repeat "Document a says something.".
SUMMARY = "It says much. Document a says something. Boris saved 70 people. It goes on."


def make_sentence(summary: str, text: str, kind: str, *spans: tuple[int, int], reason: str | None = None) -> Json:
    """Return a sentence of a summary as a step stores it."""
    start = summary.index(text)
    score = 0.9 if kind == SentenceKind.VERIFIED else None
    cited = [list(span) for span in spans]
    return {"start": start, "end": start + len(text), "kind": kind, "score": score, "reason": reason, "spans": cited}


SENTENCES = (
    make_sentence(SUMMARY, "It says much.", "verified", (2, 9), (38, 64)),
    make_sentence(SUMMARY, "Document a says something.", "quoted", (11, 37)),
    make_sentence(SUMMARY, "Boris saved 70 people.", "flagged", reason="70 is nowhere in the document"),
    make_sentence(SUMMARY, "It goes on.", "unchecked"),
)
UNCHECKED = (make_sentence(SUMMARY, "It says much.", "unchecked"), make_sentence(SUMMARY, "It goes on.", "unchecked"))
