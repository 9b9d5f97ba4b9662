"""Webhooks: signed calls when a batch has ended, retried from their rows."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, text, update
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Verifier
from starlette.testclient import TestClient

import gistmill as gm
import producer.webhooks
from models.webhook import Webhook
from producer.errors import WebhookError
from producer.webhooks import WebhookPolicy, add_webhook, deliver_webhooks
from tests.conftest import Cluster, wait_until
from tests.integration.conftest import Gistmill
from tests.integration.gistmill.http_client import TOKEN, listen, open_server
from tests.roles import apply_roles

KEY = base64.b64encode(b"a key of more than sixteen bytes").decode()
SECRET = f"whsec_{KEY}"
POLICY = WebhookPolicy(b"key", allow_private=True)
TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday."


class Receiver(HTTPServer):
    """Takes calls and answers with the statuses that a test gives, then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.on_call: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ended"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((dict(self.headers), body))
        self.server.on_call()
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def http(cluster: Cluster) -> Iterator[TestClient]:
    with open_server(cluster, webhook_secret=SECRET, webhook_private=True) as client:
        yield client


def submit_and_end(http: TestClient, url: str, text: str = TEXT) -> str:
    """Submit a batch with a webhook, and end it."""
    answer = http.post("/api/batches", json={"name": "pile", "documents": [{"text": text}], "webhook": url})
    assert answer.status_code == 201, answer.text
    batch_id = str(answer.json()["id"])
    http.post(f"/api/batches/{batch_id}/cancel")
    return batch_id


def read_webhook(http: TestClient, batch_id: str) -> dict[str, Any]:
    [record] = http.get(f"/api/batches/{batch_id}/webhooks").json()
    return dict(record)


def test_the_end_of_a_batch_is_a_signed_call_without_its_texts(http: TestClient, receiver: Receiver) -> None:
    batch_id = submit_and_end(http, receiver.url)
    wait_until(lambda: read_webhook(http, batch_id)["state"] == "delivered", "the call is made")

    [(headers, body)] = receiver.calls
    event = Verifier(KEY).verify(body, {name.lower(): value for name, value in headers.items()})
    assert event["type"] == "batch.ended"
    assert (event["data"]["batch"], event["data"]["jobs"], event["data"]["cancelled"]) == ("pile", 1, 1)
    assert "river" not in body.decode()


def test_nothing_is_called_while_a_job_is_open(http: TestClient, cluster: Cluster, receiver: Receiver) -> None:
    body = {"documents": [{"text": TEXT}], "webhook": receiver.url}
    batch_id = http.post("/api/batches", json=body).json()["id"]

    deliver_webhooks(cluster.engine, WebhookPolicy(b"key", allow_private=True))

    assert read_webhook(http, batch_id)["attempts"] == 0


def test_a_call_that_fails_is_made_again_under_the_same_id(
    http: TestClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.webhooks, "PAUSES", (0, 0, 0, 0))
    receiver.statuses = [500, 302]
    batch_id = submit_and_end(http, receiver.url)
    wait_until(lambda: read_webhook(http, batch_id)["state"] == "delivered", "the call is made")

    assert len(receiver.calls) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1


def test_a_receiver_that_is_gone_is_not_called_again(http: TestClient, receiver: Receiver) -> None:
    receiver.statuses = [410]
    batch_id = submit_and_end(http, receiver.url)
    wait_until(lambda: read_webhook(http, batch_id)["state"] == "failed", "the webhook has failed")

    assert read_webhook(http, batch_id)["error"] == "the receiver answers with status 410"


def test_a_call_that_was_begun_by_a_server_that_died_is_made_by_another(cluster: Cluster, receiver: Receiver) -> None:
    with open_server(cluster, webhook_secret=SECRET, webhook_private=True) as http:
        answer = http.post("/api/batches", json={"documents": [{"text": TEXT}], "webhook": receiver.url})
        batch_id = answer.json()["id"]
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Webhook).values(attempts=1))
    with open_server(cluster, webhook_secret=SECRET, webhook_private=True) as http:
        http.post(f"/api/batches/{batch_id}/cancel")
        wait_until(lambda: read_webhook(http, batch_id)["state"] == "delivered", "the call is made")

        assert read_webhook(http, batch_id)["attempts"] == 2


