"""Deletion over HTTP: what is counted, what goes, and the uploads that go with it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.chat import ChatBatch, ChatBatchStatus
from models.deletion import DeletionRequest
from models.files import FilePart, StoredFile
from models.job import Job
from models.publisher import OutboxPublisher
from models.queues import StepMessage
from models.tables import DeletionKind
from producer.chat.batches import create_chat_batch
from producer.chat.files import store_file
from producer.chat.intake import store_lines
from producer.chat.progress import advance_batch
from producer.deletion import delete_requested
from tests.conftest import Cluster, wait_until
from tests.hand_driven import Bell
from tests.integration.gistmill.http_client import open_server
from tests.traces import find_in_tables

TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday."


def test_a_batch_is_counted_and_deleted(cluster: Cluster) -> None:
    with open_server(cluster) as http:
        http.post("/api/batches", json={"name": "pile", "documents": [{"text": TEXT}]})
        assert http.post("/api/deletions/preview", json={"name": "pile"}).json()["jobs"] == 1
        assert http.post("/api/deletions", json={"name": "pile"}).json()["documents"] == 1
        assert http.get("/api/batches").json()["data"] == []
        assert http.post("/api/deletions", json={"name": "pile"}).status_code == 404
        assert http.post("/api/deletions", json={}).status_code == 422


def test_the_answer_to_a_request_that_may_be_repeated_goes_with_what_it_names(cluster: Cluster) -> None:
    files = [("files", (name, TEXT.encode())) for name in ("plain.md", "Zanzibar.pdf")]
    with open_server(cluster) as http:
        answer = http.post("/api/batches/files", files=files, headers={"Idempotency-Key": "nightly"}).json()
        assert "idempotency_keys" in find_in_tables(cluster.engine, "(Zanzibar)")
        http.post("/api/deletions", json={"name": answer["name"]})

    assert find_in_tables(cluster.engine, "(Zanzibar)") == {}


def test_a_file_that_another_batch_still_reads_stays(cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        file = store_file(session, BytesIO(b"{}"), filename="lines.jsonl")
        for _ in range(2):
            create_chat_batch(session, uuid4(), file, endpoint="/v1", window="24h", labels=None)
        first, second = session.scalars(select(ChatBatch.id)).all()

    assert delete_chat_batch(cluster, first) == 1
    assert delete_chat_batch(cluster, second) == 0


def test_a_file_outlives_a_job_of_its_batch_until_its_lines_are_jobs(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": TEXT}]}
    lines = [{"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body} for name in "ab"]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    with Session(cluster.engine) as session, session.begin():
        file = store_file(session, BytesIO(content), filename="lines.jsonl")
        batch_id = create_chat_batch(session, uuid4(), file, endpoint="/v1", window="24h", labels=None).id
    outbox_publisher = OutboxPublisher(cluster.engine, Bell())
    left: list[int] = []

    def store_and_delete(session: Session, *rest: Any) -> list[StepMessage]:
        with Session(cluster.engine) as other:
            for job in other.scalars(select(Job.id)).all():
                delete_requested(cluster.engine, DeletionRequest(DeletionKind.JOB, str(job)))
            left.append(count_files(cluster))
        return store_lines(session, *rest)

    monkeypatch.setattr("producer.chat.progress.BLOCK_LINES", 1)
    monkeypatch.setattr("producer.chat.progress.store_lines", store_and_delete)
    advance_batch(cluster.engine, outbox_publisher, batch_id)

    with Session(cluster.engine) as session:
        assert list(session.scalars(select(Job.source))) == ["b"]
        assert session.get_one(ChatBatch, batch_id).status == ChatBatchStatus.IN_PROGRESS
    assert (left, count_files(cluster)) == ([1, 1], 0)


def test_a_file_goes_with_a_batch_that_was_refused(cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        file = store_file(session, BytesIO(b"{}"), filename="lines.jsonl")
        batch = create_chat_batch(session, uuid4(), file, endpoint="/v1", window="24h", labels=None)
        batch.status = ChatBatchStatus.FAILED
        batch_id = batch.id

    assert delete_chat_batch(cluster, batch_id) == 0


def test_a_file_that_nobody_has_used_goes_by_its_age(cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        old, _ = (store_file(session, BytesIO(b"{}"), filename=f"{name}.jsonl") for name in ("old", "new"))
        old.created_at -= timedelta(days=100)
    delete_requested(
        cluster.engine,
        DeletionRequest(DeletionKind.AGE, (datetime.now().astimezone() - timedelta(days=90)).isoformat()),
    )

    with Session(cluster.engine) as session:
        assert list(session.scalars(select(StoredFile.filename))) == ["new.jsonl"]


def delete_chat_batch(cluster: Cluster, batch_id: UUID) -> int:
    """Delete a batch, and return how many files are left."""
    delete_requested(cluster.engine, DeletionRequest(DeletionKind.BATCH, str(batch_id)))
    return count_files(cluster)


def count_files(cluster: Cluster) -> int:
    with Session(cluster.engine) as session:
        return session.scalar(select(func.count()).select_from(StoredFile)) or 0


def test_with_chat_requests_goes_the_file_that_they_came_in(cluster: Cluster) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": TEXT}]}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    with open_server(cluster) as http:
        upload = {"file": ("a.jsonl", json.dumps(line).encode())}
        file = http.post("/v1/files", files=upload, data={"purpose": "batch"}).json()["id"]
        asked = {"input_file_id": file, "endpoint": line["url"], "completion_window": "24h"}
        batch = http.post("/v1/batches", json=asked).json()["id"]
        wait_until(lambda: http.get("/api/summaries").json()["data"], "the line is a job")
        name = http.get("/api/batches").json()["data"][0]["batch"]
        assert http.post("/api/deletions", json={"name": name}).json()["jobs"] == 1
        assert http.get(f"/v1/files/{file}").status_code == 404
        assert http.get(f"/v1/batches/{batch}").status_code == 404
    with Session(cluster.engine) as session:
        assert session.scalar(select(func.count()).select_from(FilePart)) == 0
