"""A round of ``make bench`` by Gistmill: the documents go in as jobs, and the last summary ends it."""

from __future__ import annotations

import time

from models.publisher import CeleryPublisher, OutboxPublisher, make_celery
from producer.intake import SubmissionRequest
from producer.submit import Submission, SubmissionResult
from tests.bench.pipeline_work import Task
from tests.bench.queue_cluster import Cluster

# Row of jobs whose sentences are verified.
VERIFIED = "verified"


class GistmillRun:
    """Submits the documents to the workers of one weights name and waits for the last summary.

    Args:
        cluster: their cluster.
        task: the documents.
        name: of the row and of the weights; the row of verified sentences runs on the workers of another.
    """

    def __init__(self, cluster: Cluster, task: Task, name: str) -> None:
        self._cluster, self._task, self._name = cluster, task, name
        changes = {"weights": "default", "grounding": "strict"} if name == VERIFIED else {"weights": name}
        self._options = task.options.model_copy(update=changes)
        self._rounds = 0

    def __call__(self) -> tuple[float, int]:
        """Do all of the work once and return its seconds and new tokens."""
        self._rounds += 1
        request = SubmissionRequest(f"{self._name} {self._rounds}", self._options)
        started = time.monotonic()
        app = make_celery(self._cluster.broker_url)
        Submission(
            self._cluster.engine,
            OutboxPublisher(self._cluster.engine, CeleryPublisher(app)),
            request,
            SubmissionResult(),
        ).run(self._task.sources)
        app.close()
        of_batch = " FROM jobs WHERE batch_id = :batch"
        open_jobs = f"SELECT count(*) {of_batch} AND state IN ('queued', 'running')"
        while self._cluster.read_number(open_jobs, batch=request.batch_id):
            time.sleep(0.05)
        seconds = time.monotonic() - started
        summaries = self._cluster.read_number(f"SELECT count(summary) {of_batch}", batch=request.batch_id)
        if summaries < len(self._task.sources):
            raise SystemExit(f"only {summaries:.0f} of {len(self._task.sources)} documents got a summary")
        tokens = self._cluster.read_number(
            f"SELECT sum(completion_tokens) FROM steps WHERE job_id IN (SELECT id {of_batch})", batch=request.batch_id
        )
        return seconds, int(tokens)
