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
