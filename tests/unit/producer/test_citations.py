from __future__ import annotations

from uuid import UUID

from models.views import SentenceText
from producer.citations import PASSAGE, CitedSentence, cut_pieces, mark_summary, number_sentences, shorten_passage
from tests.sentences import SENTENCES, SUMMARY

DOCUMENT = "# Title a\n\n" + "Document a says something. " * 9


def cite(page_starts: str | None = None) -> list[CitedSentence]:
    """Return the sentences of the summary as the view has them, with their numbers."""
    rows = [
        SentenceText(
            job_id=UUID(int=1),
            batch_id=UUID(int=2),
            batch="pile",
            source="a.md",
            index=index,
            start_at=stored["start"],
            end_at=stored["end"],
            text=SUMMARY[stored["start"] : stored["end"]],
            kind=stored["kind"],
            score=stored["score"],
            reason=stored["reason"],
            citations=[
                {"start": start, "end": end, "text": DOCUMENT[start:end], "headings": ["Title a"]}
                for start, end in stored["spans"]
            ],
        )
        for index, stored in enumerate(SENTENCES)
    ]
    return list(number_sentences(rows, page_starts=page_starts))


def test_sentences_with_a_verdict_are_numbered() -> None:
    assert [(sentence.number, sentence.verdict) for sentence in cite()] == [
        (1, "verified"),
        (2, "quoted"),
        (3, "flagged: 70 is nowhere in the document"),
        (None, "unchecked"),
    ]


def test_marks_follow_their_sentences() -> None:
    marked = "It says much. [1] Document a says something. [2] Boris saved 70 people. [3] It goes on."

    assert mark_summary(SUMMARY, cite()) == marked


def test_the_pieces_of_a_summary_together_are_the_summary() -> None:
    for summary, sentences in ((SUMMARY, cite()), (SUMMARY, []), (f"  {SUMMARY}\n", [])):
        assert "".join(piece.text for piece in cut_pieces(summary, sentences)) == summary


def test_a_long_passage_becomes_a_line() -> None:
    assert shorten_passage("one\n\ttwo") == "one two"
    shortened = shorten_passage("word " * 100)
    assert len(shortened) <= PASSAGE
    assert shortened.endswith("…")


def test_a_passage_is_named_by_its_page_and_its_headings() -> None:
    passages = [passage for sentence in cite("0,11") for passage in sentence.citations]
    assert passages
    for passage in passages:
        assert passage.places == (f"page {1 if passage.start < 11 else 2}", "Title a")
    assert cite()[1].citations[0].places == ("Title a",)
