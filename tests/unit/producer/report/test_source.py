from __future__ import annotations

from producer.citations import CitedSentence, Passage
from producer.report.source import CONTEXT, SourcePiece, cut_source

TEXT = "One two three four five six."


def cite(number: int | None, *spans: tuple[int, int]) -> CitedSentence:
    passages = tuple(Passage(start, end, TEXT[start:end], ()) for start, end in spans)
    return CitedSentence(number, 0, 1, "s", "verified", None, None, passages)


def test_a_text_without_citations_is_one_piece() -> None:
    assert list(cut_source(TEXT, [])) == [SourcePiece(0, TEXT)]


def test_the_pieces_are_the_text_and_each_knows_its_sentences() -> None:
    pieces = list(cut_source(TEXT, [cite(1, (4, 13)), cite(2, (8, 18)), cite(None, (0, 3))]))

    assert "".join(piece.text for piece in pieces) == TEXT
    assert [(piece.text, piece.numbers) for piece in pieces] == [
        ("One ", ()),
        ("two ", (1,)),
        ("three", (1, 2)),
        (" four", (2,)),
        (" five six.", ()),
    ]


def test_a_passage_at_the_end_and_one_beyond_it_are_kept_within_the_text() -> None:
    pieces = list(cut_source(TEXT, [cite(1, (24, 99)), cite(2, (99, 120))]))

    assert [(piece.start, piece.text, piece.numbers) for piece in pieces] == [(0, TEXT[:24], ()), (24, "six.", (1,))]


def test_of_a_long_document_the_passages_stay_with_their_surroundings() -> None:
    text = "word " * 10_000
    pieces = list(cut_source(text, [cite(1, (30_000, 30_010)), cite(2, (30_100, 30_110))], max_characters=1_000))

    assert [(piece.numbers, piece.left_out) for piece in pieces if piece.numbers or piece.left_out] == [
        ((), 30_000 - 3 * CONTEXT),
        ((1,), 0),
        ((2,), 0),
        ((), len(text) - 30_110 - CONTEXT),
    ]
    assert sum(len(piece.text) + piece.left_out for piece in pieces) == len(text)
