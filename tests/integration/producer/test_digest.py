"""A digest is made of the summaries of a batch: it cites their documents, and a change re-runs what depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import gistmill as public
from models.sentence import SentenceKind
from models.tables import Document
from models.views import JobSummary
from producer.summaries import Summary
from tests.conftest import Cluster
from tests.fake_engine import FakeGenerator, copy_and_invent
from tests.hand_driven import HandDrivenWorker, ready_messages
from tests.integration.conftest import Gistmill, read_jobs

# Digests of these documents are split into chunks of two or three summaries.
DIGEST = ("--chunk-tokens", "300")
FILLER = (
    "More words about the roads, the schools, the harbour, the markets, the bridges and the gardens of the district are"
    " written here by its council for the people who live in it, and none of them matters for the number. "
) * 8


def describe(name: str, number: int) -> str:
    return f"# Report {name}\n\nThe value of district {name} is {number}. {FILLER}"


@pytest.fixture
def worker(cluster: Cluster) -> HandDrivenWorker:
    """A worker whose answers copy one sentence with "value" and invent another."""
    return HandDrivenWorker(cluster.engine, FakeGenerator(copy_and_invent))


def run_all(cluster: Cluster, worker: HandDrivenWorker) -> None:
    worker.run_all(ready_messages(cluster.engine))


def submit(gistmill: Gistmill, folder: Path, documents: dict[str, str], *, batch: str = "pile") -> None:
    for name, words in documents.items():
        (folder / f"{name}.md").write_text(words)
    paths = [f"{name}.md" for name in documents]
    assert gistmill("submit", *paths, "--batch", batch, "--greedy").code == 0


@pytest.fixture
def pile(gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, tmp_path: Path) -> list[str]:
    """Six summarized documents in batch "pile"; their names."""
    return fill_pile(gistmill, cluster, worker, tmp_path, documents=6)


def fill_pile(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, folder: Path, *, documents: int
) -> list[str]:
    names = [f"d{number:02}" for number in range(documents)]
    submit(gistmill, folder, {name: describe(name, 100 + place) for place, name in enumerate(names)})
    run_all(cluster, worker)
    return names


def read_digest(cluster: Cluster, batch: str) -> Summary:
    with public.connect(cluster.database_url, cluster.broker_url) as client:
        [digest] = client.summaries(batch)
    return digest


def count_steps(cluster: Cluster, batch: str) -> dict[str, int]:
    """Return the numbers of a batch's map and reduce steps that were generated, and that came from the cache."""
    statement = (
        "SELECT count(*) FILTER (WHERE completion_tokens > 0 AND cached_from IS NULL),"
        " count(*) FILTER (WHERE cached_from IS NOT NULL) FROM steps"
        " JOIN jobs ON jobs.id = job_id JOIN batches ON batches.id = batch_id WHERE batches.name = :batch"
        " AND kind IN ('map', 'collapse', 'reduce')"
    )
    with cluster.engine.connect() as connection:
        generated, cached = connection.execute(text(statement), {"batch": batch}).one()
    return {"generated": generated, "cached": cached}


def make_digest(gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, *options: str) -> str:
    """Make a digest of the pile to its end, and return the name of its batch."""
    batch = gistmill("digest", "pile", *DIGEST, *options, "--json").json["batch"]
    run_all(cluster, worker)
    return str(batch)


@pytest.mark.usefixtures("pile")
def test_every_sentence_cites_and_every_citation_resolves_to_the_passages_of_documents(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, pile: list[str]
) -> None:
    digest = read_digest(cluster, make_digest(gistmill, cluster, worker, "--chunk-tokens", "150"))

    assert digest.state == "succeeded"
    assert digest.job.strategy == "map-reduce"
    assert digest.sentences
    for sentence in digest.sentences:
        assert sentence.kind in ("verified", "quoted")
        assert sentence.citations
        for document in sentence.documents:
            name = document.source.removesuffix(".md")
            assert document.passages
            assert all(passage.text in describe(name, 100 + pile.index(name)) for passage in document.passages)
        assert sentence.documents


@pytest.mark.usefixtures("pile")
def test_show_and_exports_name_the_documents_of_each_sentence(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, tmp_path: Path
) -> None:
    batch = make_digest(gistmill, cluster, worker)
    sentence = read_digest(cluster, batch).sentences[0]
    [document, *_] = sentence.documents

    shown = gistmill("show", batch).out
    assert f"    {document.source}: {document.title}\n        “" in shown
    cited = {one.source for sentence in read_digest(cluster, batch).sentences for one in sentence.documents}
    uncited = [f"d{number:02}.md" for number in range(6) if f"d{number:02}.md" not in cited]
    assert f"{len(cited)} of 6 documents, not {', '.join(uncited)}" in shown
    assert uncited
    for form in ("jsonl", "parquet", "markdown"):
        assert gistmill("export", batch, "--output", f"out.{form}", "--format", form).code == 0
    assert f"  - {document.source}: {document.title}" in (tmp_path / "out.markdown").read_text()
    exported = json.loads((tmp_path / "out.jsonl").read_text())["sentences"][0]["documents"][0]
    assert exported["source"] == document.source
    assert [passage["text"] for passage in exported["passages"]] == [one.text for one in document.passages]


@pytest.mark.usefixtures("pile")
def test_the_same_summaries_are_the_same_digest(gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker) -> None:
    first = make_digest(gistmill, cluster, worker)

    again = gistmill("digest", "pile", *DIGEST, "--json").json

    assert (again["batch"], again["new"], again["existing"]) == (first, 0, 1)
    assert gistmill("digest", "pile", *DIGEST).out.startswith(f"batch {first}: 1 digest already there, nothing new\n")


