"""Requests that are repeated under a key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from gistmill.client import Client
from models.chat import ChatBatch
from models.webhook import IdempotencyKey
from producer.errors import SubmissionError
from tests.conftest import Cluster
from tests.integration.gistmill.http_client import open_server

BODY = {"name": "pile", "documents": [{"text": "The river rose by four metres in two days. It fell on Friday."}]}
KEY = {"Idempotency-Key": "nightly-2026-11-29"}


@pytest.fixture
def http(cluster: Cluster) -> Iterator[TestClient]:
    with open_server(cluster) as client:
        yield client


def test_a_repetition_has_the_first_answer(http: TestClient) -> None:
    first, second = (http.post("/api/batches", json=BODY, headers=KEY) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["new"] == 1
    assert second.json() == first.json()


def test_uploads_are_the_same_by_their_names_and_contents(http: TestClient) -> None:
    def upload(content: bytes) -> int:
        return http.post("/api/batches/files", files=[("files", ("a.md", content))], headers=KEY).status_code

    assert upload(b"# A\n\nSome words.") == 201
    assert upload(b"# A\n\nSome words.") == 201
    assert upload(b"# A\n\nOther words.") == 422


def test_a_key_belongs_to_one_request(http: TestClient) -> None:
    http.post("/api/batches", json=BODY, headers=KEY)
    answer = http.post("/api/batches", json={**BODY, "name": "other"}, headers=KEY)

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "key_in_use"


def test_a_request_that_failed_leaves_its_key_free(http: TestClient) -> None:
    assert http.post("/api/batches", json={"documents": []}, headers=KEY).status_code == 422
    assert http.post("/api/batches", json=BODY, headers=KEY).status_code == 201


def test_a_repetition_waits_for_the_first_and_takes_over_from_one_that_was_lost(
    http: TestClient, cluster: Cluster
) -> None:
    http.post("/api/batches", json=BODY, headers=KEY)
    forget_answer(cluster)
    answer = http.post("/api/batches", json=BODY, headers=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "5")

    forget_answer(cluster, age=timedelta(minutes=2))
    answer = http.post("/api/batches", json=BODY, headers=KEY)
    assert (answer.status_code, answer.json()["existing"]) == (201, 1)


def forget_answer(cluster: Cluster, age: timedelta = timedelta()) -> None:
    """Leave the key as a server does that dies during the request."""
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(IdempotencyKey).values(answer=None, created_at=func.now() - age))


def test_a_batch_of_requests_is_created_once(http: TestClient, cluster: Cluster) -> None:
    file = http.post("/v1/files", files={"file": ("a.jsonl", b"{}")}, data={"purpose": "batch"}).json()["id"]
    body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    first = http.post("/v1/batches", json=body, headers=KEY).json()["id"]
    forget_answer(cluster, age=timedelta(minutes=2))

    assert http.post("/v1/batches", json=body, headers=KEY).json()["id"] == first
    with Session(cluster.engine) as session:
        assert session.scalar(select(func.count()).select_from(ChatBatch)) == 1


def test_a_request_that_was_taken_over_leaves_the_key_to_the_repetition(
    http: TestClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_after_a_repetition(*_: object, **__: object) -> None:
        monkeypatch.undo()
        forget_answer(cluster, age=timedelta(minutes=2))
        assert http.post("/api/batches", json=BODY, headers=KEY).json()["new"] == 1
        # As if the repetition were still under way.
        forget_answer(cluster)
        raise SubmissionError("the disk of this server broke")

    monkeypatch.setattr(Client, "submit", fail_after_a_repetition)
    assert http.post("/api/batches", json=BODY, headers=KEY).status_code == 422

    assert http.post("/api/batches", json=BODY, headers=KEY).status_code == 409
