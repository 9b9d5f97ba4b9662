"""A document: a text as ingested; the hash of its content is its identity."""

from __future__ import annotations

import hashlib

from sqlalchemy import CheckConstraint, Computed
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, CreatedAt, Json


class Document(Base):
    """One normalized text; the same text is stored once, whoever submits it."""

    __tablename__ = "documents"
    __table_args__ = (
        CheckConstraint("length(sha256) = 64", "sha256_is_hex"),
        CheckConstraint("format IN ('markdown', 'text')", "format_is_known"),
        CheckConstraint("text ~ '\\S'", "text_is_not_blank"),
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    format: Mapped[str]
    text: Mapped[str]
    characters: Mapped[int] = mapped_column(Computed("char_length(text)", persisted=True))
    title: Mapped[str | None]
    # What the reader found beside the text: author, dates, page count.
    details: Mapped[Json] = mapped_column(server_default="{}")
    created_at: Mapped[CreatedAt]


def hash_document(text: str, document_format: str) -> str:
    """Return a document's identity: SHA-256 over its format and its normalized text, as 64 hex digits."""
    return hashlib.sha256(f"{document_format}\n{text}".encode()).hexdigest()
