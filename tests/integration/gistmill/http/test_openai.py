"""OpenAI's client, unmodified, on the server in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from openai.types import Batch

from tests.conftest import Cluster, wait_until
from tests.fake_worker import Behaviour, WorkerProcess, describe_command
from tests.integration.gistmill.http_client import TOKEN
from tests.processes import run_server
from workers.local.home import free_ports

LINES = 50


@contextmanager
def run_http_server(cluster: Cluster, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    settings = {"database_url": cluster.database_url, "broker_url": cluster.broker_url, "serve_token": TOKEN}
    command = describe_command("-m", "gistmill", "serve", "--port", str(port), **settings)
    with run_server(command, folder / "serve.log") as process:
        yield process


def make_line(number: int, **options: object) -> str:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Say the number {number}."}]
    body = {"model": "default", "messages": messages, "max_tokens": 40, **options}
    return json.dumps({"custom_id": f"n{number}", "method": "POST", "url": "/v1/chat/completions", "body": body})


@pytest.fixture
def worker(cluster: Cluster, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker that a test kills and starts again; it holds its answers while the file ``hold`` is there."""
    settings = {
        "database_url": cluster.database_url,
        "broker_url": cluster.broker_url,
        "metrics_port": 0,
        "slots": 4,
        "rescue_seconds": 0.3,
        "redispatch_seconds": 1,
        "restart_grace_seconds": 0,
    }
    process = WorkerProcess(settings, Behaviour(tmp_path, "w1", (0.0, 0.02)))
    process.start()
    yield process
    process.end()


def test_fifty_requests_survive_the_death_of_worker_and_server(
    cluster: Cluster, tmp_path: Path, worker: WorkerProcess
) -> None:
    [port] = free_ports(1)
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=10)
    (tmp_path / "lines.jsonl").write_text("\n".join(make_line(number) for number in range(LINES)))
    hold = tmp_path / "hold"
    hold.touch()
    with run_http_server(cluster, tmp_path, port) as server:
        file = client.files.create(file=tmp_path / "lines.jsonl", purpose="batch")
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"of": "test"}
        )
        wait_until(lambda: any(tmp_path.glob("held-*")), "the worker answers the first requests")
        worker.signal(signal.SIGKILL)
        server.kill()
    for mark in tmp_path.glob("held-*"):
        mark.unlink()
    hold.unlink()
    worker.wait()
    worker.start()
    with run_http_server(cluster, tmp_path, port):
        done = wait_for_end(client, batch.id)

        assert done.status == "completed"
        assert done.request_counts is not None
        assert done.request_counts.to_dict() == {"total": LINES, "completed": LINES, "failed": 0}
        assert done.metadata == {"of": "test"}
        assert done.output_file_id is not None
        answers = [json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()]
    assert [answer["custom_id"] for answer in answers] == [f"n{number}" for number in range(LINES)]
    body = answers[7]["response"]["body"]
    assert body["choices"][0]["message"]["content"]
    assert body["usage"]["completion_tokens"] > 0


def wait_for_end(client: openai.OpenAI, batch_id: str) -> Batch:
    final = ("completed", "failed", "expired", "cancelled")
    wait_until(lambda: client.batches.retrieve(batch_id).status in final, "the batch ends")
    return client.batches.retrieve(batch_id)