def test_a_batch_that_gets_new_jobs_ends_once_more(http: TestClient, receiver: Receiver) -> None:
    batch_id = submit_and_end(http, receiver.url)
    wait_until(lambda: len(receiver.calls) == 1, "the first end is told")
    submit_and_end(http, receiver.url, text=f"{TEXT} It rained.")
    wait_until(lambda: len(receiver.calls) == 2, "the second end is told")

    assert json.loads(receiver.calls[1][1])["data"]["jobs"] == 2
    assert read_webhook(http, batch_id)["attempts"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x", "http://169.254.169.254/latest/meta-data", "http://[::1]/", "http://10.0.0.1/",
        "http://2130706433/", "http://localhost:5432/", "http://user:password@example.com/", "http://0.0.0.0/",
    ],
)  # fmt: skip
def test_a_webhook_into_a_private_network_is_refused(cluster: Cluster, url: str) -> None:
    with open_server(cluster, webhook_secret=SECRET) as http:
        answer = http.post("/api/batches", json={"documents": [{"text": TEXT}], "webhook": url})

        assert answer.status_code == 422
        assert "give a public address of http or https" in answer.json()["error"]["message"]
        assert http.get("/api/batches").json()["data"] == []


def test_an_address_that_is_private_when_it_is_called_is_not_called(cluster: Cluster, receiver: Receiver) -> None:
    with open_server(cluster, webhook_secret=SECRET, webhook_private=True) as http:
        answer = http.post("/api/batches", json={"documents": [{"text": TEXT}], "webhook": receiver.url})
        batch_id = answer.json()["id"]
    with open_server(cluster, webhook_secret=SECRET) as http:
        http.post(f"/api/batches/{batch_id}/cancel")
        wait_until(lambda: read_webhook(http, batch_id)["error"] is not None, "the call is tried")

        assert "an address of this machine or a private network" in read_webhook(http, batch_id)["error"]
    assert receiver.calls == []


def test_without_a_secret_no_webhook_is_taken(cluster: Cluster) -> None:
    with open_server(cluster) as http:
        answer = http.post("/api/batches", json={"documents": [{"text": TEXT}], "webhook": "https://example.com/"})

    assert answer.status_code == 422
    assert "set GISTMILL_WEBHOOK_SECRET" in answer.json()["error"]["message"]


def end_batches(cluster: Cluster) -> None:
    with Session(cluster.engine) as session, session.begin():
        session.execute(text("UPDATE jobs SET state = 'cancelled', pending = 0, finished_at = now()"))


