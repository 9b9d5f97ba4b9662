"""digest batches: which span of a digest's document is the summary of which job.

Revision: 0012, after 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "digest_parts",
        sa.Column("digest_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("start_at", sa.Integer(), nullable=False),
        sa.Column("end_at", sa.Integer(), nullable=False),
        sa.Column("sentences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("0 <= start_at AND start_at < end_at", name=op.f("ck_digest_parts_span_is_not_empty")),
        sa.ForeignKeyConstraint(
            ["digest_id"], ["jobs.id"], name=op.f("fk_digest_parts_digest_id_jobs"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_digest_parts_job_id_jobs"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("digest_id", "index", name=op.f("pk_digest_parts")),
    )
    op.create_index("ix_digest_parts_job_id", "digest_parts", ["job_id"])


def downgrade() -> None:
    op.drop_table("digest_parts")