def test_an_added_and_a_changed_document_run_their_chunk_and_what_is_above_it_again(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, tmp_path: Path
) -> None:
    names = fill_pile(gistmill, cluster, worker, tmp_path, documents=18)
    whole = count_steps(cluster, make_digest(gistmill, cluster, worker))
    submit(gistmill, tmp_path, {"new": describe("new", 900)})
    run_all(cluster, worker)
    added = count_steps(cluster, make_digest(gistmill, cluster, worker))
    submit(gistmill, tmp_path, {names[9]: describe(names[9], 999)})
    run_all(cluster, worker)
    done = gistmill("digest", "pile", *DIGEST, "--json")
    run_all(cluster, worker)
    changed = count_steps(cluster, done.json["batch"])

    assert whole["cached"] == 0
    assert whole["generated"] > 4
    # The chunk and the last step.
    assert (added["generated"], changed["generated"]) == (2, 2)
    assert min(added["cached"], changed["cached"]) >= whole["generated"] - 2
    assert done.json["left_out"] == ["1 earlier summary of the same documents: left out"]
    titles = [line for line in read_document(cluster, done.json["batch"]).splitlines() if line.startswith("## ")]
    assert titles == [f"## Report {name}" for name in (*names, "new")]


def test_a_text_under_two_names_counts_once(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, pile: list[str], tmp_path: Path
) -> None:
    submit(gistmill, tmp_path, {"copy": (tmp_path / f"{pile[1]}.md").read_text()})
    run_all(cluster, worker)
    done = gistmill("digest", "pile", *DIGEST, "--json")

    assert done.json["left_out"] == ["1 earlier summary of the same documents: left out"]
    titles = [line for line in read_document(cluster, done.json["batch"]).splitlines() if line.startswith("## ")]
    assert titles == [f"## Report {name}" for name in pile]


def read_document(cluster: Cluster, batch: str) -> str:
    with Session(cluster.engine) as session:
        [job] = [job for job in read_jobs(cluster) if job.batch == batch]
        return session.get_one(Document, job.document_sha256).text


def test_differences_of_documents_are_quoted_at_the_end(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, tmp_path: Path
) -> None:
    ferry = "# {}\n\nThe value of the sunken ferry Aurora was {} crowns. " + FILLER
    submit(gistmill, tmp_path, {"a": ferry.format("First", 40), "b": ferry.format("Second", 70)})
    run_all(cluster, worker)
    digest = read_digest(cluster, make_digest(gistmill, cluster, worker))

    last = digest.sentences[-1]
    assert last.text == (
        "First says “The value of the sunken ferry Aurora was 40 crowns.”; "
        "Second says “The value of the sunken ferry Aurora was 70 crowns.”"
    )
    assert last.kind == SentenceKind.QUOTED
    assert [document.source for document in last.documents] == ["a.md", "b.md"]
    assert [[passage.text for passage in document.passages] for document in last.documents] == [
        ["The value of the sunken ferry Aurora was 40 crowns."],
        ["The value of the sunken ferry Aurora was 70 crowns."],
    ]
    assert digest.text is not None
    assert digest.text.endswith(last.text)


def test_a_digest_is_made_for_each_value_of_a_column(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, tmp_path: Path
) -> None:
    rows = [("a", "sports"), ("b", "culture"), ("c", "sports"), ("d", "")]
    lines = [f'{name},{section},"{describe(name, 5).partition(chr(10) * 2)[2]}"' for name, section in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["id,section,text", *lines]))
    assert gistmill("submit", "rows.csv", "--id-column", "id", "--batch", "pile", "--greedy").code == 0
    run_all(cluster, worker)

    unknown = gistmill("digest", "pile", "--by", "region")
    batch = make_digest(gistmill, cluster, worker, "--by", "section")

    assert unknown.code == 2
    assert "no document of the batch has a column 'region'; they have file, row, section" in unknown.err
    with public.connect(cluster.database_url, cluster.broker_url) as client:
        digests = {digest.source: digest for digest in client.summaries(batch)}
    assert list(digests) == [
        "digest of pile, section sports",
        "digest of pile, section culture",
        "digest of pile without section",
    ]
    cited = {
        document.source for one in digests["digest of pile, section sports"].sentences for document in one.documents
    }
    assert cited <= {"a", "c"}


def test_a_batch_without_a_summary_has_no_digest(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    done = gistmill("digest", "pile")

    assert done.code == 2
    assert (
        f"batch pile has no summary to make a digest of ({len(submitted)} jobs of batch pile not ended: left out)"
        in done.err
    )
    assert gistmill("digest", "unknown").code == 2


@pytest.mark.usefixtures("pile")
def test_jobs_that_have_not_ended_are_said_and_left_out(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker, tmp_path: Path
) -> None:
    submit(gistmill, tmp_path, {"late": describe("late", 900)})

    done = gistmill("digest", "pile", *DIGEST)

    assert "1 job of batch pile not ended: left out" in done.err
    assert done.code == 0


def test_a_digest_does_not_go_into_its_own_batch(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    done = gistmill("digest", "pile", "--batch", "pile")

    assert done.code == 2
    assert "cannot be in it" in done.err


@pytest.mark.usefixtures("pile")
def test_a_digest_of_digests_cites_the_documents_themselves(
    gistmill: Gistmill, cluster: Cluster, worker: HandDrivenWorker
) -> None:
    first = make_digest(gistmill, cluster, worker)
    above = gistmill("digest", first, "--json").json["batch"]
    run_all(cluster, worker)

    for sentence in read_digest(cluster, above).sentences:
        assert sentence.documents
        assert all(
            document.source.startswith("d") and document.source.endswith(".md") for document in sentence.documents
        )
    assert "of 6 documents" in gistmill("show", above).out
