"""serve over HTTP: batches of chat requests with their files, webhooks, and keys of requests that may be repeated.

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = ("plan", "stuff", "map", "collapse", "reduce", "refine", "extract", "evaluate")
OPEN = "status IN ('validating', 'in_progress', 'finalizing', 'cancelling')"
STATUSES = ("validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "expired", "cancelled")


def upgrade() -> None:
    _replace_kinds((*KINDS, "chat"))
    _create_files()
    _create_chat_batches()
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _time("available_at", default=True),
        sa.Column("error", sa.String(), nullable=True),
        _time("created_at", default=True),
        _time("delivered_at"),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state_is_known"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_id", "url"),
    )
    op.create_index("ix_webhooks_waiting", "webhooks", ["available_at"], postgresql_where=sa.text("state = 'waiting'"))
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=False),
        _json("answer"),
        _time("created_at", default=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    for table in ("idempotency_keys", "webhooks", "chat_batches", "file_parts", "files"):
        op.drop_table(table)
    # The schema before knows no such steps, and an open job without one would never end.
    op.execute(
        "UPDATE jobs SET state = 'cancelled', reason = 'cancelled by a downgrade', pending = 0, finished_at = now() "
        "WHERE strategy = 'chat' AND state IN ('queued', 'running')"
    )
    op.execute("DELETE FROM steps WHERE kind = 'chat'")
    _replace_kinds(KINDS)


def _create_files() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        _time("created_at", default=True),
        sa.CheckConstraint("purpose IN ('batch', 'batch_output', 'batch_errors')", name="purpose_is_known"),
        sa.CheckConstraint("(purpose = 'batch') = (batch_id IS NULL)", name="batch_of_what_was_written"),
        sa.CheckConstraint("bytes >= 0", name="bytes_is_not_negative"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_files_created_at", "files", ["created_at", "id"])
    op.create_index("ix_files_batch_id", "files", ["batch_id"])
    op.create_table(
        "file_parts",
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("file_id", "index"),
    )


def _create_chat_batches() -> None:
    op.create_table(
        "chat_batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("input_file", sa.Uuid(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("completion_window", sa.String(), nullable=False),
        _json("labels"),
        sa.Column("status", sa.String(), nullable=False),
        _json("errors"),
        sa.Column("lines", sa.Integer(), nullable=True),
        sa.Column("stored", sa.Integer(), server_default="0", nullable=False),
        sa.Column("output_file", sa.Uuid(), nullable=True),
        sa.Column("error_file", sa.Uuid(), nullable=True),
        _time("created_at", default=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _time("in_progress_at"),
        _time("finalizing_at"),
        _time("cancelling_at"),
        _time("ended_at"),
        sa.CheckConstraint(f"status IN ({', '.join(map(repr, STATUSES))})", name="status_is_known"),
        sa.CheckConstraint("0 <= stored AND stored <= coalesce(lines, 0)", name="stored_is_a_part"),
        sa.ForeignKeyConstraint(["id"], ["batches.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_chat_batches_open", "chat_batches", ["created_at"], postgresql_where=sa.text(OPEN))
    op.create_index("ix_chat_batches_created_at", "chat_batches", ["created_at", "id"])


def _time(name: str, *, default: bool = False) -> sa.Column[object]:
    moment = sa.DateTime(timezone=True)
    return sa.Column(name, moment, server_default=sa.func.now() if default else None, nullable=not default)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("kind_is_known", "steps", type_="check")
    op.create_check_constraint("kind_is_known", "steps", f"kind IN ({', '.join(map(repr, kinds))})")
