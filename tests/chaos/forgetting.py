"""Comparison of a cluster with the ledger of a soak: what was deleted has left nothing, and all else is whole."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models.job import Job
from models.tables import Batch, Deletion, Document
from tests.chaos.invariants import Findings
from tests.chaos.ledger import MARKER, Ledger
from tests.chaos.scene import Scene
from tests.traces import find_in_broker, find_in_logs, find_in_tables


def compare_with_ledger(scene: Scene, ledger: Ledger) -> Findings:
    """Count what is lost, what is there and was never submitted, and what a deletion has left."""
    with Session(scene.engine) as session:
        jobs = set(session.scalars(select(Job.id).where(Job.options["digest"].astext.is_distinct_from("true"))))
        batches = set(session.scalars(select(Batch.name)))
        deleted = sum(session.scalars(select(Deletion.jobs)))
    gone_digests = ledger.digests.keys() - batches
    kept = {job.id for job in ledger.kept}
    lost = {
        "lost_jobs": len(kept - jobs),
        "lost_digests": sum(not ledger.may_lack(digest) for digest in gone_digests),
        "broken_documents": sum(1 for _ in _find_broken(scene.engine, ledger)),
    }
    doubled = {"unknown_jobs": len(jobs - ledger.jobs.keys())}
    # Every job that is gone is counted by the row of a deletion, once.
    too_many = deleted - len(ledger.jobs.keys() - jobs) - len(gone_digests)
    left = {
        "undeleted_jobs": len(jobs & ledger.deleted),
        "undeleted_digests": len(batches & ledger.deleted),
        "miscounted_deletions": max(-too_many, too_many - ledger.doubtful, 0),
        **_find_left(scene, ledger),
    }
    details = {name: count for name, count in (lost | doubled | left).items() if count}
    return Findings(0, sum(lost.values()), sum(doubled.values()), sum(left.values()), details)


def _find_broken(engine: Engine, ledger: Ledger) -> Iterator[str]:
    """Yield the documents of jobs that must be there and are not, or not whole."""
    with Session(engine) as session:
        texts = {row.sha256: row.text for row in session.execute(select(Document.sha256, Document.text))}
    for document in ledger.documents:
        if texts.get(ledger.hash(document)) != ledger.texts[document]:
            yield document


def _find_left(scene: Scene, ledger: Ledger) -> dict[str, int]:
    """Count the deleted documents of which any table or the broker has a trace, and those that a log names at all."""
    gone = ledger.texts.keys() - ledger.documents
    in_tables = {f"left_in_{table}": len(hits & gone) for table, hits in find_in_tables(scene.engine, MARKER).items()}
    in_broker = {"left_in_broker": len(find_in_broker(scene.arena.broker_url, MARKER) & gone)}
    logs = [*scene.folder.glob("*.log"), *scene.arena.home.logs.glob("*.log")]
    in_logs = {f"named_in_{name}": len(hits) for name, hits in find_in_logs(logs, MARKER).items()}
    return in_tables | in_broker | in_logs
