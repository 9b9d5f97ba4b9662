"""Files that a program has uploaded, in parts; and those that are written from the jobs of a batch as they are read."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, one_of


class FilePurpose(StrEnum):
    """Use of a file: lines to complete; the answers to them; the errors of those that have none."""

    BATCH = "batch"
    OUTPUT = "batch_output"
    ERRORS = "batch_errors"


class StoredFile(Base):
    """One file; that of a purpose other than ``batch`` has no parts, because its text is in the jobs of its batch."""

    __tablename__ = "files"
    __table_args__ = (
        CheckConstraint(one_of("purpose", FilePurpose), "purpose_is_known"),
        CheckConstraint("(purpose = 'batch') = (batch_id IS NULL)", "batch_of_what_was_written"),
        CheckConstraint("bytes >= 0", "bytes_is_not_negative"),
        Index("ix_files_created_at", "created_at", "id"),
        Index("ix_files_batch_id", "batch_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    # A label.
    filename: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]


class FilePart(Base):
    """One part of an uploaded file; the parts in the order of their indexes are its content."""

    __tablename__ = "file_parts"

    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
