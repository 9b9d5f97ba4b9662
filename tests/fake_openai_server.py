"""A server that speaks vLLM's protocol as it was recorded, over the tiny Gemma, on a real port.

It answers with the tokens of the engine in this process, so that both engines must give the same. Faults wait in a
queue: each spoils one completion.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from workers.engine.batching.request import Request
from workers.engine.constraints import Constraint
from workers.engine.engine import Engine
from workers.generation import FinishReason, GenerationParams

NAME = "tiny"
CONTEXT = 2048
# Spoils a completion: gets the handler of its connection, and returns whether it has answered.
Fault = Callable[["Handler"], bool]


class FakeServer:
    """Server on a port that stays the same when it is killed and started again.

    Args:
        engine: computes the tokens.
        takes_ids: whether prompts may be token ids, as with vLLM, or only text and messages, as with Ollama.
        key: that requests must have; None for none.
    """

    def __init__(self, engine: Engine, *, takes_ids: bool = True, key: str | None = None) -> None:
        self.engine = engine
        self.takes_ids = takes_ids
        self.key = key
        self.faults: deque[Fault] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.aborted = 0
        self.most_running = 0
        self.running = 0
        self.lock = threading.Lock()
        self.models: list[dict[str, Any]] = [
            {"id": NAME, "owned_by": "vllm", "max_model_len": CONTEXT}
            if takes_ids
            else {"id": NAME, "owned_by": "library"}
        ]
        self._server: _Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Base of the paths."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen and serve."""
        self._server = _Server(("127.0.0.1", self.port), Handler)
        self._server.fake = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def kill(self) -> None:
        """End as a killed process does: the port refuses, and every connection is reset."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.shutdown()
        server.server_close()
        for connection in tuple(server.connections):
            reset(connection)

    @contextmanager
    def run(self) -> Iterator[FakeServer]:
        """Serve for the length of a block."""
        self.start()
        try:
            yield self
        finally:
            self.kill()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    fake: FakeServer

    def __init__(self, *arguments: Any) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that has gone away."""


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        answers: dict[str, Any] = {
            "/v1/models": {"object": "list", "data": self.server.fake.models},
            "/version": {"version": "0.32.0"},
            "/api/version": {"version": "0.19.0"},
            "/health": "",
        }
        if self.path.startswith("/v1") and not self._has_key():
            self.send(401, {"error": "Unauthorized"})
        elif self.path in answers:
            self.send(200, answers[self.path])
        else:
            self.send(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake = self.server.fake
        with fake.lock:
            fake.bodies.append(body)
            fault = fake.faults.popleft() if fake.faults else None
        if fault is not None and fault(self):
            return
        if body["model"] not in [model["id"] for model in fake.models]:
            message = f"The model `{body['model']}` does not exist."
            self.send(404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}})
        elif not fake.takes_ids and isinstance(body.get("prompt"), list):
            message = "json: cannot unmarshal array into Go struct field CompletionRequest.prompt of type string"
            self.send(400, {"error": {"message": message, "type": "invalid_request_error", "param": None}})
        else:
            self._complete(body)

    def _complete(self, body: dict[str, Any]) -> None:
        fake = self.server.fake
        ids = self._encode(body)
        cancelled = threading.Event()
        request = Request(
            prompt_ids=ids,
            params=read_params(body),
            eos_ids=frozenset({1, *body.get("stop_token_ids", [])} if fake.takes_ids else {1, 5}),
            stop=tuple(body.get("stop", ())),
            cancelled=cancelled,
            constraint=constrain(fake.engine, body),
        )
        with fake.lock:
            fake.running += 1
            fake.most_running = max(fake.most_running, fake.running)
        fake.engine.lanes.submit(request)
        while not request.future.done():
            if self.is_left(0.01):
                cancelled.set()
        outcome = request.future.result()
        with fake.lock:
            fake.running -= 1
            fake.aborted += outcome.reason is FinishReason.CANCELLED
        if outcome.reason is FinishReason.CANCELLED:
            self.close_connection = True
            return
        text, has_stop = request.cut_text(fake.engine.weights.tokenizer.decode(outcome.tokens))
        self.send(200, self._describe(body, ids, outcome.tokens, text, "stop" if has_stop else outcome.reason.value))

    def is_left(self, seconds: float) -> bool:
        """Wait a little, and return whether the client has closed its connection."""
        try:
            readable, _, _ = select.select([self.connection], [], [], seconds)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def _encode(self, body: dict[str, Any]) -> list[int]:
        """Encode a text as servers do, which take control tokens in it for what they are."""
        tokenizer = self.server.fake.engine.weights.tokenizer._template
        if "messages" in body:
            text = tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
            return tokenizer(text, add_special_tokens=False)["input_ids"]
        prompt = body["prompt"]
        return prompt if isinstance(prompt, list) else [2, *tokenizer(prompt, add_special_tokens=False)["input_ids"]]

    def _describe(self, body: dict[str, Any], ids: list[int], tokens: list[int], text: str, reason: str) -> Any:
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason, "logprobs": None}
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        if self.server.fake.takes_ids:
            wants = bool(body.get("return_token_ids"))
            choice |= {"token_ids": tokens if wants else None, "prompt_token_ids": ids if wants else None}
            if body.get("prompt_logprobs") is not None:
                choice["prompt_logprobs"] = self._score(ids)
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(tokens), "total_tokens": len(ids) + len(tokens)}
        return {"id": "cmpl-1", "object": "text_completion", "model": NAME, "choices": [choice], "usage": usage}

    def _score(self, ids: list[int]) -> list[Any]:
        sequential = self.server.fake.engine._sequential
        with sequential._lock, torch.inference_mode():
            scores = sequential._network(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        return [None, *({str(ids[at + 1]): {"logprob": float(scores[at, ids[at + 1]])}} for at in range(len(ids) - 1))]

    def _has_key(self) -> bool:
        key = self.server.fake.key
        return key is None or self.headers["Authorization"] == f"Bearer {key}"

    def send(self, status: int, content: Any, **headers: str) -> None:
        """Send a whole answer."""
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Drop the message."""


def read_params(body: dict[str, Any]) -> GenerationParams:
    """Return the sampling parameters of a body."""
    return GenerationParams(
        do_sample=body["temperature"] > 0,
        temperature=body["temperature"] or 1.0,
        top_k=max(body.get("top_k", 0), 0),
        top_p=body.get("top_p", 1.0),
        max_new_tokens=body["max_tokens"],
        repetition_penalty=body.get("repetition_penalty", 1.0),
        seed=body.get("seed"),
    )


def constrain(engine: Engine, body: dict[str, Any]) -> Constraint | None:
    """Return the constraint that a body asks for, as vLLM and Ollama take it."""
    schema = body.get("structured_outputs", {}).get("json")
    schema = schema or body.get("response_format", {}).get("json_schema", {}).get("schema")
    return None if schema is None else engine._compiler.constrain(json.dumps(schema), body["max_tokens"])


def reset(connection: socket.socket) -> None:
    """End a connection with a reset, as the kernel does for a killed process."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    except OSError:
        pass


def answer_with(status: int, **headers: str) -> Fault:
    """Return a fault that answers with a status."""

    def fault(handler: Handler) -> bool:
        handler.send(status, {"error": {"message": "the queue is full", "type": "x", "code": status}}, **headers)
        return True

    return fault


def send_garbage(handler: Handler) -> bool:
    """Answer with something that is no completion."""
    handler.send(200, "<html>It works!</html>")
    return True


def send_half(handler: Handler) -> bool:
    """Announce more bytes than are sent before the connection ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"id": "cmpl-1", "choices": [{"text": "The ri')
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
    return True


def abort(handler: Handler) -> bool:
    """Say that the generation was ended before its end."""
    choice = {"index": 0, "text": "The ri", "finish_reason": "abort"}
    handler.send(200, {"id": "cmpl-1", "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    return True


def never_end(handler: Handler) -> bool:
    """Run until the client closes its connection, which aborts the request, or the server ends."""
    fake = handler.server.fake
    with fake.lock:
        fake.running += 1
    while not handler.is_left(0.01):
        pass
    with fake.lock:
        fake.running -= 1
        fake.aborted += 1
    handler.close_connection = True
    return True


def wait_first(seconds: float) -> Fault:
    """Return a fault that answers as always, but late."""

    def fault(_: Handler) -> bool:
        time.sleep(seconds)
        return False

    return fault
