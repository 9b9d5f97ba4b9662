"""Full disks under the commands: one sentence with the path, nothing half-written, and the same command works later."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import text

from models.errors import FullDiskError
from models.publisher import CeleryPublisher, make_celery
from models.views import JobSummary
from tests.conftest import Cluster, wait_until
from tests.fake_vllm import ROOT
from tests.fake_worker import describe_command
from tests.hand_driven import Driver
from tests.integration.conftest import Done, Gistmill
from tests.integration.gistmill.http_client import open_server
from tests.integration.gistmill.test_inbox import read_sources, run_once
from tests.jobs import add_jobs
from tests.pairs import write_pairs
from tests.processes import PATIENCE, run_server
from tests.small_disk import SmallDisk, small_disk  # noqa: F401 - a fixture
from tests.tiny_gemma import build_tiny_gemma
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.weights.folder import find_folder

FULL = "cannot be written: No space left on device; "
OLD = b"as it was before"


def say_full(path: Path) -> str:
    return f"gistmill: error: {path} {FULL}"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("export", "pile"), "out.csv"),
        (("export", "pile"), "out.jsonl"),
        (("export", "pile"), "out.parquet"),
        (("export", "pile"), "out.md"),
        (("report", "pile"), "report.html"),
    ],
    ids=["csv", "jsonl", "parquet", "markdown", "report"],
)
def test_a_file_for_which_there_is_no_room_leaves_the_old_one(
    command: tuple[str, ...],
    name: str,
    gistmill: Gistmill,
    submitted: list[JobSummary],
    driver: Driver,
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    output = small_disk.folder / name
    output.write_bytes(OLD)
    small_disk.fill()
    done = gistmill(*command, "--output", str(output))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(say_full(output))
    assert (small_disk.list_names(), output.read_bytes()) == ([name], OLD)
    small_disk.make_room()
    assert gistmill(*command, "--output", str(output)).code == 0
    assert (small_disk.list_names(), output.read_bytes() != OLD) == ([name], True)


def test_a_backup_without_room_leaves_the_old_one_and_goes_on_when_there_is_room(
    gistmill: Gistmill,
    submitted: list[JobSummary],
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    output = small_disk.folder / "monday.gistmill"
    output.write_bytes(OLD)
    for leave in (0, 16_384):
        small_disk.make_room()
        small_disk.fill(leave=leave)
        done = gistmill("backup", str(output))
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(say_full(output)), done.err
        assert (small_disk.list_names(), output.read_bytes()) == ([output.name], OLD)
    small_disk.make_room()
    assert gistmill("backup", str(output)).code == 0
    assert output.read_bytes()[:5] == b"PGDMP"


def test_a_home_without_room_for_a_database_is_one_sentence(
    gistmill: Gistmill,
    submitted: list[JobSummary],
    small_disk: SmallDisk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert gistmill("backup", "monday.gistmill").code == 0
    monkeypatch.setenv("GISTMILL_HOME", str(small_disk.folder / "home"))
    done = gistmill("restore", "monday.gistmill")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(say_full(small_disk.folder / "home")), done.err


def test_an_upload_without_room_is_answered_with_507_and_taken_when_there_is_room(
    cluster: Cluster,
    small_disk: SmallDisk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk.folder))
    words = b"The council closed both bridges while engineers measured the piers. "
    with open_server(cluster) as http:
        for size in (200, 20_000):
            # The small one fits the memory of the parser and fails in our folder, the large one in the parser's file.
            files = [("files", ("note.txt", words * size))]
            small_disk.fill()
            answer = http.post("/api/batches/files", files=files)
            assert (answer.status_code, answer.json()["error"]["code"]) == (507, "full_disk"), answer.text
            assert answer.json()["error"]["message"].startswith(f"{small_disk.folder} {FULL}")
            small_disk.make_room()
            assert small_disk.list_names() == []
            assert http.post("/api/batches/files", files=files).status_code == 201
    assert small_disk.list_names() == []


def test_a_folder_is_watched_further_while_its_disk_is_full(
    cluster: Cluster,
    small_disk: SmallDisk,  # noqa: F811
) -> None:
    (small_disk.folder / "a.md").write_text("The council closed both bridges. " * 40)
    (small_disk.folder / "b.pdf").write_bytes(b"%PDF-1.7 nothing follows")
    # Made with the lock, which is there from the first run on.
    run_once(cluster, small_disk.folder)
    (small_disk.folder / "b.pdf.gistmill-error.txt").unlink()
    (small_disk.folder / ".gistmill-inbox.json").unlink()
    small_disk.fill()
    said = run_once(cluster, small_disk.folder)
    for name in ("b.pdf.gistmill-error.txt", ".gistmill-inbox.json"):
        assert f"{small_disk.folder / name} {FULL.removesuffix('; ')}; free some space there" in said
    assert read_sources(cluster) == ["a.md"]
    small_disk.make_room()
    run_once(cluster, small_disk.folder)
    assert small_disk.list_names() == [
        *(".gistmill-inbox.json", ".gistmill-inbox.lock"),
        *("a.md", "b.pdf", "b.pdf.gistmill-error.txt"),
    ]


def test_a_spool_without_room_names_the_folder_of_temporary_files(
    gistmill: Gistmill,
    small_disk: SmallDisk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cluster: Cluster,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk.folder))
    (tmp_path / "a.md").write_text("The council closed both bridges. " * 4_000)
    small_disk.fill()
    done = gistmill("submit", "a.md", "--strict")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(say_full(small_disk.folder)), done.err
    assert read_sources(cluster) == []
    small_disk.make_room()
    assert gistmill("submit", "a.md", "--strict").code == 0


def test_packaged_weights_without_room_leave_nothing_and_are_converted_by_the_command_before_others(
    small_disk: SmallDisk,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = small_disk.folder / "weights" / "gemma-3-270m"
    with pytest.raises(FullDiskError, match=rf"^{folder} {FULL}free 1.6 GB there, or set GISTMILL_HOME"):
        ensure_packaged_weights(folder)
    assert list(folder.parent.glob("[!.]*")) == []
    assert small_disk.free > 3 * 2**20
    environment = {"GISTMILL_HOME": str(small_disk.folder), "PATH": "/usr/bin", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gistmill.cli.prepare"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if FULL in line]


def test_a_download_without_room_says_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(FullDiskError, match=rf"{FULL}free some space there, or set HF_HOME to a folder on a larger"):
        find_folder("google/gemma-3-1b-it")


def train(gistmill: Gistmill, pairs: Path, base: Path, output: Path, *more: str) -> Done:
    return gistmill(
        *("finetune", str(pairs), "--base", str(base), "--output", str(output), "--held-out", "0"),
        *("--source-tokens", "48", "--steps", "2", "--checkpoint-steps", "1", *more),
    )


# Trains three times.
@pytest.mark.slow
def test_training_without_room_goes_on_at_its_checkpoint_when_there_is_room(
    gistmill: Gistmill,
    small_disk: SmallDisk,  # noqa: F811
    tmp_path: Path,
) -> None:
    base = build_tiny_gemma(tmp_path / "tiny-gemma", chat=False)
    pairs = write_pairs(tmp_path / "pairs.csv", 12)
    output = small_disk.folder / "adapter"
    for leave in (0, 65_536):
        small_disk.make_room()
        small_disk.fill(leave=leave)
        done = train(gistmill, pairs, base, output, "--resume")
        assert done.code == 1, done.err
        assert f"{say_full(output)}free some space there; the same command with --resume goes on" in done.err
        assert not (output / "adapter_config.json").exists()
    small_disk.make_room()
    assert train(gistmill, pairs, base, output, "--resume").code == 0
    small_disk.fill()
    merged = small_disk.folder / "merged"
    done = gistmill("weights", "merge", str(output), "--base", str(base), "--output", str(merged))
    assert (done.code, done.err.startswith(say_full(merged))) == (1, True), done.err
    assert small_disk.list_names() == ["adapter"]


def test_a_worker_whose_log_has_no_room_works_on(cluster: Cluster) -> None:
    _, step_messages = add_jobs(cluster.engine, ["The council closed both bridges while engineers measured them."])
    settings = {"database_url": cluster.database_url, "broker_url": cluster.broker_url, "log_level": "debug"}
    ended = text("SELECT count(*) FROM jobs WHERE state = 'succeeded'")
    with run_server(describe_command("-m", "tests.fake_worker", **settings), Path("/dev/full")) as worker:
        CeleryPublisher(make_celery(cluster.broker_url)).publish(step_messages)
        with cluster.engine.connect() as connection:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            wait_until(lambda: connection.execute(ended).scalar_one() == 1, "the job ends")
        assert worker.poll() is None
