"""Deletion over HTTP: what is counted, what goes, and the uploads that go with it."""

from __future__ import annotations

import json

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.files import FilePart
from tests.conftest import Cluster, wait_until
from tests.integration.gistmill.http_client import open_server

TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday."


def test_a_batch_is_counted_and_deleted(cluster: Cluster) -> None:
    with open_server(cluster) as http:
        http.post("/api/batches", json={"name": "pile", "documents": [{"text": TEXT}]})
        assert http.post("/api/deletions/preview", json={"name": "pile"}).json()["jobs"] == 1
        assert http.post("/api/deletions", json={"name": "pile"}).json()["documents"] == 1
        assert http.get("/api/batches").json()["data"] == []
        assert http.post("/api/deletions", json={"name": "pile"}).status_code == 404
        assert http.post("/api/deletions", json={}).status_code == 422


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
