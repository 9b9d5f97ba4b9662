from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlalchemy.orm import Session

from models.views import JobSummary
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.integration.producer.evidence import add_evidence
from tests.sentences import SENTENCES, SUMMARY

MAIL = b"""Subject: News
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

The council closed both bridges on Monday.
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename=plan.bin

x
--b--
"""


@pytest.fixture
def ended(driver: Driver, submitted: list[JobSummary]) -> list[JobSummary]:
    """a.md succeeded by map-reduce, b.md by refine, c.md failed, d.md waits."""
    driver.run(submitted[0].job_id, words="=1+1")
    driver.run(submitted[1].job_id, strategy="refine")
    driver.fail(submitted[2].job_id, "plan")
    return submitted


@pytest.mark.parametrize(
    ("filters", "sources"),
    [
        ([], ["a.md", "b.md", "c.md", "d.md"]),
        (["--status", "failed", "--status", "queued"], ["c.md", "d.md"]),
        (["--strategy", "refine"], ["b.md"]),
        (["--weights", "other"], []),
        (["--since", "1h", "--limit", "2"], ["a.md", "b.md"]),
        (["--since", "2199-01-01"], []),
    ],
)
def test_jobs_are_chosen_by_filters(
    filters: list[str], sources: list[str], gistmill: Gistmill, ended: list[JobSummary]
) -> None:
    assert [job["source"] for job in gistmill("results", "pile", *filters, "--json").json] == sources


