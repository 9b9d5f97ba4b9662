"""Attacks on the HTTP server: strangers, other origins, hostile uploads and addresses."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

import producer.chat.files
from gistmill.http import bodies, token_check
from gistmill.http.guard import SESSION_COOKIE, check_address
from models.errors import SettingsError
from models.files import FilePart
from models.settings import Settings, read_settings
from producer.sources.limits import MIB
from tests.conftest import Cluster, wait_until
from tests.hand_driven import Driver
from tests.integration.gistmill.http_client import BEARER, TOKEN, listen, open_server
from tests.roles import apply_roles

TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday."
BODY = {"name": "pile", "documents": [{"text": TEXT}]}


@pytest.fixture
def http(cluster: Cluster) -> Iterator[TestClient]:
    """A server that this machine alone reaches, without a token."""
    with open_server(cluster) as client:
        yield client


@pytest.fixture
def guarded(cluster: Cluster) -> Iterator[TestClient]:
    """A server with a token."""
    with open_server(cluster, serve_token=TOKEN) as client:
        yield client


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gistmill.example"])
def test_an_address_that_others_reach_is_refused_without_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="others can connect: set GISTMILL_SERVE_TOKEN"):
        check_address(Settings(serve_host=host))
    check_address(Settings(serve_host=host, serve_token=TOKEN))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_this_machine_needs_no_token(host: str) -> None:
    check_address(Settings(serve_host=host))


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": "Bearer wrong token of some length"}, {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"}, {"Authorization": "Bearer \xff"}, {"Authorization": TOKEN},
        {"Cookie": f"{SESSION_COOKIE}={TOKEN}"}, {"Cookie": f"{SESSION_COOKIE}="}, {"Cookie": "=;;\x00"},
        {"X-Forwarded-For": "127.0.0.1"},
    ],
)  # fmt: skip
def test_nothing_is_told_without_the_token(guarded: TestClient, headers: Mapping[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    document = guarded.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            answer = guarded.request(method, path.replace("{", "").replace("}", ""), headers=raw)
            # With wrong tokens for many paths, the address soon has to wait.
            assert answer.status_code in (401, 429), (method, path)
            assert answer.json()["error"]["type"] in ("authentication_error", "rate_limit_error")


def test_the_token_and_the_cookie_of_the_login_open_everything(guarded: TestClient) -> None:
    assert guarded.get("/api/batches", headers=BEARER).status_code == 200
    assert guarded.get("/", headers={"Accept": "text/html"}, follow_redirects=False).status_code == 303
    assert guarded.post("/login", data={"token": "a wrong token of length"}).status_code == 401

    answer = guarded.post("/login", data={"token": TOKEN, "next": "//evil.example"}, follow_redirects=False)

    assert answer.headers["Location"] == "/"
    assert TOKEN not in answer.headers["Set-Cookie"]
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "samesite=strict" in answer.headers["Set-Cookie"].lower()
    assert guarded.get("/api/batches").status_code == 200


@pytest.mark.parametrize("path", ["/login", "/api/batches"])
def test_guesses_of_the_token_are_slowed(guarded: TestClient, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # None is forgotten while the test runs.
    monkeypatch.setattr(token_check, "SECONDS_PER_GUESS", 3_600)
    guarded.post("/login", data={"token": TOKEN})
    session = dict(guarded.cookies)
    guarded.cookies.clear()

    def ask(token: str) -> Response:
        if path == "/login":
            return guarded.post(path, data={"token": token}, follow_redirects=False)
        return guarded.get(path, headers={"Authorization": f"Bearer {token}"})

    assert {ask(f"wrong token {number}").status_code for number in range(token_check.FREE_GUESSES)} == {401}
    for token in ("another wrong token", TOKEN):
        answer = ask(token)
        assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (429, True)
        assert "too many wrong tokens" in answer.text.lower()
        assert "set-cookie" not in answer.headers
    assert guarded.get("/healthz").status_code == 200
    guarded.cookies.update(session)
    assert guarded.get("/api/batches").status_code == 200


def test_guesses_through_a_trusted_proxy_are_those_of_the_address_that_it_names(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_check, "SECONDS_PER_GUESS", 3_600)
    with listen(cluster, serve_token=TOKEN) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:

        def ask(token: str, address: str) -> int:
            headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
            return client.get("/api/batches", headers=headers, timeout=120).status_code

        for number in range(token_check.FREE_GUESSES):
            assert ask(f"wrong token {number}", "192.0.2.1") == 401
        assert ask(TOKEN, "192.0.2.1") == 429
        assert ask(TOKEN, "192.0.2.2") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost.evil.example:8000"}, {"Origin": "http://[::"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Host": "evil.example"}, {"Host": "evil.example:8000"},
        {"Host": "localhost.evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""}, {"Host": "10.0.0.1"},
    ],
)  # fmt: skip
def test_a_page_of_another_origin_or_a_name_bound_to_this_machine_changes_nothing(
    http: TestClient, headers: dict[str, str]
) -> None:
    answer = http.post("/api/batches", json=BODY, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] in ("foreign_origin", "foreign_host")
    assert http.get("/api/batches").json()["data"] == []
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_this_server_may_submit(http: TestClient) -> None:
    headers = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}
    assert http.post("/api/batches", json=BODY, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "name",
    ["../../../../etc/cron.d/x.md", "/etc/passwd.md", "..\\..\\x.md", "a/../../x.md", "x\x00.md", ".." * 300 + ".md"],
)
def test_the_name_of_an_upload_is_no_path(http: TestClient, name: str, tmp_path: Path) -> None:
    before = set(Path(tempfile.gettempdir()).glob("gistmill-upload-*"))
    body = (
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n# Flood\n\n{TEXT}\r\n--b--\r\n'
    )
    answer = http.post(
        "/api/batches/files", content=body.encode(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )

    assert answer.status_code in (201, 400, 422)
    for job in http.get("/api/summaries").json()["data"]:
        assert ".." not in Path(job["job"]["source"]).parts
        assert not job["job"]["source"].startswith("/")
    assert not Path("/etc/cron.d/x.md").exists()
    assert set(Path(tempfile.gettempdir()).glob("gistmill-upload-*")) == before


@pytest.mark.parametrize("path", ["/etc/hostname", "pyproject.toml", "file:///etc/passwd", "-", "*.md"])
def test_no_field_of_a_request_names_a_file_of_the_server(http: TestClient, path: str) -> None:
    assert http.post("/api/batches", json={"urls": [path]}).status_code == 422
    assert http.post("/api/batches", json={**BODY, "options": {"examples": path}}).status_code == 422
    prompt = http.post("/api/batches", json={**BODY, "options": {"prompt": path}})
    assert "must contain {text} exactly once" in prompt.json()["error"]["message"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5432/", "http://169.254.169.254/latest/meta-data", "http://[::1]:6379/", "http://0x7f000001/",
        "http://localhost/", "http://10.0.0.1/",
    ],
)  # fmt: skip
def test_a_url_into_a_private_network_is_not_fetched(http: TestClient, url: str) -> None:
    answer = http.post("/api/batches", json={"urls": [url]})

    assert answer.status_code == 422
    assert "an address of this machine or a private network, which is refused" in answer.json()["error"]["message"]


def test_a_zip_bomb_is_a_problem_of_its_file(http: TestClient) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", bytes(MIB))
    # The size that it says it has.
    bomb = packed.getvalue().replace(struct.pack("<L", MIB), struct.pack("<L", 600 * MIB))
    answer = http.post("/api/batches/files", files=[("files", ("bomb.docx", bomb))])

    assert answer.status_code == 422
    assert "unpacks to 2 files of 600 MiB, more than the" in answer.json()["error"]["message"]


@pytest.mark.parametrize("length", ["Content-Length: 5000000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/batches", "application/json"),
        ("/api/batches/files", "multipart/form-data; boundary=b"),
        ("/v1/files", "multipart/form-data; boundary=b"),
    ],
)
def test_a_body_without_end_is_cut_off_and_leaves_nothing_on_the_disk(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, length: str, path: str, kind: str
) -> None:
    bound = 4 * 1024 * 1024
    for name in ("MAX_UPLOAD_BYTES", "MAX_JSON_BYTES"):
        monkeypatch.setattr(bodies, name, bound)
    head = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\n'
        if "multipart" in kind
        else b'{"'
    )
    folder = Path(tempfile.gettempdir())
    with listen(cluster) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
        peer.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode())
        sent = send_until_refused(peer, head, chunked="chunked" in length)
        answer = read_answer(peer)

        assert b" 413 " in answer.partition(b"\r\n")[0], answer
        assert b"is larger than the 4 MiB allowed" in answer
        assert sent < 64 * bound
        assert not list(folder.glob("gistmill-upload-*"))


def send_until_refused(peer: socket.socket, head: bytes, *, chunked: bool) -> int:
    """Send a body that never ends, until the server answers or hangs up; return the bytes that were sent."""
    block, sent = bytes(256 * 1024), 0
    peer.settimeout(0.05)
    for data in (head, *([block] * 4096)):
        framed = b"%x\r\n%s\r\n" % (len(data), data) if chunked else data
        try:
            peer.settimeout(60)
            peer.sendall(framed)
            sent += len(data)
            peer.settimeout(0.01)
            if peer.recv(1, socket.MSG_PEEK):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return sent


def read_answer(peer: socket.socket) -> bytes:
    """Return the answer of the server up to its end."""
    peer.settimeout(60)
    answer = b""
    try:
        while data := peer.recv(65536):
            answer += data
    except OSError:
        pass
    return answer


def test_a_file_beyond_the_bound_of_files_is_not_kept(
    http: TestClient, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The size that the server sees may be a lie of its parser, so the store counts for itself.
    monkeypatch.setattr(producer.chat.files, "MAX_FILE_BYTES", 3 * 1024 * 1024)
    answer = http.post("/v1/files", files={"file": ("a.jsonl", bytes(4 * 1024 * 1024))}, data={"purpose": "batch"})

    assert answer.status_code == 422
    assert "larger than the 3 MiB allowed" in answer.json()["error"]["message"]
    with Session(cluster.engine) as session:
        assert session.scalar(select(func.count()).select_from(FilePart)) == 0


def test_html_in_a_summary_stays_text(http: TestClient, cluster: Cluster) -> None:
    batch = http.post("/api/batches", json=BODY).json()["id"]
    [row] = http.get(f"/api/batches/{batch}/summaries").json()["data"]
    Driver(cluster.engine).run(row["job"]["job_id"], words="<script>alert(1)</script>")

    answer = http.get(f"/api/jobs/{row['job']['job_id']}")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.json()["job"]["summary"] == "<script>alert(1)</script>"


def test_the_login_shows_what_it_was_given_as_text(guarded: TestClient) -> None:
    page = guarded.get("/login", params={"next": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page


def test_the_server_does_its_work_with_the_rights_of_a_producer(cluster: Cluster) -> None:
    producer = apply_roles(cluster.database_url)["producer"]
    lines = [{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "unknown"}}]
    content = "\n".join(map(json.dumps, lines)).encode()
    with open_server(
        cluster, database_url=producer, webhook_secret="a secret of some length", webhook_private=True
    ) as http:
        submitted = http.post(
            "/api/batches", json={**BODY, "webhook": "http://127.0.0.1:9/"}, headers={"Idempotency-Key": "k"}
        )
        assert submitted.status_code == 201, submitted.text
        path = f"/api/batches/{submitted.json()['id']}"
        assert http.post(f"{path}/cancel").json()["ended"] == 1
        wait_until(lambda: http.get(f"{path}/webhooks").json()[0]["error"], "the webhook is tried")
        file = http.post("/v1/files", files={"file": ("a.jsonl", content)}, data={"purpose": "batch"}).json()["id"]
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = http.post("/v1/batches", json=body).json()["id"]
        wait_until(lambda: http.get(f"/v1/batches/{batch}").json()["status"] == "completed", "the batch ends")
        assert http.get(f"/v1/batches/{batch}").json()["request_counts"]["failed"] == 1
        assert http.delete(f"/v1/files/{file}").status_code == 200


def test_secrets_are_no_part_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "GISTMILL_SERVE_TOKEN", "too short")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "too short" not in str(caught.value).removeprefix("GISTMILL_SERVE_TOKEN is not valid")


@pytest.mark.parametrize("upload", [{"data": {"token": "x" * 20_000}}, {"files": {"token": b"x" * 20_000}}])
def test_nobody_sends_a_large_body_without_the_token(guarded: TestClient, upload: dict[str, Any]) -> None:
    answer = guarded.post("/login", **upload)

    assert answer.status_code == 413
    assert "16,384 bytes allowed" in answer.json()["error"]["message"]
