"""docs/citations.md: its document, summarized as the page says, is shown and exported as the page shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.sentences import make_sentence

PAGE = (Path(__file__).parents[3] / "docs" / "citations.md").read_text()
DOCUMENT, SHOWN, EXPORTED = (
    re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0] for language in ("markdown", "text", "json")
)
SUMMARY = re.sub(r" \[\d\]", "", SHOWN.splitlines()[0])
SECTIONS = DOCUMENT.index("## The wreck")


def cite(sentence: str, kind: str, passage: str, reason: str | None = None) -> dict[str, object]:
    start = DOCUMENT.index(passage)
    return make_sentence(SUMMARY, sentence, kind, (start, start + len(passage)), reason=reason)


SENTENCES = (
    cite("The Aurora sank off Norway on Monday.", "verified", "The ferry Aurora sank off Norway on Monday."),
    cite("Divers from Denmark will look for the wreck.", "quoted", "Divers from Denmark will look for the wreck."),
    cite(
        "Berg saved 70 passengers.",
        "flagged",
        "Captain Ingrid Berg saved 40 passengers before the storm grew.",
        reason="70 is nowhere in the document",
    ),
)


def test_the_document_of_the_page_is_shown_and_exported_as_the_page_shows(
    gistmill: Gistmill, cluster: Cluster, driver: Driver
) -> None:
    Path("ferry.md").write_text(DOCUMENT)
    gistmill("submit", "ferry.md", "--batch", "ferry", "--strategy", "map-reduce")
    job = gistmill("results", "ferry", "--json").json[0]["job_id"]
    driver.plan(UUID(job), chunks=2)
    with cluster.engine.begin() as connection:
        # The plan of the driver knows nothing of the document's headings.
        headings = [[0, ["The ferry Aurora"]], [SECTIONS, ["The ferry Aurora", "The wreck"]]]
        connection.execute(text("UPDATE jobs SET headings = :headings"), {"headings": json.dumps(headings)})
    driver.finish_maps(UUID(job), chunks=2)
    driver.close(UUID(job), chunks=2, words=SUMMARY, sentences=SENTENCES)

    assert gistmill("show", "ferry").out.startswith(f"{SHOWN}\njob ")
    exported = json.loads(gistmill("export", "ferry", "--format", "jsonl").out)
    assert exported["sentences"][1] == json.loads(EXPORTED)
