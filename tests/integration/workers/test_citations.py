"""A worker's sentences on a real Postgres: the rows of a job's summary cite the document that it was made of."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from models.job import Job
from models.lookup import list_sentences
from models.options import make_options
from models.sentence import SentenceKind
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import HandDrivenWorker
from tests.jobs import add_jobs
from workers.generation import GenerationParams, Prompt

# Long enough to need a summary.
FERRY = (
    "# The ferry Aurora\n\n"
    "The ferry Aurora sank off Norway on Monday. Captain Ingrid Berg saved 40 passengers before the storm grew.\n\n"
    "## The wreck\n\n"
    "Divers from Denmark will look for the wreck. The harbour of Bergen stayed closed until Tuesday. "
) + " ".join(f"In {1900 + number} the line carried {number * 7} travellers over the strait." for number in range(60))


def answer(prompt: Prompt, params: GenerationParams) -> str:
    """Write one true and one false sentence about whatever is asked."""
    return "The ferry Aurora sank off Norway on Monday. Boris Hansen won 9 medals in Sweden with his tram."


@pytest.mark.parametrize("grounding", ["strict", "flag", "off"])
def test_the_stored_sentences_are_those_of_the_summary_and_cite_its_document(grounding: str, cluster: Cluster) -> None:
    options = make_options(strategy="stuff", grounding=grounding)
    [job], step_messages = add_jobs(cluster.engine, [FERRY], options=options)
    HandDrivenWorker(cluster.engine, FakeGenerator(answer)).run_all(step_messages)

    with Session(cluster.engine) as session:
        found = session.get_one(Job, job)
        sentences = list_sentences(session, [job])
        counts = (found.verified, found.quoted, found.flagged)

    kinds = [sentence.kind for sentence in sentences]
    assert found.summary is not None
    assert all(sentence.text in found.summary for sentence in sentences)
    if grounding == "off":
        assert kinds == ["unchecked", "unchecked"]
        assert counts == (None, None, None)
    else:
        assert counts == tuple(kinds.count(kind) for kind in list(SentenceKind)[:3])
        assert counts[2] == (1 if grounding == "flag" else 0)
        assert sentences[0].citations[0]["text"] == "The ferry Aurora sank off Norway on Monday."
    for sentence in sentences:
        for citation in sentence.citations:
            assert FERRY[citation["start"] : citation["end"]] == citation["text"]
    assert_nothing_lost_or_doubled(cluster.engine)


def answer_by_section(prompt: Prompt, params: GenerationParams) -> str:
    return "The ferry Aurora sank off Norway on Monday. Divers from Denmark will look for the wreck."


@pytest.mark.parametrize("strategy", ["stuff", "map-reduce", "refine", "extract"])
def test_a_citation_names_the_headings_above_its_passage_whatever_the_strategy(strategy: str, cluster: Cluster) -> None:
    options = make_options(strategy=strategy, words=60)
    [job], step_messages = add_jobs(cluster.engine, [FERRY], options=options)
    HandDrivenWorker(cluster.engine, FakeGenerator(answer_by_section)).run_all(step_messages)

    with Session(cluster.engine) as session:
        citations = [citation for sentence in list_sentences(session, [job]) for citation in sentence.citations]

    wreck = FERRY.index("## The wreck")
    assert citations
    for citation in citations:
        below = ["The ferry Aurora", "The wreck"] if citation["start"] > wreck else ["The ferry Aurora"]
        assert citation["headings"] == below
    assert any(citation["start"] > wreck for citation in citations)


def test_a_document_of_one_chunk_is_summarized_to_the_asked_length_by_map_and_reduce_too(cluster: Cluster) -> None:
    [job], step_messages = add_jobs(
        cluster.engine, [FERRY], options=make_options(strategy="map-reduce", chunk_tokens=4000, words=80)
    )
    HandDrivenWorker(cluster.engine, FakeGenerator(lambda *_: "The ferry Aurora sank off Norway.")).run_all(
        step_messages
    )

    with Session(cluster.engine) as session:
        summary = session.get_one(Job, job).summary or ""

    assert 40 <= len(summary.split()) <= 92


def test_a_short_document_is_quoted_without_its_headings(cluster: Cluster) -> None:
    short = FERRY[: FERRY.index(" In 1900")]
    [job], step_messages = add_jobs(cluster.engine, [short], options=make_options(strategy="stuff"))
    HandDrivenWorker(cluster.engine, FakeGenerator(answer)).run_all(step_messages)

    with Session(cluster.engine) as session:
        summary = session.get_one(Job, job).summary or ""
        sentences = list_sentences(session, [job])

    assert summary.startswith("The ferry Aurora sank")
    assert "#" not in summary
    for sentence in sentences:
        [citation] = sentence.citations
        assert citation["text"] == sentence.text
