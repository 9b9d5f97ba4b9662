"""What a check leaves behind for a job whose summary has one false sentence."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from models.job import Job
from models.tables import Evaluation

DOUBTED = "A ship sank. Boris saved 70 people. "
SENTENCES = [
    {"text": "A ship sank.", "start": 0, "end": 12, "is_marked": False, "doubts": []},
    {
        "text": "Boris saved 70 people.",
        "start": 13,
        "end": 35,
        "is_marked": True,
        "doubts": [
            {"text": "70", "start": 25, "end": 27, "reason": "only the summary has it", "source_answer": "40"},
        ],
    },
]
QUESTION = {"question": "Boris saved ____ people.", "summary_answer": "70", "source_answer": "40", "f1": 0.0}


def add_evidence(session: Session, job_id: UUID) -> None:
    """Store a consistency and a QAGS score of 0.2 with their evidence, and a review."""
    for metric, evidence in (("consistency", {"sentences": SENTENCES}), ("qags", {"questions": [QUESTION]})):
        session.execute(insert(Evaluation).values(job_id=job_id, metric=metric, value=0.2, evidence=evidence))
    review = "its least supported sentence has a support of 0.200, below the gate of 0.5"
    session.execute(update(Job).where(Job.id == job_id).values(review=review))
