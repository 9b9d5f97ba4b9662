"""A submitted PDF file: its pages are named by citations, counted in the text that is stored."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.sentences import make_sentence
from tests.unit.producer.sources.made_files import make_pdf

# A ligature of the font, which is stored as two letters, so that the second page begins later than in the file.
FIRST, SECOND = "The \\256rst of\\256cer \\256led his \\256ndings about the ferry.", "The wreck was found near Bergen."
SUMMARY = "The first officer filed his findings. The wreck was found near Bergen."


def test_a_cited_passage_of_a_pdf_is_shown_with_its_page(gistmill: Gistmill, driver: Driver) -> None:
    Path("ferry.pdf").write_bytes(make_pdf(FIRST, SECOND))
    assert gistmill("submit", "ferry.pdf", "--batch", "ferry", "--strategy", "map-reduce").code == 0
    job = UUID(gistmill("results", "ferry", "--json").json[0]["job_id"])
    stored = FIRST.replace("\\256", "fi") + "\n\n" + SECOND
    passages = (stored.partition("\n")[0], SECOND)
    spans = [(stored.index(passage), stored.index(passage) + len(passage)) for passage in passages]
    sentences = [
        make_sentence(SUMMARY, sentence, "quoted", span)
        for sentence, span in zip(("The first officer filed his findings.", SECOND), spans, strict=True)
    ]
    driver.run(job, words=SUMMARY, sentences=sentences)

    shown = gistmill("show", "ferry").out
    assert f"“{passages[0]}”  (page 1" in shown
    assert f"“{SECOND}”  (page 2" in shown
    exported = json.loads(gistmill("export", "ferry", "--format", "jsonl").out)
    cited = [sentence["citations"][0] for sentence in exported["sentences"]]
    assert [(citation["page"], citation["text"]) for citation in cited] == [(1, passages[0]), (2, SECOND)]
