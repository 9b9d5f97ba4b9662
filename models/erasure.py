"""Statements that delete jobs, documents and batches, with the names and texts of them that other tables hold.

Foreign keys take what hangs on a job or a batch. Here is the rest: uploads that the requests of chat jobs come from,
answers to requests that may be repeated, the paths of a submission, and documents and batches that are left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from models.chat import CHAT_STRATEGY, ChatBatch, is_being_read
from models.files import FilePurpose, StoredFile
from models.job import Job
from models.step_updates import affected_rows
from models.tables import Batch, Document
from models.webhook import IdempotencyKey

# Option of a batch that holds the names of files.
PATHS = "paths"
# The rows are not loaded, so the session holds none of them.
UNSYNCHRONIZED = {"synchronize_session": False}


def delete_jobs(session: Session, jobs: Sequence[UUID], *, are_whole_batches: bool = False) -> None:
    """Delete jobs and what tells of them elsewhere, with the batches that hold no other job.

    Args:
        session: the caller commits.
        jobs: ids of the jobs.
        are_whole_batches: whether all other jobs of their batches are deleted next, those that are still to come too.
    """
    batches = session.scalars(select(Job.batch_id).where(Job.id.in_(jobs)).distinct()).all()
    chats = select(Job.batch_id).where(Job.id.in_(jobs), Job.strategy == CHAT_STRATEGY)
    _delete_uploads(session, chats, being_read=are_whole_batches)
    _delete_answers(session, batches)
    session.execute(delete(Job).where(Job.id.in_(jobs)).execution_options(**UNSYNCHRONIZED))
    # Before the paths are removed: no row is written that goes at once.
    delete_batches(session, Batch.id.in_(batches) & ~is_being_filled())
    holds_paths = Batch.id.in_(batches) & Batch.options.has_key(PATHS)
    without_paths = update(Batch).where(holds_paths).values(options=Batch.options.op("-")(PATHS))
    session.execute(without_paths.execution_options(**UNSYNCHRONIZED))


def delete_documents(session: Session, documents: Sequence[str]) -> int:
    """Delete the documents that no job needs, and return their number."""
    # Locked in a statement of its own: the next one then sees every job that was submitted meanwhile.
    session.execute(
        select(Document.sha256).where(Document.sha256.in_(documents)).order_by(Document.sha256).with_for_update()
    )
    unneeded = delete(Document).where(
        Document.sha256.in_(documents), ~exists().where(Job.document_sha256 == Document.sha256)
    )
    return affected_rows(session.execute(unneeded.execution_options(**UNSYNCHRONIZED)))


def delete_batches(session: Session, chosen: ColumnElement[bool]) -> None:
    """Delete the chosen batches that have no job."""
    is_empty = chosen & ~exists().where(Job.batch_id == Batch.id)
    empty = session.scalars(select(Batch.id).where(is_empty)).all()
    if not empty:
        return
    _delete_uploads(session, empty, being_read=True)
    _delete_answers(session, empty)
    session.execute(delete(Batch).where(Batch.id.in_(empty), is_empty).execution_options(**UNSYNCHRONIZED))


def is_being_filled() -> ColumnElement[bool]:
    """Return the SQL condition that lines of its file are to become jobs of a batch."""
    return exists().where(ChatBatch.id == Batch.id, is_being_read(ChatBatch))


def delete_unused_uploads(session: Session, before: ColumnElement[datetime] | datetime) -> None:
    """Delete the files that were uploaded before a moment and that no batch has come from."""
    is_used = exists().where(ChatBatch.input_file == StoredFile.id)
    is_upload = StoredFile.purpose == FilePurpose.BATCH
    unused = delete(StoredFile).where(is_upload, StoredFile.created_at < before, ~is_used)
    session.execute(unused.execution_options(**UNSYNCHRONIZED))


def delete_spared_upload(session: Session, batch_id: UUID, *, lines: int) -> None:
    """Delete the file of a chat batch of which jobs were deleted while it was read; the caller commits.

    Args:
        session: of a role that may delete.
        batch_id: a batch whose lines have all become jobs.
        lines: their number.
    """
    jobs = session.scalar(select(func.count()).select_from(Job).where(Job.batch_id == batch_id))
    if jobs != lines:
        _delete_uploads(session, [batch_id], being_read=False)


def _delete_uploads(session: Session, batches: Sequence[UUID] | Select[UUID], *, being_read: bool) -> None:
    """Delete the uploaded files that chat batches come from, with all requests in them.

    A file that a batch still reads stays, because the requests which are no jobs yet would be lost.

    Args:
        session: the caller commits.
        batches: ids of the batches.
        being_read: delete a file too that none but these batches still reads.
    """
    readers = aliased(ChatBatch)
    is_needed = exists().where(readers.input_file == StoredFile.id, is_being_read(readers))
    if being_read:
        is_needed = is_needed.where(readers.id.not_in(batches))
    uploads = select(ChatBatch.input_file).where(ChatBatch.id.in_(batches))
    session.execute(
        delete(StoredFile).where(StoredFile.id.in_(uploads), ~is_needed).execution_options(**UNSYNCHRONIZED)
    )


def _delete_answers(session: Session, batches: Sequence[UUID]) -> None:
    """Delete the answers that name batches and their documents; ids in them end with the digits of a batch's own."""
    digits = func.right(func.replace(IdempotencyKey.answer["id"].astext, "-", ""), 32)
    session.execute(
        delete(IdempotencyKey).where(digits.in_([batch.hex for batch in batches])).execution_options(**UNSYNCHRONIZED)
    )
