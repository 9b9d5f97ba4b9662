"""What happens when a producer dies or submits the same again, and when the last steps of a job finish together."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

from models.options import JobOptions
from models.publisher import OutboxPublisher, make_celery
from models.session import connect
from models.step import Step
from producer.intake import SubmissionRequest
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.chaos.invariants import assert_nothing_lost_or_doubled
from tests.chaos.scene import Scene, choose_options, write_text
from tests.fake_engine import FakeGenerator, copy_and_invent
from tests.fake_worker import CONTEXT, MortalDoorbell
from tests.hand_driven import Bell, HandDrivenWorker
from tests.jobs import add_jobs
from tests.processes import PATIENCE

SOURCES = [Source(f"text{number}", write_text(f"text{number}", 2), "markdown") for number in range(6)]
JOBS = 60
MAPS = 4


def submit_and_die(database_url: str, broker_url: str, scene_folder: str, options: JobOptions) -> None:
    """Run in a process of its own: it dies after its commit and before it sends."""
    MortalDoorbell.switch = type(MortalDoorbell.switch)(scene_folder) / "die_before_ring"
    database = connect(database_url)
    publisher = MortalDoorbell(make_celery(broker_url))
    Submission(
        database, OutboxPublisher(database, publisher), SubmissionRequest("batch", options), SubmissionResult()
    ).run(SOURCES)


def test_jobs_of_a_producer_that_died_after_its_commit_are_done(scene: Scene) -> None:
    scene.switch("die_before_ring")
    arguments = (scene.database_url, scene.arena.broker_url, str(scene.folder), choose_options())
    producer = CONTEXT.Process(target=submit_and_die, args=arguments)
    producer.start()
    producer.join(PATIENCE)
    assert producer.exitcode == -signal.SIGKILL
    assert scene.count_messages() == 0
    scene.add_worker()
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == len(SOURCES)


def test_fifty_submissions_of_the_same_create_every_job_once(scene: Scene) -> None:
    request = SubmissionRequest("batch", choose_options(strategy="map-reduce"))
    database = connect(scene.database_url, pool_size=30)

    def submit(_: int) -> SubmissionResult:
        return Submission(database, OutboxPublisher(database, Bell()), request, SubmissionResult()).run(SOURCES)

    with ThreadPoolExecutor(50) as pool:
        tallies = list(pool.map(submit, range(50)))
    database.dispose()
    assert sum(result.created for result in tallies) == len(SOURCES)
    assert {result.accepted for result in tallies} == {len(SOURCES)}
    scene.add_worker()
    scene.wait_for_end()
    assert scene.count("SELECT count(*) FROM jobs") == len(SOURCES)


def test_the_last_maps_that_finish_together_create_exactly_one_reduce(scene: Scene) -> None:
    worker = HandDrivenWorker(scene.engine, FakeGenerator(copy_and_invent))
    texts = [write_text(f"text{number}", MAPS) for number in range(JOBS)]
    _, plans = add_jobs(scene.engine, texts, options=choose_options(strategy="map-reduce"))
    for plan in plans:
        worker.run_step(plan.step_id)
    # Thread n runs the nth map of every job, so the maps of one job always end at about the same time.
    maps = sorted(worker.bell.waiting, key=lambda step_message: str(step_message.step_id))
    worker.bell.waiting = []
    places = {row.id: row for row in scene.read_steps(Step.id, Step.job_id, Step.index, kind="map")}
    by_thread = [
        [w for w in sorted(maps, key=lambda w: str(places[w.step_id].job_id)) if places[w.step_id][2] == number]
        for number in range(MAPS)
    ]
    with ThreadPoolExecutor(MAPS) as pool:
        list(pool.map(lambda step_messages: [worker.run_step(each.step_id) for each in step_messages], by_thread))
    assert [step_message.kind for step_message in worker.bell.waiting] == ["reduce"] * JOBS
    for step_message in worker.bell.waiting:
        worker.run_step(step_message.step_id)
    assert_nothing_lost_or_doubled(scene.engine)
    assert scene.count("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == JOBS
