"""Full disks under Postgres, Valkey and their logs: work waits, says why, and goes on when there is room."""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from models.errors import UnreachableError
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from models.session import explain_outage
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.chaos.arena import Arena, run_arena
from tests.chaos.scene import Scene, choose_options, write_text
from tests.processes import make_open_folder
from tests.small_disk import SmallDisk, mount_small_disk

# A new database has 40 MB, and each segment of its log 16.
POSTGRES_MEGABYTES, VALKEY_MEGABYTES = 128, 2
# Characters that no compression makes small enough for what is free in the files of a new database.
LARGE_TEXT = 400_000
FILL_LOG = "SELECT pg_logical_emit_message(false, 'test', repeat('x', 4000000)) FROM generate_series(1, 8)"


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """A disk for a whole home: database, append-only file and logs."""
    with make_open_folder() as folder, mount_small_disk(folder / "home", megabytes=POSTGRES_MEGABYTES) as disk:
        yield disk


@pytest.fixture
def small_arena(disk: SmallDisk) -> Iterator[Arena]:
    """Servers on that disk, started again when they end, as the supervisor does."""
    with run_arena(disk.folder) as arena:
        ended = threading.Event()
        keeper = threading.Thread(target=keep, args=(arena, ended))
        keeper.start()
        yield arena
        ended.set()
        keeper.join()


def keep(arena: Arena, ended: threading.Event) -> None:
    while not ended.wait(0.5):
        for server in (arena.postgres, arena.valkey):
            server.revive()


@pytest.fixture
def small_scene(small_arena: Arena, disk: SmallDisk, tmp_path: Path) -> Iterator[Scene]:
    """A stage on those servers."""
    scene = Scene(small_arena, tmp_path)
    yield scene
    disk.make_room()
    scene.close()


def submit_large(scene: Scene) -> int:
    """Submit a document that needs new pages as a user does, and return the number of new jobs."""
    letters = random.Random(0).choices(string.ascii_letters + string.digits, k=LARGE_TEXT)
    words = " ".join("".join(letters[start : start + 9]) for start in range(0, LARGE_TEXT, 9))
    app = make_celery(scene.arena.broker_url)
    request = SubmissionRequest("large", choose_options(strategy="extract"))
    try:
        with explain_outage(scene.engine):
            publisher = OutboxPublisher(scene.engine, CeleryPublisher(app))
            result = Submission(scene.engine, publisher, request, SubmissionResult()).run(
                [Source("large", words, "text")]
            )
        return result.created
    finally:
        app.close()


def test_jobs_wait_for_room_on_the_disk_of_postgres_and_are_done_then(small_scene: Scene, disk: SmallDisk) -> None:
    scene = small_scene
    scene.switch("hold")
    worker = scene.add_worker()
    jobs = scene.submit([write_text(f"text{number}", 2) for number in range(4)], strategy="map-reduce")
    scene.wait_for_held(4)
    disk.fill()
    with pytest.raises(
        UnreachableError, match=r"^the disk of Postgres at .* is full \(.*\); free some space there, and"
    ):
        submit_large(scene)
    assert scene.count("SELECT count(*) FROM documents") == 4
    log = scene.arena.home.logs / "postgres.log"
    # A segment of its log that cannot be made ends Postgres; it cannot start either as long as there is no room.
    with pytest.raises(psycopg.OperationalError), psycopg.connect(scene.arena.home.postgres.url) as connection:
        connection.execute(FILL_LOG)
    scene.switch("hold", on=False)
    scene.wait_until(lambda: scene.has_logged(0, "postgres_is_away", "postgres_disk_is_full"), "the worker says so")
    disk.make_room()
    scene.wait_for_end()
    assert worker.is_alive()
    assert scene.read_states(jobs) == ["succeeded"] * 4
    assert scene.count("SELECT coalesce(sum(errors + crashes), 0) FROM steps") == 0
    assert submit_large(scene) == 1
    assert log.exists()


# A worker connects again after pauses of up to 30 s.
@pytest.mark.slow
def test_steps_wait_for_room_for_valkeys_file_and_are_done_then(tmp_path: Path) -> None:
    with (
        make_open_folder() as folder,
        mount_small_disk(folder / "home" / "valkey", megabytes=VALKEY_MEGABYTES) as disk,
        run_arena(folder / "home") as arena,
    ):
        scene = Scene(arena, tmp_path)
        worker = scene.add_worker()
        disk.fill()
        jobs = scene.submit([write_text(f"text{number}", 4) for number in range(12)], strategy="map-reduce")
        refused = "MISCONF Errors writing to the AOF file: No space left on device"
        scene.wait_until(lambda: scene.has_logged(0, refused), "the worker says so")
        disk.make_room()
        scene.wait_for_end()
        assert scene.read_states(jobs) == ["succeeded"] * 12
        assert scene.count("SELECT coalesce(sum(errors + crashes), 0) FROM steps") == 0
        assert worker.is_alive()
        scene.close()
