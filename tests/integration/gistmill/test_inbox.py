"""An inbox submits each complete file once, whatever is restarted, and says beside a file why it cannot be read."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import gistmill
from gistmill.batch import Batch
from gistmill.client import Client
from gistmill.errors import InboxError
from gistmill.inbox import Inbox, InboxConfig
from gistmill.inbox_folder import ERROR_SUFFIX, is_being_written
from tests.conftest import Cluster, wait_until
from tests.integration.conftest import Gistmill
from tests.processes import PATIENCE

WORDS = "The council closed both bridges while engineers measured the piers. " * 20


def read_sources(cluster: Cluster) -> list[str]:
    with cluster.engine.connect() as connection:
        return list(connection.execute(text("SELECT source FROM jobs ORDER BY source")).scalars())


def run_once(cluster: Cluster, folder: Path, **config: object) -> list[str]:
    """Submit what is in a folder, and return what was said."""
    said: list[str] = []
    settings = {"interval": 0.05, "settle_seconds": 0.0, **config}
    with gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        Inbox(client.submit, InboxConfig(folder, "inbox", **settings), say=said.append).run(once=True)  # type: ignore[arg-type]
    return said


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "a.md").write_text(f"# One\n\n{WORDS}")
    (folder / "b.txt").write_text(WORDS)
    return folder


def test_files_are_submitted_once_and_again_when_they_change(cluster: Cluster, inbox: Path) -> None:
    assert run_once(cluster, inbox) == ["2 new jobs of 2 files in batch inbox"]
    assert run_once(cluster, inbox) == []
    (inbox / "b.txt").write_text(WORDS + "And more.")
    (inbox / "c.txt").write_text(f"Another. {WORDS}")

    assert run_once(cluster, inbox) == ["2 new jobs of 2 files in batch inbox"]
    assert read_sources(cluster) == ["a.md", "b.txt", "b.txt", "c.txt"]


def test_a_lost_state_creates_nothing_twice(cluster: Cluster, inbox: Path) -> None:
    run_once(cluster, inbox)
    (inbox / ".gistmill-inbox.json").write_text("[1")

    assert run_once(cluster, inbox) == ["0 new jobs of 2 files in batch inbox"]
    assert read_sources(cluster) == ["a.md", "b.txt"]


def test_the_reason_lies_beside_a_file_that_cannot_be_read_until_it_can_or_is_removed(
    cluster: Cluster, inbox: Path
) -> None:
    (inbox / "c.pdf").write_bytes(b"%PDF-1.7 and no more")
    reason = inbox / f"c.pdf{ERROR_SUFFIX}"

    run_once(cluster, inbox, done_folder=None)

    assert "c.pdf" in reason.read_text()
    assert read_sources(cluster) == ["a.md", "b.txt"]
    assert run_once(cluster, inbox) == []
    (inbox / "c.pdf").unlink()
    (inbox / "c.txt").write_text(WORDS + "Text now.")
    (inbox / f"c.txt{ERROR_SUFFIX}").write_text("of an earlier try")
    run_once(cluster, inbox)
    assert list(inbox.glob(f"*{ERROR_SUFFIX}")) == []


def test_read_files_are_moved_and_none_is_overwritten(cluster: Cluster, inbox: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    (done / "a.md").write_text("an earlier one")
    (inbox / "c.pdf").write_bytes(b"%PDF-1.7 and no more")

    run_once(cluster, inbox, done_folder=done)

    assert sorted(path.name for path in done.iterdir()) == ["a-2.md", "a.md", "b.txt"]
    assert (done / "a.md").read_text() == "an earlier one"
    left = sorted(path.name for path in inbox.iterdir() if not path.name.startswith("."))
    assert left == ["c.pdf", f"c.pdf{ERROR_SUFFIX}"]


def test_a_file_that_is_being_written_waits(cluster: Cluster, inbox: Path) -> None:
    for name in (".hidden.md", "half.md.part", "~lock.md"):
        (inbox / name).write_text(WORDS)
    with (inbox / "slow.md").open("w") as slow:
        slow.write(WORDS)
        slow.flush()
        assert is_being_written(inbox / "slow.md")
        assert not is_being_written(inbox / "a.md")
        with run_watcher(cluster, inbox) as watcher:
            wait_until(lambda: read_sources(cluster) == ["a.md", "b.txt"], "the complete ones are submitted")
            slow.write("The end.")
            slow.close()
            wait_until(lambda: "slow.md" in read_sources(cluster), "the slow one is submitted")
            watcher.send_signal(signal.SIGINT)
            assert watcher.wait(PATIENCE) == 130
    with cluster.engine.connect() as connection:
        texts = connection.execute(text("SELECT text FROM documents WHERE text LIKE '%The end.%'"))
        assert len(texts.all()) == 1
    assert len(read_sources(cluster)) == 3


def test_a_watch_tells_how_many_files_could_not_be_read_and_its_command_by_the_exit_code(
    client: Client, gistmill: Gistmill, inbox: Path
) -> None:
    def add(name: str) -> None:
        (inbox / name).write_bytes(b"%PDF-1.7 and no more")
        # Long enough ago to be complete.
        os.utime(inbox / name, (1, 1))

    add("c.pdf")
    words = ("watch-folder", str(inbox), "--batch", "inbox", "--interval", "0.1", "--once")
    refused = gistmill(*words)
    assert (refused.code, "c.pdf" in refused.out) == (3, True)
    assert gistmill(*words).code == 0

    add("d.pdf")
    assert client.watch_folder(inbox, batch="inbox", interval=0.1, once=True) == 1


def test_a_folder_that_is_not_there_is_named(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(InboxError, match=r"there is no folder .*nowhere; create it"):
        run_once(cluster, tmp_path / "nowhere")


def test_a_folder_has_one_watcher(cluster: Cluster, inbox: Path) -> None:
    with run_watcher(cluster, inbox):
        wait_until(lambda: len(read_sources(cluster)) == 2, "it watches")
        with pytest.raises(InboxError, match="another process watches"):
            run_once(cluster, inbox)


def test_a_thousand_files_are_a_thousand_jobs_though_the_watcher_is_killed_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    inbox = tmp_path / "many"
    inbox.mkdir()
    for part in range(3):
        with run_watcher(cluster, inbox) as watcher:
            for number in range(part * 334, min((part + 1) * 334, 1000)):
                (inbox / f"{number:04}.txt").write_text(f"Document {number}. {WORDS}")
            wanted = 1000 if part == 2 else part * 334 + 100
            wait_until(lambda wanted=wanted: len(read_sources(cluster)) >= wanted, "they come")  # type: ignore[misc]
            watcher.kill()
    assert read_sources(cluster) == [f"{number:04}.txt" for number in range(1000)]


@contextmanager
def run_watcher(cluster: Cluster, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``gistmill watch-folder`` in a process of its own for a block."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GISTMILL_")}
    environment = {
        **kept,
        "GISTMILL_DATABASE_URL": cluster.database_url,
        "GISTMILL_BROKER_URL": cluster.broker_url,
    }
    command = [sys.executable, "-m", "gistmill", "watch-folder", str(folder), "--batch", "inbox", "--interval", "0.1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def test_a_column_may_be_named_before_the_first_table_has_come(cluster: Cluster, inbox: Path) -> None:
    options = {"text_column": "writeup"}

    assert run_once(cluster, inbox, options=options) == ["2 new jobs of 2 files in batch inbox"]
    (inbox / "rows.csv").write_text(f"link,writeup\nfirst,{WORDS}\n")
    assert run_once(cluster, inbox, options=options) == ["1 new job of 1 file in batch inbox"]


def test_a_file_that_is_replaced_while_it_is_submitted_is_not_moved_unread(
    cluster: Cluster, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Client.submit

    def submit_and_replace(*given: Any, **options: Any) -> Batch:
        monkeypatch.undo()
        batch = submit(*given, **options)
        (inbox / "b.txt").write_text(f"The newer text. {WORDS}")
        return batch

    done = tmp_path / "done"
    done.mkdir()
    monkeypatch.setattr(Client, "submit", submit_and_replace)
    for _ in range(2):
        run_once(cluster, inbox, done_folder=done)

    assert read_sources(cluster) == ["a.md", "b.txt", "b.txt"]
    assert (done / "b.txt").read_text().startswith("The newer text.")


def test_a_file_moves_to_a_folder_on_another_disk(
    cluster: Cluster, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    done = tmp_path / "done"
    done.mkdir()
    monkeypatch.setattr(os, "rename", refuse)
    run_once(cluster, inbox, done_folder=done)

    assert sorted(path.name for path in done.iterdir()) == ["a.md", "b.txt"]
    assert not (inbox / "a.md").exists()


def test_a_program_watches_a_folder_until_it_says_stop(cluster: Cluster, inbox: Path, tmp_path: Path) -> None:
    said: list[str] = []
    stop = threading.Event()
    done = tmp_path / "read"
    with gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        options = {"move_to": done, "interval": 0.05, "report": said.append, "stop": stop, "strategy": "stuff"}
        watching = threading.Thread(target=client.watch_folder, args=(inbox,), kwargs={"batch": "inbox", **options})
        watching.start()
        wait_until(lambda: len(list(done.glob("*"))) == 2, "the files are read and moved")
        stop.set()
        watching.join()
        assert [job.job.strategy for job in client.summaries("inbox")] == ["stuff", "stuff"]
        with pytest.raises(gistmill.SettingsError, match="another folder"):
            client.watch_folder(inbox, batch="inbox", move_to=inbox, once=True)
    assert said == ["2 new jobs of 2 files in batch inbox"]


@pytest.mark.asyncio
async def test_an_event_loop_watches_a_folder(cluster: Cluster, inbox: Path) -> None:
    async with gistmill.aconnect(cluster.database_url, cluster.broker_url) as client:
        await client.watch_folder(inbox, batch="inbox", interval=0.05, once=True)
    assert read_sources(cluster) == ["a.md", "b.txt"]


def test_a_folder_of_read_files_that_cannot_be_made_or_is_gone_is_said(
    cluster: Cluster, inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InboxError, match="taken cannot be created"):
        run_once(cluster, inbox, done_folder=tmp_path / "taken")
    done = tmp_path / "done"

    def remove(_: object) -> None:
        done.rmdir()

    with gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        config = InboxConfig(inbox, "inbox", done_folder=done, interval=0.05, settle_seconds=0)
        with pytest.raises(InboxError, match="done is gone"):
            Inbox(client.submit, config, say=remove).run(once=True)
