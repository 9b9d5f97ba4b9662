from __future__ import annotations

import textwrap
from functools import partial
from itertools import accumulate
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from models.source_spans import read_source_spans
from workers.execution.grounding import Grounder
from workers.summarization.grounded import GroundedSentence
from workers.summarization.quotation import CLOSING_MARK, OPENING_MARK

# Ends of sentences, and of lines without one; white space and signs of several code units among the letters.
ENDS = st.sampled_from([". ", "! ", ":\n", ":\n- ", "... ", ".\n", "\n", "\n\n", "  \n\n- ", "\u3002", '." '])
WORDS = st.sampled_from(
    [
        "bridge",
        "**Power:**",
        "The Town",
        "(CNN)",
        "LONDON (Reuters) -",
        "cables",
        "caf\u00e9",
        "rust\u00a0",
        "\U0001f309 night",
        "12",
        "Aldbury",
        "\u6a4b",
        "the  old",
        "the controller measures the level of the water",
    ]
)
SENTENCES = st.tuples(st.lists(WORDS, min_size=1, max_size=9), ENDS).map(lambda parts: " ".join(parts[0]) + parts[1])
DOCUMENTS = st.lists(SENTENCES, min_size=1, max_size=14).map("".join)
# Length of a chunk, and how far the next one begins before its end; negative for text between two chunks.
CHUNKS = st.lists(st.tuples(st.integers(1, 60), st.integers(-20, 40)), min_size=1, max_size=8)
# Its chunks are what the connection of a test returns.
WAVE: Any = SimpleNamespace(job_id=uuid4(), round=0, inputs=[])
INVENTED = "Boris replaced 9173 rusty cables of the bridge. Zhukov painted 8264 old nights in Aldbury."


def cut(document: str, chunks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans of overlapping chunks of a document, as they are ordered in the database."""
    starts = accumulate((length - min(overlap, length) for length, overlap in chunks), initial=0)
    spans = [(start, start + length) for start, (length, _) in zip(starts, chunks, strict=False)]
    return sorted((start, min(end, len(document))) for start, end in spans if start < len(document))


def make_grounder(document: str, spans: list[tuple[int, int]]) -> tuple[Grounder, Any]:
    """Return a grounder of a step that reads these chunks, and the step's claim."""
    connection: Any = SimpleNamespace(execute=lambda *_: spans)
    merged = read_source_spans(connection, WAVE)
    store: Any = SimpleNamespace(read_source=lambda _: [(start, document[start:end]) for start, end in merged])
    if len(spans) > 1:
        return Grounder(store, None), make_claim(chunks=None, inputs=[{}])
    [(start, end)] = spans
    return Grounder(store, None), make_claim(chunks=[(0, (), document[start:end], start)], inputs=[{"chunk": 0}])


def make_claim(**values: object) -> SimpleNamespace:
    """Return what a grounder reads of a claim."""
    return SimpleNamespace(document_sha256="sha", token=uuid4(), **values)


@given(DOCUMENTS | DOCUMENTS.map(partial(textwrap.fill, width=60)), CHUNKS)
def test_a_sentence_of_a_step_is_located_where_the_document_has_it(
    document: str, chunks: list[tuple[int, int]]
) -> None:
    grounder, claim = make_grounder(document, cut(document, chunks))
    source = grounder.find_source(claim)

    for sentence in source.text.sentences:
        span = ((sentence.start, sentence.end),)
        [(start, end)] = source.locate(GroundedSentence(0, 1, "quoted", spans=span)).spans
        # A space may stand for the end of a wrapped line.
        assert document[start:end].replace("\n", " ") == sentence.text


@given(DOCUMENTS, CHUNKS)
def test_a_quotation_is_what_the_document_has_at_its_span(document: str, chunks: list[tuple[int, int]]) -> None:
    spans = cut(document, chunks)
    grounder, claim = make_grounder(document, spans)

    grounded = grounder.ground(claim, INVENTED, mode="strict")

    for sentence in grounded.sentences:
        [(start, end)] = sentence.spans
        text = grounded.text[sentence.start : sentence.end]
        assert text.removeprefix(OPENING_MARK).removesuffix(CLOSING_MARK) == " ".join(document[start:end].split())
        assert any(first <= start and end <= last for first, last in merge(spans))


def merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    connection: Any = SimpleNamespace(execute=lambda *_: spans)
    return read_source_spans(connection, WAVE)


@given(DOCUMENTS)
def test_an_answer_that_is_grounded_again_stays_as_it_is(document: str) -> None:
    grounder, claim = make_grounder(document, [(0, len(document))])
    first = grounder.ground(claim, f"{INVENTED} {document}", mode="strict")

    again = grounder.ground(claim, first.text, mode="strict")

    assert (again.text, again.replaced) == (first.text, 0)
    assert [(one.start, one.end) for one in again.sentences] == [(one.start, one.end) for one in first.sentences]
