"""Deletes jobs as users name them: a batch, a job, every job of a document, or what ended long ago."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import Engine, Select, select
from sqlalchemy.orm import Session

from models.deletion import DeletionRequest, begin_deletion, begin_retention, carry_out, list_unfinished, may_delete
from models.errors import SettingsError, UnknownIdError
from models.lookup import Target, find_target
from models.session import explain_outage
from models.tables import Deletion, DeletionKind, Document
from producer.filters import find_moment

# Hex digits of a document's hash that name it; with fewer, a typing error would match some document.
MIN_DIGITS = 8
HEX_DIGITS = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class DeletionRecord:
    """Outcome of a deletion.

    Args:
        id: id of its row, which stays.
        jobs: number of jobs.
        steps: number of their steps.
        documents: number of documents that no other job needed.
    """

    id: UUID
    jobs: int
    steps: int
    documents: int


class DeletionChoice(TypedDict, total=False):
    """Choice of jobs to delete, in place of the name of a batch or job."""

    document: str | None
    older_than: datetime | timedelta | str | None


def choose_deletion(session: Session, name: str | None, choice: Mapping[str, Any]) -> DeletionRequest:
    """Return the request for a name of a batch or job, or for a choice in place of it.

    Raises:
        SettingsError: not exactly one of them is given, or it is no moment that is past.
        UnknownIdError: there is no such batch, job or document.
    """
    for unknown in choice.keys() - DeletionChoice.__annotations__.keys():
        raise SettingsError(f"there is no choice {unknown!r}; give {', '.join(DeletionChoice.__annotations__)}")
    document, older_than = choice.get("document"), choice.get("older_than")
    if sum(given is not None for given in (name, document, older_than)) != 1:
        raise SettingsError("give one of a batch or job, document and older_than")
    if name is not None:
        return request_target(find_target(session, name))
    return _request_older(older_than) if older_than is not None else _request_document(session, document or "")


def request_target(target: Target) -> DeletionRequest:
    """Return the request to delete a batch or a job."""
    if target.job_id is None:
        return DeletionRequest(DeletionKind.BATCH, str(target.batch_id))
    return DeletionRequest(DeletionKind.JOB, str(target.job_id))


def _request_document(session: Session, digits: str) -> DeletionRequest:
    """Return the request to delete all jobs of a document, named by its SHA-256 or the beginning of it.

    Raises:
        UnknownIdError: no document or several have it.
    """
    digits = digits.lower()
    if len(digits) < MIN_DIGITS or not HEX_DIGITS.fullmatch(digits):
        raise UnknownIdError(
            f"{digits!r} is not the SHA-256 of a document: {MIN_DIGITS} to 64 hex digits, as `gistmill show` prints it"
        )
    found = list(session.scalars(_select_documents(digits).limit(2)))
    if len(found) != 1:
        what = "several documents have" if found else "no document has"
        raise UnknownIdError(f"{what} a SHA-256 that begins with {digits}; `gistmill show JOB` prints that of a job")
    return DeletionRequest(DeletionKind.DOCUMENT, found[0])


def _request_older(moment: datetime | timedelta | str) -> DeletionRequest:
    """Return the request to delete the jobs that ended before a moment, given as such, as an age or as text.

    Raises:
        SettingsError: it is no moment, or one that is still to come.
    """
    found = find_moment(moment)
    if found > datetime.now().astimezone():
        raise SettingsError(f"{moment} is still to come; give an age such as 90d, or a date that is past")
    return DeletionRequest(DeletionKind.AGE, found.isoformat())


def delete_requested(engine: Engine, request: DeletionRequest) -> DeletionRecord:
    """Delete the jobs of a request in blocks, beside running work; what an interrupt leaves, a worker deletes.

    Raises:
        UnreachableError: the database does not answer.
        SettingsError: the role may not delete.
    """
    with explain_outage(engine), Session(engine) as session, session.begin():
        # Before the row: a worker whose role may delete would carry it out.
        if not may_delete(session):
            raise SettingsError("the role of this database address may not delete; use that of gistmill_deleter")
        deletion_id = begin_deletion(session, request, by=_name_caller())
    with explain_outage(engine):
        carry_out(engine, deletion_id)
    with Session(engine) as session:
        return _read_record(session, deletion_id)


def delete_expired(engine: Engine, *, retention_days: int | None) -> list[DeletionRecord]:
    """Complete unfinished deletions, and delete the jobs that their batch, or else the setting, keeps no longer."""
    with explain_outage(engine):
        with Session(engine) as session, session.begin():
            begin_retention(session, retention_days=retention_days, by=_name_caller())
            due = list_unfinished(session)
        for deletion_id in due:
            carry_out(engine, deletion_id)
    with Session(engine) as session:
        return [_read_record(session, deletion_id) for deletion_id in due]


def _read_record(session: Session, deletion_id: UUID) -> DeletionRecord:
    done = session.get_one(Deletion, deletion_id)
    return DeletionRecord(deletion_id, jobs=done.jobs, steps=done.steps, documents=done.documents)


def _select_documents(digits: str) -> Select[str]:
    # A range, so that the primary key's index finds all between.
    return select(Document.sha256).where(Document.sha256.between(digits.ljust(64, "0"), digits.ljust(64, "f")))


def _name_caller() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"
