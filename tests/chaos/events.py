"""Work that producers do during a soak, drawn from its seed: they submit, delete, and make digests.

A deletion has a process of its own, which is sometimes killed in the middle: a worker must complete it.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import models.deletion
from models.deletion import DeletionRequest, begin_deletion, carry_out
from models.errors import UnreachableError
from models.job import Priority
from models.lookup import Target
from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from models.session import connect
from models.tables import DeletionKind
from producer.digest import prepare_digest, submit_digest
from producer.errors import SubmissionError
from producer.intake import SubmissionRequest, batch_id
from producer.sources.source import Source
from producer.submit import Submission, SubmissionResult
from tests.chaos.ledger import Ledger
from tests.chaos.scene import Scene, choose_options, write_text
from tests.fake_worker import CONTEXT

# Jobs per submission: as the time goes on, so that every fault finds work.
BLOCK_JOBS = 20
# Other things that are done after each submission.
BLOCK_EVENTS = 2
# Documents that a submission shares with earlier ones, and documents that a batch gets later.
SHARED, ADDED = 4, 3
# Share of the deletions whose process is killed, so many seconds after it has recorded them at most.
KILLED, KILL_SECONDS = 0.4, 0.05
# Jobs per transaction of a deletion: several for a batch, so that a kill hits between two.
DELETED_JOBS = 5
# Days that a batch keeps its jobs, and by which they are made older.
KEPT_DAYS, AGED_DAYS = 30, 40
# Seconds until an outage is tried again.
AWAY_SECONDS = 0.2
# The latest of something, which are likely to be at work: half of the events are about them.
LATEST = 5

# Batches that a digest can be made of, the oldest first.
SUMMARIZED = """
SELECT name FROM batches WHERE EXISTS (SELECT FROM jobs WHERE batch_id = batches.id AND summary IS NOT NULL)
ORDER BY created_at, name"""
ENDED = "SELECT id FROM jobs WHERE id = ANY (:ids) AND finished_at IS NOT NULL"
MAKE_OLDER = (
    "UPDATE batches SET retention_days = :kept WHERE name = :batch",
    "UPDATE jobs SET finished_at = finished_at - make_interval(days => :aged) WHERE id = ANY (:ids)",
)
Candidate = TypeVar("Candidate")


@dataclass(frozen=True, slots=True)
class Load:
    """Documents and options of the jobs.

    Args:
        chunks: least and most chunks of a document, by strategy.
        options: further options of the jobs.
        digest_options: options of the digests.
    """

    chunks: Mapping[str, tuple[int, int]]
    options: Mapping[str, Any] = field(default_factory=dict)
    digest_options: Mapping[str, Any] = field(default_factory=dict)


class Producers:
    """Everybody who submits and deletes; what they did is in ``ledger``, and how often in ``counts``."""

    def __init__(self, scene: Scene, load: Load, *, seed: int) -> None:
        self._scene = scene
        self._load = load
        self._random = random.Random(seed)
        self._outages = 0
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self._events: dict[str, tuple[int, Callable[[], None]]] = {
            "batch added to": (3, self._add_to_batch),
            "digest": (5, self._make_digest),
            "batch deleted": (2, self._delete_batch),
            "job deleted": (3, self._delete_job),
            "document deleted": (3, self._delete_document),
            "jobs kept no longer": (2, self._delete_expired),
            "digest deleted": (1, self._delete_digest),
        }

    def run(self, jobs: int, *, seconds: float) -> None:
        """Submit blocks of jobs over that time, and do other things after each."""
        blocks = -(-jobs // BLOCK_JOBS)
        began = time.monotonic()
        names, weights = list(self._events), [weight for weight, _ in self._events.values()]
        for block in range(blocks):
            time.sleep(max(0.0, began + block * seconds / blocks - time.monotonic()))
            self.submit(f"block{block}", min(BLOCK_JOBS, jobs - block * BLOCK_JOBS), shared=SHARED)
            for name in self._random.choices(names, weights, k=BLOCK_EVENTS):
                if not self.ledger.kept:
                    # Early on the only batch can be deleted; the next block brings another.
                    break
                self._events[name][1]()
                self.counts[name] += 1

    def submit(self, batch: str, count: int, *, shared: int = 0) -> None:
        """Submit new documents to a batch, with some that other batches have."""
        strategy = self._random.choice(list(self._load.chunks))
        others = sorted(self.ledger.documents - {job.document for job in self.ledger.list_jobs(batch=batch)})
        documents = self._random.sample(others, min(shared, len(others)))
        while len(documents) < count:
            chunks = self._random.randint(*self._load.chunks[strategy])
            documents.append(self.ledger.add_document(partial(write_text, sections=chunks)))
        options = choose_options(strategy=strategy, **self._load.options)
        request = SubmissionRequest(batch, options, self._random.choice(list(Priority)))
        self.ledger.accept(batch, documents, options)
        sources = [Source(document, self.ledger.texts[document], "markdown") for document in documents]
        self._insist(
            lambda publisher: Submission(self._scene.engine, publisher, request, SubmissionResult()).run(sources)
        )

    def _add_to_batch(self) -> None:
        self.submit(self._pick(self.ledger.batches), ADDED, shared=1)

    def _make_digest(self) -> None:
        """Make a digest of a batch, or of a digest, that has a summary: ended, at work, or about to be deleted."""
        sources: list[str] = []
        self._insist(lambda _: sources.extend(self._read(SUMMARIZED)))
        if not sources:
            return
        source = self._pick(sources)
        name = f"digest{self.counts['digest']}"
        request = prepare_digest(Target(batch_id(source), source), self._load.digest_options, by=None, name=name)
        outages = self._outages
        try:
            self._insist(lambda publisher: submit_digest(self._scene.engine, publisher, request))
        except SubmissionError:
            # After an outage the first try may have made it, and a deletion that a worker completes taken it.
            self.ledger.doubtful += self._outages > outages
        else:
            self.ledger.digests[name] = source

    def _delete_batch(self) -> None:
        batch = self._pick(self.ledger.batches)
        self.ledger.delete(self.ledger.list_jobs(batch=batch))
        self._delete(DeletionKind.BATCH, str(batch_id(batch)))

    def _delete_job(self) -> None:
        job = self._pick(self.ledger.kept)
        self.ledger.delete([job])
        self._delete(DeletionKind.JOB, str(job.id))

    def _delete_document(self) -> None:
        document = self._pick(self.ledger.kept).document
        self.ledger.delete(self.ledger.list_jobs(document=document))
        self._delete(DeletionKind.DOCUMENT, self.ledger.hash(document))

    def _delete_digest(self) -> None:
        if not self.ledger.kept_digests:
            return
        digest = self._pick(self.ledger.kept_digests)
        self.ledger.deleted.add(digest)
        self._delete(DeletionKind.BATCH, str(batch_id(digest)))

    def _delete_expired(self) -> None:
        """Make jobs of a batch that have ended older than it keeps them, and delete them for that."""
        batch = self._pick(self.ledger.batches)
        ids = [job.id for job in self.ledger.list_jobs(batch=batch)]
        values: dict[str, Any] = {"batch": batch, "kept": KEPT_DAYS, "aged": AGED_DAYS}

        def age() -> None:
            with Session(self._scene.engine) as session, session.begin():
                for statement in MAKE_OLDER:
                    session.execute(text(statement), values)

        self._insist(lambda _: values.update(ids=self._read(ENDED, ids=ids)))
        self.ledger.deleted.update(values["ids"])
        self._insist(lambda _: age())
        self._delete(DeletionKind.RETENTION, "")

    def _delete(self, kind: DeletionKind, subject: str) -> None:
        """Delete in a process of its own, which is sometimes killed after its deletion is recorded."""
        is_killed = self._random.random() < KILLED
        seconds = self._random.uniform(0, KILL_SECONDS)
        while True:
            recorded = CONTEXT.Event()
            arguments = (self._scene.database_url, DeletionRequest(kind, subject), recorded)
            process = CONTEXT.Process(target=run_deletion, args=arguments, daemon=True)
            process.start()
            while process.is_alive() and not recorded.wait(AWAY_SECONDS):
                pass
            if recorded.is_set():
                break
        if is_killed:
            time.sleep(seconds)
            self.counts["deletion killed"] += process.is_alive()
            process.kill()
        process.join()

    def _insist(self, act: Callable[[OutboxPublisher], object]) -> None:
        """Act as a user does, again if Postgres was away: the same submission creates nothing twice."""
        app = make_celery(self._scene.arena.broker_url)
        publisher = OutboxPublisher(self._scene.engine, CeleryPublisher(app))
        try:
            while True:
                try:
                    act(publisher)
                except (OperationalError, UnreachableError):
                    self._outages += 1
                    time.sleep(AWAY_SECONDS)
                else:
                    return
        finally:
            app.close()

    def _read(self, statement: str, **values: object) -> list[Any]:
        with Session(self._scene.engine) as session:
            return list(session.scalars(text(statement), values))

    def _pick(self, candidates: Sequence[Candidate]) -> Candidate:
        """Choose among all, or among the latest, which are at work."""
        return self._random.choice(self._random.choice([candidates, candidates[-LATEST:]]))


def run_deletion(database_url: str, request: DeletionRequest, recorded: Event) -> None:
    """Record a deletion, say so, and carry it out; a worker completes it if this process dies."""
    models.deletion.BLOCK_JOBS = DELETED_JOBS
    engine = connect(database_url, pool_size=1)
    try:
        with Session(engine) as session, session.begin():
            deletion = begin_deletion(session, request, by="soak")
        recorded.set()
        carry_out(engine, deletion)
    except OperationalError:
        sys.exit(1)
