"""Batches of chat requests: what is refused, and what becomes of a request that cannot be answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from models.chat import ChatBatch
from models.files import FilePart
from models.publisher import OutboxPublisher
from models.queues import StepMessage
from models.step import Step, StepState
from producer.chat.intake import store_lines
from producer.chat.output import write_lines
from producer.chat.progress import advance_batches, list_open
from tests.conftest import Cluster, wait_until
from tests.fake_engine import FakeGenerator
from tests.hand_driven import Bell, HandDrivenWorker
from tests.integration.gistmill.http_client import open_server
from workers.errors import PermanentError
from workers.generation import GenerationParams, Prompt

FINAL = ("completed", "failed", "expired", "cancelled")


@pytest.fixture
def http(cluster: Cluster) -> Iterator[TestClient]:
    with open_server(cluster) as client:
        yield client


def make_line(custom_id: str, **options: object) -> dict[str, Any]:
    body = {"model": "default", "messages": [{"role": "user", "content": f"Say {custom_id}."}], **options}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def upload(http: TestClient, lines: Sequence[object]) -> str:
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    answer = http.post("/v1/files", files={"file": ("lines.jsonl", content)}, data={"purpose": "batch"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def create(http: TestClient, lines: Sequence[object], window: str = "24h") -> str:
    body = {"input_file_id": upload(http, lines), "endpoint": "/v1/chat/completions", "completion_window": window}
    answer = http.post("/v1/batches", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def wait_for(http: TestClient, batch_id: str, *statuses: str) -> dict[str, Any]:
    """Wait until a batch has one of these statuses, and return it."""
    wait_until(lambda: http.get(f"/v1/batches/{batch_id}").json()["status"] in statuses, f"it is {statuses}")
    found: dict[str, Any] = http.get(f"/v1/batches/{batch_id}").json()
    return found


def wait_for_lines(http: TestClient, cluster: Cluster, batch_id: str) -> None:
    """Wait until all lines are jobs."""

    def are_stored() -> bool:
        with Session(cluster.engine) as session:
            batch = session.get_one(ChatBatch, UUID(batch_id.removeprefix("batch_")))
            return batch.lines is not None and batch.stored == batch.lines

    wait_until(are_stored, "every line is a job")


def run_steps(cluster: Cluster, generator: FakeGenerator) -> None:
    """Run the ready steps as a worker does."""
    worker = HandDrivenWorker(cluster.engine, generator)
    with Session(cluster.engine) as session:
        ready = session.scalars(select(Step.id).where(Step.state == StepState.READY)).all()
    for step in ready:
        worker.run_step(step)


def read_answers(http: TestClient, file_id: str) -> dict[str, Any]:
    lines = http.get(f"/v1/files/{file_id}/content").text.splitlines()
    return {line["custom_id"]: line for line in map(json.loads, lines)}


def test_a_request_that_is_not_supported_fails_alone(http: TestClient, cluster: Cluster) -> None:
    lines = [
        make_line("good", temperature=0, stop=["END"], n=1, tools=[], user="me"),
        make_line("tools", tools=[{"type": "function"}]),
        make_line("many", n=2),
        make_line("nobody", model="gpt-4o"),
        make_line("hot", temperature=3),
        make_line("picture", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
        make_line("unpaired", messages=[{"role": "user", "content": "\ud800"}]),
    ]
    batch_id = create(http, lines)
    wait_for_lines(http, cluster, batch_id)
    run_steps(cluster, FakeGenerator(lambda *_: "It is good."))

    batch = wait_for(http, batch_id, *FINAL)

    assert batch["status"] == "completed"
    assert batch["request_counts"] == {"total": 7, "completed": 1, "failed": 6}
    good = read_answers(http, batch["output_file_id"])["good"]
    assert good["response"]["body"]["choices"][0]["message"]["content"] == "It is good."
    errors = read_answers(http, batch["error_file_id"])
    assert {name: line["response"]["status_code"] for name, line in errors.items()} == dict.fromkeys(errors, 400)
    messages = {name: line["response"]["body"]["error"]["message"] for name, line in errors.items()}
    assert messages["tools"] == "tools is not supported here; leave it out"
    assert messages["nobody"] == "there is no model 'gpt-4o'; give one of default"
    assert "less than or equal to 2" in messages["hot"]
    assert http.get(f"/v1/files/{batch['error_file_id']}").json()["purpose"] == "batch_output"


FERRY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "saved": {"type": "integer"}},
    "required": ["name", "saved"],
    "additionalProperties": False,
}


def make_format(schema: object, **more: object) -> dict[str, Any]:
    named = {"name": "ferry", "schema": schema, "strict": True, **more}
    return {"type": "json_schema", "json_schema": named}


def test_answers_are_kept_to_the_response_format_of_their_request(http: TestClient, cluster: Cluster) -> None:
    lines = [
        make_line("schema", response_format=make_format(FERRY)),
        make_line(
            "object", response_format={"type": "json_object"}, messages=[{"role": "user", "content": "As JSON."}]
        ),
        make_line("text", response_format={"type": "text"}),
    ]
    batch_id = create(http, lines)
    wait_for_lines(http, cluster, batch_id)
    generator = FakeGenerator(
        lambda prompt, _: "Prose." if prompt.schema is None else '{"name": "Aurora", "saved": 40}'
    )

    run_steps(cluster, generator)
    answers = read_answers(http, wait_for(http, batch_id, *FINAL)["output_file_id"])

    contents = {name: line["response"]["body"]["choices"][0]["message"]["content"] for name, line in answers.items()}
    assert json.loads(contents["schema"]) == json.loads(contents["object"]) == {"name": "Aurora", "saved": 40}
    assert contents["text"] == "Prose."
    given = [json.loads(prompt.schema) for prompt in generator.prompts if prompt.schema is not None]
    assert [schema.get("required") for schema in given] == [["name", "saved"], None]
    # As structured summaries are, so that exports have their fields as columns.
    jobs = http.get(f"/api/batches/{UUID(batch_id.removeprefix('batch_'))}/summaries").json()["data"]
    assert [job["job"]["data"] for job in jobs] == [{"name": "Aurora", "saved": 40}] * 2 + [None]


def test_an_answer_that_is_not_valid_is_asked_for_again_and_then_fails(http: TestClient, cluster: Cluster) -> None:
    batch_id = create(http, [make_line("a", response_format=make_format(FERRY))])
    wait_for_lines(http, cluster, batch_id)
    generator = FakeGenerator(lambda *_: '{"name": 1}')

    with pytest.raises(PermanentError):
        run_steps(cluster, generator)
    batch = wait_for(http, batch_id, *FINAL)

    assert len(generator.prompts) == 3
    response = read_answers(http, batch["error_file_id"])["a"]["response"]
    assert response["status_code"] == 500
    assert "3 tries gave no valid JSON" in response["body"]["error"]["message"]


def test_a_response_format_that_cannot_be_kept_to_is_the_error_of_its_line(http: TestClient, cluster: Cluster) -> None:
    node = {"type": "object", "properties": {"inner": {"$ref": "#"}}}
    refused = {
        "keyword": (
            {"response_format": make_format({**FERRY, "minProperties": 1})},
            "has keyword minProperties at its",
        ),
        "recursive": ({"response_format": make_format(node)}, "is nested too deeply"),
        "list": ({"response_format": make_format({"type": "array", "items": {"type": "null"}})}, "describes no object"),
        "unnamed": (
            {"response_format": make_format(FERRY, name="a b")},
            "response_format.json_schema.json_schema.name",
        ),
        "missing": ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.json_schema: Field req"),
        "unknown": ({"response_format": {"type": "grammar"}}, "response_format: Input tag 'grammar'"),
        "word": ({"response_format": {"type": "json_object"}}, "json_object needs the word JSON in the messages"),
        "stop": ({"response_format": make_format(FERRY), "stop": "}"}, "stop could cut the JSON"),
        "short": ({"response_format": make_format(FERRY), "max_tokens": 5}, "5 tokens may be too few for the required"),
    }
    batch_id = create(http, [make_line(name, **options) for name, (options, _) in refused.items()])

    errors = read_answers(http, wait_for(http, batch_id, *FINAL)["error_file_id"])

    assert {line["response"]["status_code"] for line in errors.values()} == {400}
    messages = {name: line["response"]["body"]["error"]["message"] for name, line in errors.items()}
    assert {name: words for name, (_, words) in refused.items() if words not in messages[name]} == {}, messages


def test_the_engine_gets_the_messages_and_the_parameters_of_the_request(http: TestClient, cluster: Cluster) -> None:
    asked: list[tuple[Prompt, GenerationParams]] = []
    messages = [
        {"role": "developer", "content": "Answer in one word."},
        {"role": "user", "content": [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello <bos>."}]},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Again."},
    ]
    options = {"temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 7, "seed": 3, "stop": "END"}
    batch_id = create(http, [make_line("a", messages=messages, **options)])
    wait_for_lines(http, cluster, batch_id)

    def reply(prompt: Prompt, params: GenerationParams) -> str:
        asked.append((prompt, params))
        return "one two three four five six seven eight"

    run_steps(cluster, FakeGenerator(reply))
    batch = wait_for(http, batch_id, *FINAL)

    [(prompt, params)] = asked
    assert [(turn.role, turn.text) for turn in prompt.turns] == [
        ("system", "Answer in one word."),
        ("user", "Say hello <bos>."),
        ("assistant", "Hello."),
        ("user", "Again."),
    ]
    assert all(part.is_untrusted for turn in prompt.turns for part in turn.parts)
    assert prompt.stop == ("END",)
    assert (params.temperature, params.top_p, params.top_k, params.max_new_tokens, params.seed) == (0.5, 0.9, 0, 7, 3)
    [answer] = read_answers(http, batch["output_file_id"]).values()
    assert answer["response"]["body"]["choices"][0]["finish_reason"] == "length"


def test_a_request_that_the_engine_refuses_is_an_error_of_its_line(http: TestClient, cluster: Cluster) -> None:
    lines = [make_line("long", messages=[{"role": "user", "content": "word " * 300}])]
    lines.append(make_line("last", messages=[{"role": "user", "content": "Hi"}, {"role": "system", "content": "No."}]))
    batch_id = create(http, lines)
    wait_for_lines(http, cluster, batch_id)
    for _ in lines:
        run_steps_that_fail(cluster)

    errors = read_answers(http, wait_for(http, batch_id, *FINAL)["error_file_id"])

    messages = {name: line["response"]["body"]["error"]["message"] for name, line in errors.items()}
    assert messages["long"] == "messages have 304 tokens and the context has 100; shorten them"
    assert messages["last"].startswith("messages: a prompt needs at least one turn")


def run_steps_that_fail(cluster: Cluster) -> None:
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(context_tokens=100))
    with Session(cluster.engine) as session:
        ready = session.scalars(select(Step.id).where(Step.state == StepState.READY).limit(1)).all()
    for step in ready:
        with pytest.raises(Exception, match="messages"):
            worker.run_step(step)


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (["{not json"], "invalid_json_line", "line 1 is not JSON"),
        ([make_line("a"), make_line("a")], "duplicate_custom_id", "'a' stands twice"),
        ([{**make_line("a"), "url": "/v1/embeddings"}], "invalid_request", "url must be /v1/chat/completions"),
        ([{**make_line("a"), "custom_id": 7}], "invalid_request", "custom_id must be a text"),
        (["\n\n "], "empty_file", "the file has no lines"),
    ],
)
def test_a_file_that_is_no_batch_is_refused_with_the_line(
    http: TestClient, lines: Sequence[object], code: str, words: str
) -> None:
    batch = wait_for(http, create(http, lines), *FINAL)

    assert batch["status"] == "failed"
    assert batch["errors"]["data"][0]["code"] == code
    assert words in batch["errors"]["data"][0]["message"]


def test_a_cancelled_batch_keeps_its_answers_and_says_which_requests_have_none(
    http: TestClient, cluster: Cluster
) -> None:
    batch_id = create(http, [make_line("a"), make_line("b")])
    wait_for_lines(http, cluster, batch_id)
    worker = HandDrivenWorker(cluster.engine, FakeGenerator(lambda *_: "Yes."))
    with Session(cluster.engine) as session:
        first = session.scalars(select(Step.id).order_by(Step.created_at).limit(1)).one()
    worker.run_step(first)

    assert http.post(f"/v1/batches/{batch_id}/cancel").json()["status"] == "cancelling"
    batch = wait_for(http, batch_id, *FINAL)

    assert batch["status"] == "cancelled"
    assert batch["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    [error] = read_answers(http, batch["error_file_id"]).values()
    assert error["error"]["code"] == "batch_cancelled"
    assert http.post(f"/v1/batches/{batch_id}/cancel").status_code == 409


def test_a_batch_whose_window_is_over_has_expired(http: TestClient, cluster: Cluster) -> None:
    batch_id = create(http, [make_line("a")])
    wait_for_lines(http, cluster, batch_id)
    with Session(cluster.engine) as session, session.begin():
        session.execute(update(ChatBatch).values(expires_at=ChatBatch.created_at))

    assert wait_for(http, batch_id, *FINAL)["status"] == "expired"


def test_two_servers_at_once_store_every_line_once(http: TestClient, cluster: Cluster) -> None:
    lines = [make_line(f"n{number}") for number in range(450)]
    batch_id = create(http, lines)
    bell = Bell()
    for _ in range(3):
        advance_batches(cluster.engine, OutboxPublisher(cluster.engine, bell))
    wait_for_lines(http, cluster, batch_id)

    with Session(cluster.engine) as session:
        assert len(session.scalars(select(Step.id)).all()) == len(lines)


def test_a_file_is_listed_read_and_deleted(http: TestClient) -> None:
    first, second = upload(http, ["{}"]), upload(http, ["[]", "[]"])

    page = http.get("/v1/files?limit=1").json()
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([second], True)
    assert [file["id"] for file in http.get(f"/v1/files?after={second}").json()["data"]] == [first]
    assert http.get(f"/v1/files/{second}/content").text == "[]\n[]"
    assert http.delete(f"/v1/files/{second}").json() == {"id": second, "object": "file", "deleted": True}
    assert http.get(f"/v1/files/{second}").status_code == 404
    assert http.get("/v1/files/etc").status_code == 404


def test_a_file_of_another_purpose_and_an_empty_one_are_refused(http: TestClient) -> None:
    file = {"file": ("a.jsonl", b"{}")}
    assert http.post("/v1/files", files=file, data={"purpose": "assistants"}).status_code == 422
    empty = http.post("/v1/files", files={"file": ("a.jsonl", b"")}, data={"purpose": "batch"})
    assert empty.json()["error"]["message"] == "the file is empty; give one request as JSON on each line"


def test_the_models_are_the_names_of_weights(http: TestClient) -> None:
    assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["default"]


def test_a_field_that_cannot_be_stored_is_the_error_of_its_request_alone(http: TestClient, cluster: Cluster) -> None:
    odd_part = {"type": "text", "text": "Say it.", "\0\ud800": 1}
    lines = [
        make_line("field", **{"\0": 1}),
        make_line("part", messages=[{"role": "user", "content": [odd_part]}]),
        make_line("model", model="\0\ud800"),
    ]
    batch = wait_for(http, create(http, lines), *FINAL)

    assert batch["request_counts"] == {"total": 3, "completed": 0, "failed": 3}
    assert "is not supported here" in json.dumps(read_answers(http, batch["error_file_id"])["field"])


def test_the_fault_of_one_batch_stops_no_other(http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_for_the_first(session: Session, batch_id: UUID, *rest: Any) -> list[StepMessage]:
        if f"batch_{batch_id.hex}" == first:
            raise ValueError("a fault")
        return store_lines(session, batch_id, *rest)

    # Held until both are there.
    with monkeypatch.context() as patches:
        patches.setattr("producer.chat.progress.list_open", lambda _: [])
        first, second = create(http, [make_line("a", n=2)]), create(http, [make_line("b", n=2)])
        patches.setattr("producer.chat.progress.store_lines", fail_for_the_first)
        patches.setattr("producer.chat.progress.list_open", list_open)
        wait_for(http, second, *FINAL)

        assert http.get(f"/v1/batches/{first}").json()["status"] == "in_progress"
    wait_for(http, first, *FINAL)


def test_a_batch_whose_file_is_deleted_before_it_is_read_to_its_end_is_cancelled(
    http: TestClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store_and_lose_the_file(session: Session, *rest: Any) -> list[StepMessage]:
        session.execute(delete(FilePart))
        return store_lines(session, *rest)

    monkeypatch.setattr("producer.chat.progress.BLOCK_LINES", 1)
    monkeypatch.setattr("producer.chat.progress.store_lines", store_and_lose_the_file)
    # Of several parts, because a part that is read stays in memory.
    batch_id = create(http, [make_line("a", n=2), make_line("b", user="x" * 2_000_000)])
    batch = wait_for(http, batch_id, *FINAL)

    assert batch["status"] == "cancelled"
    assert batch["request_counts"] == {"total": 2, "completed": 0, "failed": 1}
    assert batch["errors"]["data"][0]["message"] == (
        "the file was deleted after 1 of its 2 lines were stored; upload it again"
    )


def test_names_and_labels_that_cannot_be_stored_are_cleaned_or_refused(http: TestClient) -> None:
    parts = (
        '--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a\0b.jsonl"\r\n\r\n{}\r\n--x--\r\n'
    )
    answer = http.post("/v1/files", content=parts, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (answer.status_code, answer.json()["filename"]) == (200, "a\ufffdb.jsonl")

    body = {"input_file_id": answer.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    refused = http.post("/v1/batches", json={**body, "metadata": {"owner": "\0"}})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "body.metadata.owner")


def test_a_batch_is_finalizing_and_no_transaction_is_open_while_the_answers_are_measured(
    http: TestClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = set()

    def write_unlocked(database: Engine, batch_id: UUID, purpose: str) -> Iterator[bytes]:
        with Session(database) as session:
            statuses.add(session.scalars(select(ChatBatch).with_for_update(nowait=True)).one().status)
        return write_lines(database, batch_id, purpose)

    monkeypatch.setattr("producer.chat.progress.write_lines", write_unlocked)
    batch = wait_for(http, create(http, [make_line("many", n=2)]), *FINAL)

    assert http.get(f"/v1/files/{batch['error_file_id']}").json()["bytes"] > 0
    assert statuses == {"finalizing"}
    assert batch["in_progress_at"] <= batch["finalizing_at"] <= batch["completed_at"]