@pytest.fixture
def may_call_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and clients of this process may name addresses of this machine."""
    monkeypatch.setenv("GISTMILL_WEBHOOK_PRIVATE", "true")
    monkeypatch.setenv("GISTMILL_WEBHOOK_SECRET", SECRET)


@pytest.mark.usefixtures("may_call_here")
def test_a_command_registers_a_webhook_and_says_what_became_of_it(
    gistmill: Gistmill, cluster: Cluster, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "river.md").write_text(TEXT)
    receiver.statuses = [500]

    done = gistmill("submit", "river.md", "--batch", "pile", "--webhook", receiver.url)
    assert (done.code, done.err) == (0, "")
    host = f"127.0.0.1:{receiver.server_port}"
    assert f"webhook  {host}: waits for the end; `gistmill serve` calls it" in gistmill("status", "pile").out
    end_batches(cluster)
    deliver_webhooks(cluster.engine, WebhookPolicy(b"key", allow_private=True))
    failed = (
        f"webhook  {host}: 1 call failed, the last because the receiver answers with status 500; it is called again"
    )
    assert failed in gistmill("show", "river.md").out
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(Webhook).values(available_at=text("now()")))
    deliver_webhooks(cluster.engine, WebhookPolicy(b"key", allow_private=True))

    assert f"webhook  {host}: called 2" in gistmill("status", "pile").out
    [record] = gistmill("status", "pile", "--json").json["webhooks"]
    assert (record["url"], record["state"], record["attempts"]) == (receiver.url, "delivered", 2)
    assert len(receiver.calls) == 2


def test_a_command_refuses_an_address_inside_and_warns_of_a_missing_secret(
    gistmill: Gistmill, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "river.md").write_text(TEXT)

    refused = gistmill("submit", "river.md", "--webhook", "http://169.254.169.254/latest")
    assert refused.code != 0
    assert "an address of this machine or a private network, which is refused" in refused.err
    assert gistmill("submit", "river.md", "--webhook", "not an address").code != 0
    with Session(cluster.engine) as session:
        assert session.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 0
    taken = gistmill("submit", "river.md", "--webhook", "https://192.88.100.1/ended")
    assert taken.code == 0
    assert "signs calls with GISTMILL_WEBHOOK_SECRET, which is not set here" in taken.err


@pytest.mark.usefixtures("may_call_here")
def test_python_registers_the_same_webhook_directly_and_over_http(cluster: Cluster, receiver: Receiver) -> None:
    document = gm.Document(TEXT)
    allowed = {"serve_token": TOKEN, "webhook_secret": SECRET, "webhook_private": True}
    with gm.connect(cluster.database_url, cluster.broker_url) as direct, listen(cluster, **allowed) as port:
        first = direct.submit(document, name="pile", webhook=receiver.url)
        with gm.connect(f"http://127.0.0.1:{port}", token=TOKEN) as remote:
            again = remote.submit(document, name="pile", webhook=receiver.url)

            assert (again.new, again.webhooks()) == (0, first.webhooks())
            assert [webhook.state for webhook in first.webhooks()] == ["waiting"]


@pytest.mark.usefixtures("may_call_here")
def test_a_role_that_may_not_read_webhooks_sees_the_rest(cluster: Cluster, receiver: Receiver) -> None:
    with gm.connect(cluster.database_url, cluster.broker_url) as client:
        client.submit(gm.Document(TEXT), name="pile", webhook=receiver.url)
    urls = apply_roles(cluster.database_url)

    for role, number in (("producer", 1), ("analyst", 0)):
        with gm.connect(urls[role], cluster.broker_url) as client:
            assert len(client.batch("pile").webhooks()) == number
            assert client.batch("pile").status().progress.jobs == 1


def test_a_slow_call_that_another_server_has_made_since_changes_nothing(
    http: TestClient, cluster: Cluster, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_after_another(*_: object) -> None:
        monkeypatch.undo()
        with Session(cluster.engine) as session, session.begin():
            session.execute(update(Webhook).values(available_at=func.now()))
        deliver_webhooks(cluster.engine, POLICY)
        raise WebhookError("the receiver was slow")

    monkeypatch.setattr("gistmill.http.app.deliver_webhooks", lambda *_, **__: None)
    batch_id = submit_and_end(http, receiver.url)
    monkeypatch.setattr(producer.webhooks, "call_address", fail_after_another)
    deliver_webhooks(cluster.engine, POLICY)

    record = read_webhook(http, batch_id)
    assert (record["state"], record["attempts"], record["error"]) == ("delivered", 2, None)


def test_no_further_receiver_is_called_while_the_server_stops(cluster: Cluster, receiver: Receiver) -> None:
    stopping = threading.Event()
    receiver.on_call = stopping.set
    with open_server(cluster) as http:
        for name in ("one", "two"):
            batch = http.post("/api/batches", json={"name": name, "documents": [{"text": TEXT}]}).json()["id"]
            http.post(f"/api/batches/{batch}/cancel")
            with Session(cluster.engine) as session, session.begin():
                add_webhook(session, UUID(batch), receiver.url, has_new_jobs=True)
    deliver_webhooks(cluster.engine, POLICY, stopping=stopping)

    assert len(receiver.calls) == 1
