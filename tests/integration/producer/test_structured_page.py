"""docs/structured.md: its document by its schema is shown and exported as the page shows, and its script runs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import gistmill as public
from models.step import Step, StepState
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator
from tests.hand_driven import HandDrivenWorker
from tests.integration.conftest import Gistmill

PAGE = (Path(__file__).parents[3] / "docs" / "structured.md").read_text()
DOCUMENT, SCHEMA, SHOWN, SCRIPT = (
    re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0] for language in ("markdown", "json", "text", "python")
)
ANSWER = {
    "summary": "Captain Ingrid Berg saved 40 passengers before the storm grew.",
    "people": ["Ingrid Berg"],
    "saved": 40,
    "kind": "accident",
}


pytestmark = pytest.mark.usefixtures("driver")  # its log is not what the commands print


def run_all(cluster: Cluster) -> None:
    """Run the steps that wait, with an engine that gives the page's answer."""
    with Session(cluster.engine) as session:
        waiting = session.scalars(select(Step.id).where(Step.state == StepState.READY)).all()
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(lambda *_: json.dumps(ANSWER)))
    for step_id in waiting:
        worker.run_step(step_id)
    worker.run_all()


def test_the_document_of_the_page_is_shown_and_exported_as_the_page_shows(gistmill: Gistmill, cluster: Cluster) -> None:
    Path("ferry.md").write_text(DOCUMENT)
    Path("ferry.json").write_text(SCHEMA)
    gistmill("submit", "ferry.md", "--schema", "ferry.json", "--batch", "ferry")
    run_all(cluster)

    assert gistmill("show", "ferry").out.startswith(f"{SHOWN}\njob ")
    gistmill("export", "ferry", "--output", "ferry.csv")
    with Path("ferry.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert list(row)[-4:] == ["data.summary", "data.people", "data.saved", "data.kind"]
    assert (row["data.saved"], json.loads(row["data.people"])) == ("40", ["Ingrid Berg"])


def test_a_schema_that_is_refused_is_named_and_nothing_is_submitted(gistmill: Gistmill) -> None:
    Path("ferry.md").write_text(DOCUMENT)
    Path("ferry.json").write_text(SCHEMA.replace('"type": "array",', '"type": "array", "uniqueItems": true,'))
    refused = gistmill("submit", "ferry.md", "--schema", "ferry.json")
    assert refused.code == 2
    words = " ".join(refused.err.split())
    assert "ferry.json has keyword uniqueItems at people, which is not supported; leave it out" in words
    assert gistmill("status", "--json").json == []


def test_options_for_prose_are_refused_beside_a_schema(gistmill: Gistmill) -> None:
    Path("ferry.md").write_text(DOCUMENT)
    Path("ferry.json").write_text(SCHEMA)
    for option, value in (("--words", "50"), ("--gate", "0.3"), ("--num-beams", "2"), ("--strategy", "extract")):
        refused = gistmill("submit", "ferry.md", "--schema", "ferry.json", option, value)
        assert refused.code == 2
        assert "--schema and" in refused.err
        assert option in refused.err
    refused = gistmill("submit", "ferry.md", "--schema", "ferry.json", "--max-new-tokens", "30")
    assert refused.code == 2
    assert "give --max-new-tokens" in " ".join(refused.err.split())


def test_the_script_of_the_page_gives_dicts(
    cluster: Cluster, gistmill: Gistmill, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("ferry.md").write_text(DOCUMENT)
    wait = public.Batch.wait

    def run_and_wait(batch: public.Batch) -> public.Batch:
        run_all(cluster)
        return wait(batch)

    monkeypatch.setattr(public.Batch, "wait", run_and_wait)
    answer = {name: ANSWER[name] for name in ("summary", "saved")}
    monkeypatch.setattr("tests.integration.producer.test_structured_page.ANSWER", answer)
    exec(compile(SCRIPT, "structured.md", "exec"), {})
    assert capsys.readouterr().out.endswith(f"ferry.md {answer}\n")
