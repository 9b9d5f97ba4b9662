"""The upgrade that keeps the order of the input, on a database that holds jobs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from migrations.run import downgrade, upgrade
from tests.conftest import Cluster

INSERT_BATCH = text("INSERT INTO batches (id, name, options) VALUES (:id, :name, '{}')")
INSERT_DOCUMENT = text("INSERT INTO documents (sha256, format, text) VALUES (:sha256, 'text', 'A text.')")
INSERT_JOB = text(
    "INSERT INTO jobs (id, batch_id, identity, document_sha256, source, options, weights, priority, state, pending, "
    "created_at) VALUES (gen_random_uuid(), :batch, :source, :sha256, :source, '{}', 'default', 3, 'queued', 1, :at)"
)
# Two blocks of a submission.
EARLIER, LATER = "2026-11-28T10:00Z", "2026-11-28T10:01Z"
JOBS = {"one": [("b", EARLIER), ("a", LATER), ("c", EARLIER)], "two": [("z", LATER), ("y", LATER)]}


def test_jobs_of_a_filled_database_get_the_places_in_which_they_were_listed(cluster: Cluster) -> None:
    downgrade(cluster.engine, "0007")
    with cluster.engine.begin() as connection:
        connection.execute(INSERT_DOCUMENT, {"sha256": "0" * 64})
        for number, (name, jobs) in enumerate(JOBS.items()):
            connection.execute(INSERT_BATCH, {"id": UUID(int=number), "name": name})
            rows = [{"batch": UUID(int=number), "source": source, "sha256": "0" * 64, "at": at} for source, at in jobs]
            connection.execute(INSERT_JOB, rows)

    upgrade(cluster.engine)

    with cluster.engine.connect() as connection:
        listed = connection.execute(
            text("SELECT batch, source, position FROM job_summaries ORDER BY batch, position")
        ).all()
        assert [tuple(row) for row in listed] == [
            ("one", "b", 0), ("one", "c", 1), ("one", "a", 2), ("two", "y", 0), ("two", "z", 1),
        ]  # fmt: skip
    downgrade(cluster.engine, "0007")
    upgrade(cluster.engine)
