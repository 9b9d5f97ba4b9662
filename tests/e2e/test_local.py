"""The product as a user meets it on one machine: ``gistmill up`` and the commands beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

import gistmill
import producer
from models.settings import PACKAGED
from tests.conftest import wait_until
from tests.e2e.conftest import GISTMILL, Local, bring_up, make_environment
from tests.processes import PATIENCE
from tests.tiny_gemma import build_tiny_gemma

SAMPLES = Path(producer.__file__).parent / "samples"
SHORT = ("--max-new-tokens", "8", "--no-cache")


def submit(local: Local, *arguments: str) -> str:
    done = local.run("submit", *arguments, *SHORT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def find_workers(local: Local) -> list[psutil.Process]:
    marks = (["-m", "workers"], str(local.home))
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["cmdline"] or [])[1:3] == marks[0]
        and (process.info["environ"] or {}).get("GISTMILL_HOME") == marks[1]
    ]


@pytest.mark.slow
def test_every_strategy_ends_with_a_result_for_every_job(local: Local) -> None:
    for strategy in ("stuff", "map-reduce", "refine"):
        local.run("submit", str(SAMPLES), "--strategy", strategy, "--batch", strategy, "--wait", *SHORT)
        rows = local.query(f"SELECT strategy, state, summary, reason FROM job_summaries WHERE batch = '{strategy}'")
        assert [row[0] for row in rows] == [strategy] * 3
        # Random weights talk nonsense: the guards may refuse all of it, but then they say so.
        for _, state, summary, reason in rows:
            assert (state == "succeeded" and summary) or (state == "partial" and summary and reason) or reason


def test_the_first_writeup_has_a_map_step_for_each_chunk(local: Local, shared_data: Path) -> None:
    submit(
        local,
        str(shared_data / "kaggle_winning_solutions_methods.csv"),
        *("--text-column", "writeup", "--id-column", "link", "--limit", "1"),
        *("--strategy", "map-reduce", "--batch", "several chunks", "--chunk-tokens", "1000"),
    )
    wait_until(lambda: count_steps(local, "several chunks", "plan", "done") == 1, "the plan is made")
    chunks = count_chunks(local, "several chunks")
    assert chunks > 1
    wait_until(lambda: count_steps(local, "several chunks", "map", "done") == chunks, "all map steps are done")
    assert count_steps(local, "several chunks", "map") == chunks


def count_chunks(local: Local, batch: str) -> int:
    sql = (
        "SELECT count(*) FROM chunks JOIN jobs ON jobs.id = chunks.job_id JOIN batches ON batches.id = jobs.batch_id "
        f"WHERE batches.name = '{batch}'"
    )
    return int(str(local.query(sql)[0][0]))


def count_steps(local: Local, batch: str, kind: str, state: str | None = None) -> int:
    sql = (
        "SELECT count(*) FROM steps JOIN jobs ON jobs.id = steps.job_id JOIN batches ON batches.id = jobs.batch_id "
        f"WHERE batches.name = '{batch}' AND kind = '{kind}'"
    )
    return int(str(local.query(sql + (f" AND steps.state = '{state}'" if state else ""))[0][0]))


def test_a_killed_worker_is_started_again_and_its_step_runs_to_its_one_row(local: Local) -> None:
    done = local.run(
        "submit", str(SAMPLES / "field_report.md"), "--strategy", "map-reduce", "--batch", "killed", "--no-cache",
        "--chunk-tokens", "700", "--max-new-tokens", "150",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wait_until(lambda: count_steps(local, "killed", "map", "running") > 0, "a map step runs")
    [worker] = find_workers(local)
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(
        lambda: local.query("SELECT state FROM job_summaries WHERE batch = 'killed'")[0][0] in ("succeeded", "partial"),
        "the job has ended",
    )
    doubled = local.query("SELECT job_id, kind, level, index FROM steps GROUP BY 1, 2, 3, 4 HAVING count(*) > 1")
    assert doubled == []
    lost = local.query("SELECT count(*) FROM step_attempts WHERE outcome = 'lost'")
    assert int(str(lost[0][0])) > 0


def test_postgres_is_started_anew_after_a_process_of_it_was_killed_and_workers_connect_again(local: Local) -> None:
    before = find_postgres(local)
    before.children()[0].kill()
    wait_until(lambda: not before.is_running(), "Postgres ends")
    wait_until(lambda: is_answering(local), "it is started anew")
    assert find_postgres(local).pid != before.pid
    log = (local.home / "logs" / "postgres.log").read_text()
    assert "restart_after_crash" in log
    submit(local, str(SAMPLES / "field_report.md"), "--strategy", "extract", "--batch", "after-crash", "--wait")
    assert local.query("SELECT state FROM job_summaries WHERE batch = 'after-crash'") == [("succeeded",)]


def find_postgres(local: Local) -> psutil.Process:
    return psutil.Process(int((local.home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def is_answering(local: Local) -> bool:
    with suppress(psycopg.OperationalError):
        return local.query("SELECT 1") == [(1,)]
    return False


def test_a_second_up_on_the_same_home_says_that_it_runs_and_where(local: Local) -> None:
    second = local.run("up")
    assert second.returncode == 1
    assert f"already running on {local.home}" in second.stderr
    assert "gistmill url" in second.stderr


def test_addresses_are_printed_on_request_and_no_password_otherwise(local: Local) -> None:
    database, broker = (local.run("url", name).stdout.strip() for name in ("database", "broker"))

    assert database == local.servers["database_url"]
    with redis.Redis.from_url(broker) as client:
        assert client.ping()
    # The form that redis-cli takes.
    assert broker.startswith("redis://default:")
    for url in (database, broker):
        password = urlsplit(url).password
        assert password
        assert password not in (local.home / "up.log").read_text()
        assert url.replace(password, "...") in (local.home / "up.log").read_text()


def test_logs_of_one_program_or_of_all_are_printed(local: Local) -> None:
    everything = local.run("logs", "--lines", "3").stdout.splitlines()
    assert {line.partition(" | ")[0] for line in everything} >= {"cpu0", "postgres", "valkey"}
    assert local.run("logs", "cpu0").stdout.startswith("cpu0 | ")
    unknown = local.run("logs", "gpu7")
    assert unknown.returncode == 2
    assert "there are cpu0, " in unknown.stderr


@pytest.mark.slow
def test_a_backup_of_a_running_cluster_goes_on_in_an_empty_home(
    local: Local, tmp_path: Path, tiny_weights: Path
) -> None:
    submit(local, str(SAMPLES), "--strategy", "map-reduce", "--batch", "to be moved")
    file = tmp_path / "cluster.gistmill"
    assert local.run("backup", str(file)).returncode == 0
    assert file.stat().st_mode & 0o077 == 0
    environment = make_environment(tmp_path / "restored", tiny_weights)

    restored = run_command(environment, "restore", str(file))

    assert restored.returncode == 0, restored.stderr
    again = run_command(environment, "restore", str(file))
    assert again.returncode == 1
    assert "is not empty" in again.stderr
    with bring_up(environment) as moved:
        names = {row[0] for row in moved.query("SELECT name FROM batches")}
        assert {"to be moved"} <= names <= {row[0] for row in local.query("SELECT name FROM batches")}
        ended = "SELECT count(*) FROM job_summaries WHERE batch = 'to be moved' AND finished_at IS NOT NULL"
        wait_until(lambda: moved.query(ended) == [(3,)], "the work goes on to its end")


def test_what_is_no_backup_is_refused(tmp_path: Path, tiny_weights: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are notes.")
    done = run_command(make_environment(tmp_path / "home", tiny_weights), "restore", str(file))
    assert done.returncode == 1
    assert "archive" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_to_stop_and_no_addresses_are_said(tmp_path: Path, tiny_weights: Path) -> None:
    environment = make_environment(tmp_path / "home", tiny_weights)
    for command in ("down", "url", "logs"):
        done = run_command(environment, command)
        assert done.returncode == 1, command
        assert str(tmp_path / "home") in done.stderr
    assert not (tmp_path / "home").exists()


def test_reading_commands_work_while_the_cluster_runs(local: Local) -> None:
    submit(local, str(SAMPLES / "messy_notes.txt"), "--batch", "read me", "--strategy", "stuff")
    status = json.loads(local.run("status", "--json").stdout)
    assert "read me" in {batch["batch"] for batch in status}
    [[job]] = local.query("SELECT job_id FROM job_summaries WHERE batch = 'read me'")
    shown = local.run("show", str(job))
    assert shown.returncode == 0, shown.stderr
    assert "stuff" in shown.stdout


def test_up_is_stopped_by_down_keeps_its_data_and_starts_again_where_its_home_was_copied_to(
    tmp_path: Path, tiny_weights: Path
) -> None:
    environment = make_environment(tmp_path / "home", tiny_weights)
    with bring_up(environment) as first:
        assert first.run("submit", str(SAMPLES / "messy_notes.txt"), "--strategy", "stuff", *SHORT).returncode == 0
        with gistmill.connect(first.servers["http_url"]) as client:
            wait_until(lambda: is_reachable(client), "the HTTP server answers")
            assert len(client.batches()) == 1
        batches = first.query("SELECT name FROM batches")
        stopped = first.run("down")
        assert (stopped.returncode, stopped.stdout) == (0, "stopped; the data is kept\n")
        assert first.process.wait(PATIENCE) == 0
    assert not (tmp_path / "home" / "servers.json").exists()
    left = [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or [])]
    assert left == []
    shutil.copytree(tmp_path / "home", tmp_path / "copy", symlinks=True)
    other_weights = build_tiny_gemma(tmp_path / "weights", seed=5)
    with (
        listen_on_default_port(),
        bring_up(make_environment(tmp_path / "copy", other_weights, GISTMILL_FLOWER_PORT="")) as second,
    ):
        assert second.query("SELECT name FROM batches") == batches
        printed = (tmp_path / "copy" / "up.log").read_text()
        assert "default stands for other weights than at the last start: weights, " in printed
        assert "another program listens on port 5555, so Flower takes " in printed
        assert second.servers["flower_url"] != "http://127.0.0.1:5555"


def is_reachable(client: gistmill.Client) -> bool:
    """Tell whether the HTTP server answers."""
    try:
        client.batches()
    except gistmill.UnreachableError:
        return False
    return True


@contextmanager
def listen_on_default_port() -> Iterator[None]:
    """Hold Flower's default port for a block, unless another program does."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            server.bind(("127.0.0.1", 5555))
            server.listen()
        yield


