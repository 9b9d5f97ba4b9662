"""The client over HTTP, against answers that a test makes."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

import gistmill
from gistmill.client import Client
from gistmill.remote import HttpCluster

WORDS = "The river rose by four metres in two days. "


class Answers:
    """Records the bodies of requests, and answers each submission with a record."""

    def __init__(self, **record: Any) -> None:
        self.bodies: list[Any] = []
        self._record = record

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        documents = len(self.bodies[-1]["documents"])
        record = {"name": "pile", "id": str(uuid4()), "new": documents, "existing": 0, "unsent": 0}
        return httpx.Response(201, json={**record, **self._record})


def make_client(answer: Any) -> Client:
    client = httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer))
    return Client(HttpCluster(client, warn=lambda _: None))


def test_large_documents_are_sent_in_several_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.submit.BLOCK_CHARACTERS", 250)
    answers = Answers()
    sizes = (2, 2, 2, 9, 1)
    documents = [gistmill.Document(WORDS * size + f"End {place}.") for place, size in enumerate(sizes)]
    batch = make_client(answers).submit(documents, name="pile")

    assert [len(body["documents"]) for body in answers.bodies] == [2, 1, 1, 1]
    assert batch.new == 5


def test_a_document_that_the_server_refuses_is_a_problem_of_the_batch() -> None:
    problem = {"name": "a", "message": "a is longer than the server allows."}
    batch = make_client(Answers(new=0, existing=1, problems=[problem])).submit(gistmill.Document(WORDS), name="pile")

    assert [found.message for found in batch.problems] == ["a is longer than the server allows."]


def test_what_is_not_there_any_more_is_an_unknown_id_whatever_the_server_calls_it() -> None:
    error = {"message": "there is no batch", "type": "not_found_error", "param": None, "code": None}
    client = make_client(lambda _: httpx.Response(404, json={"error": error}))

    with pytest.raises(gistmill.UnknownIdError, match="there is no batch"):
        client.cluster.take_snapshot(uuid4())


def test_a_password_in_an_address_is_no_part_of_messages() -> None:
    with gistmill.connect("http://me:secret-word@127.0.0.1:1") as client:
        with pytest.raises(gistmill.UnreachableError, match=r"http://127\.0\.0\.1:1 ") as refused:
            client.batches()

        assert "secret-word" not in f"{refused.value} {client!r}"
