"""The REST routes of the server, on this test's own cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from gistmill.http.cursors import encode_cursor
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.gistmill.http_client import open_server

WORDS = "The river rose by four metres in two days. The council closed both bridges on Friday. "
# A cursor whose position is no whole number.
ENDLESS = encode_cursor("2026-11-29T12:00:00Z", UUID(int=1), float("inf"), UUID(int=1))


@pytest.fixture
def http(cluster: Cluster) -> Iterator[TestClient]:
    with open_server(cluster) as client:
        yield client


def submit(http: TestClient, *names: str, batch: str = "pile", **fields: object) -> dict[str, object]:
    documents = [{"text": f"{WORDS} It is about {name}.", "name": name} for name in names]
    answer = http.post("/api/batches", json={"documents": documents, "name": batch, **fields})
    assert answer.status_code == 201, answer.text
    submitted: dict[str, object] = answer.json()
    return submitted


def test_the_same_texts_are_the_same_jobs(http: TestClient) -> None:
    first, second = submit(http, "a", "b"), submit(http, "a", "b")

    assert (first["new"], first["existing"]) == (2, 0)
    assert (second["new"], second["existing"]) == (0, 2)
    assert second["id"] == first["id"]


def test_files_are_read_as_on_the_command_line_and_keep_their_names(http: TestClient) -> None:
    files = [
        ("files", ("reports/flood.md", f"# Flood\n\n{WORDS}".encode())),
        ("files", ("rows.csv", f"id,text\n7,{WORDS}\n8,{WORDS} More.\n".encode())),
        ("files", ("broken.pdf", b"%PDF-1.7 nothing follows")),
    ]
    request = {"name": "pile", "options": {"id_column": "id"}}
    answer = http.post("/api/batches/files", files=files, data={"request": json.dumps(request)}).json()

    jobs = http.get(f"/api/batches/{answer['id']}/summaries").json()["data"]
    assert [job["job"]["source"] for job in jobs] == ["reports/flood.md", "7", "8"]
    assert [problem["name"] for problem in answer["problems"]] == ["broken.pdf"]


def test_a_submission_of_nothing_readable_says_what_is_wrong(http: TestClient) -> None:
    answer = http.post("/api/batches/files", files=[("files", ("a.pdf", b"%PDF-1.7"))])

    assert answer.status_code == 422
    assert "nothing was submitted: 1 source could not be read" in answer.json()["error"]["message"]
    assert http.get("/api/batches").json() == {"data": [], "next_cursor": None}


def test_pages_of_batches_and_summaries_hold_each_once(http: TestClient) -> None:
    for name in "abc":
        submit(http, *"uvw", batch=name)

    assert walk(http, "/api/batches?limit=2", "batch") == ["c", "b", "a"]
    sources = [item["job"]["source"] for item in walk(http, "/api/summaries?limit=4", None)]
    assert sources == [*"uvw"] * 3


def walk(http: TestClient, path: str, field: str | None) -> list[object]:
    """Return what all pages of a list hold."""
    found, cursor = [], None
    while True:
        page = http.get(path, params={} if cursor is None else {"cursor": cursor}).json()
        found += [item if field is None else item[field] for item in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_job_is_shown_with_its_provenance_and_its_summary_with_its_sentences(
    http: TestClient, driver: Driver
) -> None:
    batch = submit(http, "a")
    [row] = http.get(f"/api/batches/{batch['id']}/summaries").json()["data"]
    driver.run(row["job"]["job_id"], words="The river rose.")

    [row] = http.get(f"/api/batches/{batch['id']}/summaries?status=succeeded").json()["data"]
    shown = http.get(f"/api/jobs/{row['job']['job_id']}").json()

    assert row["job"]["summary"] == "The river rose."
    assert shown["job"] == row["job"]
    assert [step["kind"] for step in shown["steps"]] == ["plan", "map", "map", "map", "reduce"]
    assert http.get(f"/api/batches/{batch['id']}").json()["progress"]["succeeded"] == 1


def test_a_cancelled_batch_may_be_retried(http: TestClient) -> None:
    path = f"/api/batches/{submit(http, 'a', 'b')['id']}"

    assert http.post(f"{path}/cancel").json() == {"ended": 2, "ending": 0, "already": 0, "checks": 0}
    assert http.post(f"{path}/retry").json() == {"restarted": 2}
    job = http.get(f"{path}/summaries").json()["data"][0]["job"]["job_id"]
    assert http.post(f"/api/jobs/{job}/cancel").json()["ended"] == 1


def test_progress_is_followed_to_its_end(http: TestClient) -> None:
    path = f"/api/batches/{submit(http, 'a')['id']}"
    http.post(f"{path}/cancel")

    stream = http.get(f"{path}/events").text

    event, data = stream.strip().split("\n")
    assert event == "event: end"
    assert json.loads(data.removeprefix("data: "))["progress"]["cancelled"] == 1


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/batches/00000000-0000-0000-0000-000000000000", 404, "GET /api/batches and the first page list them"),
        ("/api/jobs/00000000-0000-0000-0000-000000000000", 404, "there is no job"),
        ("/api/batches/no-id", 422, "path.batch_id"),
        ("/api/batches?cursor=bogus", 422, "leave it out for the first page"),
        (f"/api/summaries?cursor={ENDLESS}", 422, "leave it out for the first page"),
        ("/api/find?name=a%00b", 404, "NUL"),
        ("/api/find?name=nothing", 404, "there is no batch or job 'nothing'"),
        ("/api/summaries?since=never", 422, "'never' is no moment"),
        ("/nowhere", 404, "/docs lists what there is"),
    ],
)
def test_every_error_has_one_form_and_says_what_to_do(http: TestClient, path: str, status: int, words: str) -> None:
    answer = http.get(path)

    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_the_documentation_lists_every_operation_and_loads_nothing_from_elsewhere(http: TestClient) -> None:
    page, document = http.get("/docs").text, http.get("/openapi.json").json()

    assert all(path in page for path in document["paths"])
    assert "https://" not in page
    assert "<script" not in page