def run_command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [GISTMILL, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)


def test_a_server_that_is_away_is_named_with_its_address(tmp_path: Path, tiny_weights: Path) -> None:
    environment = make_environment(tmp_path, tiny_weights) | {
        "GISTMILL_DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/none",
        "GISTMILL_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    for command in (["submit", str(SAMPLES)], ["status"], ["worker"], ["migrate"]):
        done = subprocess.run([GISTMILL, *command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, command
        assert "127.0.0.1:1" in done.stderr
        assert "secret" not in done.stderr
        assert "Traceback" not in done.stderr


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "home", tmp_path / "no-such-weights")
    done = subprocess.run(
        [GISTMILL, "up", "--force"], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 78
    assert "no-such-weights" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["t5gemma", "gguf"])
def test_weights_that_cannot_be_served_are_refused_once_with_what_to_use(
    tmp_path: Path, tiny_weights: Path, kind: str
) -> None:
    weights = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    if kind == "gguf":
        (weights / "model.safetensors").rename(weights / "model.gguf")
    else:
        (weights / "config.json").write_text(json.dumps({"model_type": kind}))
    environment = make_environment(tmp_path / "home", weights)
    done = subprocess.run(
        [GISTMILL, "up", "--force"], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 78
    assert done.stderr.startswith(f"gistmill: error: cpu0 did not start: {weights}")
    assert done.stderr.count("such as google/gemma-3-1b-it") == 1
    assert (tmp_path / "home" / "logs" / "cpu0.log").read_text().count("such as google/gemma-3-1b-it") == 1


def test_submit_help_never_imports_torch() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "gistmill", "submit", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "peft", "celery", "workers"}


@pytest.mark.real
def test_the_packaged_weights_summarize_a_real_text(tmp_path: Path, real_weights: Path) -> None:
    with bring_up(make_environment(tmp_path / "home", real_weights, GISTMILL_VERIFIER=PACKAGED)) as real:
        done = real.run(
            "submit", str(SAMPLES / "messy_notes.txt"), "--strategy", "map-reduce", "--style", "news", "--greedy",
            "--max-new-tokens", "48", "--wait", timeout=280,
        )  # fmt: skip
        assert done.returncode in (0, 3), done.stderr
        [[state, summary, tokens]] = real.query("SELECT state, summary, completion_tokens FROM job_summaries")
        assert state in ("succeeded", "partial")
        assert len(str(summary).split()) >= 5
        assert int(str(tokens)) > 20
