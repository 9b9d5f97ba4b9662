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


def test_the_lines_of_one_sentence_are_one_passage() -> None:
    text = "The miller waited until the\nriver had fallen. He slept.\nThen he milled"
    spans = ((0, 27), (28, 45), (46, 55), (56, 70))
    citations = [{"start": start, "end": end, "text": text[start:end], "headings": ["Mill"]} for start, end in spans]
    row = SentenceText(
        job_id=UUID(int=1),
        batch_id=UUID(int=2),
        batch="pile",
        source="a.md",
        index=0,
        start_at=0,
        end_at=7,
        text="It fell",
        kind="verified",
        score=None,
        reason=None,
        citations=citations,
    )

    [sentence] = number_sentences([row])

    assert [passage.text for passage in sentence.citations] == [
        "The miller waited until the\nriver had fallen.",
        "He slept.",
        "Then he milled",
    ]
    assert [text[passage.start : passage.end] for passage in sentence.citations] == [
        passage.text for passage in sentence.citations
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