def test_results_show_the_beginning_of_a_summary_or_the_reason(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    lines = gistmill("results").out.splitlines()

    assert lines[1].split()[1:4] == ["a.md", "succeeded", "map-reduce"]
    assert lines[1].endswith("=1+1")
    assert lines[3].endswith("it broke")


def test_sentences_are_counted_and_flagged_ones_can_be_chosen(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id, words=SUMMARY, sentences=SENTENCES[:2])
    driver.run(submitted[1].job_id, words=SUMMARY, sentences=SENTENCES)

    header, first, second, *_ = gistmill("results", "pile").out.splitlines()

    numbers = header.index("verified"), header.index("review")
    assert first[slice(*numbers)].split() == ["1", "1", "0"]
    assert second[slice(*numbers)].split() == ["1", "1", "1"]
    assert [job["source"] for job in gistmill("results", "pile", "--flagged", "--json").json] == ["b.md"]
    assert gistmill("export", "pile", "--flagged", "-o", "flagged.csv").err == "1 job in flagged.csv\n"


def test_an_export_has_the_sentences_with_the_passages_that_they_cite(
    gistmill: Gistmill, driver: Driver, submitted: list[JobSummary]
) -> None:
    driver.run(submitted[0].job_id, words=SUMMARY, sentences=SENTENCES)
    for name in ("out.jsonl", "out.parquet", "out.md"):
        gistmill("export", "pile", "-o", name)

    cited, bare, *_ = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert [sentence["text"] for sentence in cited["sentences"][:2]] == ["It says much.", "Document a says something."]
    passage = {"start": 11, "end": 37, "text": "Document a says something.", "headings": ["Part 0"], "page": None}
    assert cited["sentences"][1]["citations"] == [passage]
    assert bare["sentences"] == []
    assert parquet.read_table("out.parquet").column("sentences").to_pylist()[0][1]["citations"] == [passage]
    assert "- [2] quoted\n  - “Document a says something.” (Part 0)\n" in Path("out.md").read_text()


def test_no_match_is_said(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    assert gistmill("results", "--weights", "other").out == "no job matches\n"


def test_jobs_of_several_batches_are_listed_with_their_batches(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    assert gistmill("results").out.split()[:2] == ["job", "source"]
    gistmill("submit", "a.md", "--batch", "second")

    heading, first, *others = gistmill("results").out.splitlines()
    assert heading.split()[:3] == ["batch", "job", "source"]
    assert first.startswith("second ")
    assert [line.split()[0] for line in others[:4]] == ["pile"] * 4
    assert gistmill("results", "pile").out.split()[:2] == ["job", "source"]


def test_a_job_alone_can_be_named(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    assert len(gistmill("results", str(ended[0].job_id), "--json").json) == 1


def test_formulas_in_csv_are_defused(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    gistmill("export", "pile", "--output", "out.csv")

    with Path("out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["summary"] for row in rows] == ["'=1+1", "a summary", "", ""]


def test_the_suffix_chooses_the_format(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    for name in ("out.jsonl", "out.parquet", "out.md"):
        assert gistmill("export", "pile", "--status", "succeeded", "-o", name).err == f"2 jobs in {name}\n"

    assert [json.loads(line)["summary"] for line in Path("out.jsonl").read_text().splitlines()] == ["=1+1", "a summary"]
    assert parquet.read_table("out.parquet").column("source").to_pylist() == ["a.md", "b.md"]
    assert Path("out.md").read_text().startswith("# a.md\n")


def test_a_file_appears_only_when_it_is_whole(gistmill: Gistmill, ended: list[JobSummary]) -> None:
    assert gistmill("export", "no such batch", "-o", "out.csv").code == 2
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["a.md", "b.md", "c.md", "d.md"]


@pytest.mark.parametrize(
    ("output", "message"), [("out.xls", "no known suffix"), ("no/such/folder/out.csv", "check its folder")]
)
def test_an_output_that_cannot_be_is_wrong_usage(output: str, message: str, gistmill: Gistmill) -> None:
    done = gistmill("export", "-o", output)

    assert done.code == 2
    assert message in done.err


@pytest.fixture
def tabled(gistmill: Gistmill) -> None:
    """Two rows of a table with an author and a state of their own, and a page with something that is left out."""
    rows = ["id,author,state,text", "one,=Ann,Ohio,First text of some words.", "two,Bo,Utah,Second text of some words."]
    Path("rows.csv").write_text("\n".join(rows))
    assert gistmill("submit", "rows.csv", "--id-column", "id", "--batch", "tabled").code == 0


def test_columns_of_the_table_go_into_an_export_in_the_order_that_is_asked_for(
    gistmill: Gistmill, tabled: None
) -> None:
    chosen = "author,source,details.state,state"
    for name in ("out.csv", "out.jsonl", "out.parquet", "out.md"):
        assert gistmill("export", "tabled", "--columns", chosen, "-o", name).code == 0

    lines = Path("out.csv").read_text().splitlines()
    assert lines == [chosen, "'=Ann,one,Ohio,queued", "Bo,two,Utah,queued"]
    first = {"author": "=Ann", "source": "one", "details.state": "Ohio", "state": "queued"}
    assert json.loads(Path("out.jsonl").read_text().splitlines()[0]) == first
    assert list(json.loads(Path("out.jsonl").read_text().splitlines()[0])) == chosen.split(",")
    assert parquet.read_table("out.parquet").to_pylist()[0] == first
    assert "- author: =Ann\n- details.state: Ohio\n- state: queued\n" in Path("out.md").read_text()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("source,autor", "there is no column 'autor'; such as there are: author"),
        ("source,,author", "has a name that is blank"),
        ("source,source", "names 'source' twice"),
    ],
)
def test_a_column_that_nothing_has_is_wrong_usage(columns: str, message: str, gistmill: Gistmill, tabled: None) -> None:
    done = gistmill("export", "tabled", "--columns", columns, "-o", "out.csv")

    assert (done.code, message in done.err) == (2, True)
    assert not Path("out.csv").exists()


def test_jsonl_has_all_columns_of_the_table_and_what_was_not_read(gistmill: Gistmill, tabled: None) -> None:
    Path("mail.eml").write_bytes(MAIL)
    gistmill("submit", "mail.eml", "--batch", "mail")

    row = json.loads(gistmill("export", "tabled", "--format", "jsonl", "--limit", "1").out)
    mail = json.loads(gistmill("export", "mail", "--format", "jsonl").out)

    assert row["details"] == {"file": "rows.csv", "row": "1", "author": "=Ann", "state": "Ohio"}
    assert row["notes"] is None
    assert "plan.bin" in mail["notes"]


def test_summaries_whose_check_marked_a_sentence_can_be_chosen(
    gistmill: Gistmill, cluster: Cluster, ended: list[JobSummary]
) -> None:
    with Session(cluster.engine) as session, session.begin():
        add_evidence(session, ended[1].job_id)

    assert [job["source"] for job in gistmill("results", "pile", "--marked", "--json").json] == ["b.md"]
    assert gistmill("export", "pile", "--marked", "-o", "marked.csv").err == "1 job in marked.csv\n"
