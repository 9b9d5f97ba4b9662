"""The child process that converts untrusted documents."""

import io
import json
import signal
from pathlib import Path

import pytest

from producer.errors import LimitError, UnreadableError
from producer.sources import ReadLimits, normalize_html
from producer.sources.kinds import FileKind
from producer.sources.sandbox import Sandbox, read_frame, write_frame
from producer.sources.sandbox_child import answer, serve

LIMITS = ReadLimits()
# Numbering the items of one list takes quadratic time: minutes for this one.
SLOW_HTML = ("<ol>" + "<li>x</li>" * 100_000 + "</ol>").encode()


def test_a_document_is_converted_as_in_this_process(sandbox: Sandbox) -> None:
    html = "<title>T</title><h1>Grüße</h1>"
    assert sandbox.convert(FileKind.HTML, html.encode()) == normalize_html(html)


def test_a_slow_document_is_stopped_and_the_next_one_is_converted() -> None:
    with Sandbox(ReadLimits(conversion_seconds=3)) as sandbox:
        with pytest.raises(LimitError, match="took more than 3 s to convert"):
            sandbox.convert(FileKind.HTML, SLOW_HTML)
        assert sandbox.convert(FileKind.HTML, b"<p>next</p>").text == "next"


def test_a_child_that_dies_is_a_clear_error_and_is_replaced() -> None:
    with Sandbox(LIMITS) as sandbox:
        sandbox.convert(FileKind.HTML, b"<p>a</p>")
        assert sandbox._child is not None
        sandbox._child.kill()
        sandbox._child.wait()
        with pytest.raises(UnreadableError, match="crashed the HTML parser"):
            sandbox.convert(FileKind.HTML, b"<p>b</p>")
        assert sandbox.convert(FileKind.HTML, b"<p>c</p>").text == "c"


def test_the_child_gets_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GISTMILL_DATABASE_URL", "postgresql://user:secret@host/name")
    with Sandbox(LIMITS) as sandbox:
        sandbox.convert(FileKind.HTML, b"<p>a</p>")
        assert sandbox._child is not None
        assert b"secret" not in Path(f"/proc/{sandbox._child.pid}/environ").read_bytes()


def test_the_child_ends_with_its_sandbox() -> None:
    with Sandbox(LIMITS) as sandbox:
        sandbox.convert(FileKind.HTML, b"<p>a</p>")
        child = sandbox._child
    assert child is not None
    assert child.poll() == -signal.SIGKILL


def test_the_child_answers_requests_until_its_input_ends() -> None:
    requests, replies = io.BytesIO(), io.BytesIO()
    for kind, data in ((FileKind.HTML, b"<p>a</p>"), (FileKind.PDF, b"no pdf")):
        write_frame(requests, kind.encode())
        write_frame(requests, data)
    requests.seek(0)
    serve(requests, replies, LIMITS)
    replies.seek(0)
    first, second = read_frame(replies), read_frame(replies)
    assert first is not None
    assert second is not None
    assert json.loads(first)["text"] == "a"
    assert json.loads(second)["error"] == "UnreadableError"
    assert read_frame(replies) is None


def test_a_limit_keeps_its_type_on_the_way() -> None:
    assert answer(FileKind.HTML, "<p>\ud800".encode("utf-8", "surrogatepass"), LIMITS)["error"] == "UnreadableError"


def test_half_a_frame_is_no_frame() -> None:
    stream = io.BytesIO()
    write_frame(stream, b"abc")
    assert read_frame(io.BytesIO(stream.getvalue()[:-1])) is None
