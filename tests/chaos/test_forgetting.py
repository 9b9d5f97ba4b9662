"""The comparison at the end of a soak: it finds lost jobs, changed documents and what a deletion has left."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.deletion import DeletionRequest, begin_deletion, carry_out
from models.tables import DeletionKind
from tests.chaos.events import Load, Producers
from tests.chaos.forgetting import compare_with_ledger
from tests.chaos.scene import Scene


def test_the_comparison_finds_what_is_lost_and_what_is_left(scene: Scene) -> None:
    producers = Producers(scene, Load(chunks={"stuff": (1, 1)}), seed=1)
    producers.submit("pile", 3)
    deleted, lost, kept = producers.ledger.kept
    assert compare_with_ledger(scene, producers.ledger).details == {}

    producers.ledger.delete([deleted])
    assert compare_with_ledger(scene, producers.ledger).details == {
        "undeleted_jobs": 1,
        **dict.fromkeys(("left_in_documents", "left_in_jobs"), 1),
        "left_in_broker": 1,
    }

    with Session(scene.engine) as session, session.begin():
        deletion = begin_deletion(session, DeletionRequest(DeletionKind.JOB, str(deleted.id)), by="a test")
    carry_out(scene.engine, deletion)
    scene.arena.empty_broker()
    assert compare_with_ledger(scene, producers.ledger).details == {}

    harm = (
        "UPDATE batches SET options = jsonb_build_object('of', CAST(:deleted AS text))",
        "DELETE FROM jobs WHERE id = :lost",
        "UPDATE documents SET text = 'other' WHERE sha256 = :kept",
    )
    values = {"deleted": deleted.document, "lost": lost.id, "kept": producers.ledger.hash(kept.document)}
    with scene.engine.begin() as transaction:
        for statement in harm:
            transaction.execute(text(statement), values)
    assert compare_with_ledger(scene, producers.ledger).details == {
        "lost_jobs": 1,
        "broken_documents": 1,
        "miscounted_deletions": 1,
        "left_in_batches": 1,
    }
