"""delete jobs: deletions, and how long a batch keeps its jobs.

Revision: 0011, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

KINDS = "kind IN ('batch', 'job', 'document', 'age', 'retention')"


def upgrade() -> None:
    op.create_table(
        "deletions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("database_role", sa.String(), server_default=sa.text("current_user"), nullable=False),
        sa.Column("jobs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("steps", sa.Integer(), server_default="0", nullable=False),
        sa.Column("documents", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_deletions_kind_is_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletions")),
    )
    op.create_index(
        "ix_deletions_unfinished", "deletions", ["created_at"], postgresql_where=sa.text("finished_at IS NULL")
    )
    op.add_column("batches", sa.Column("retention_days", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_batches_retention_days_is_positive"), "batches", "retention_days > 0")
    op.create_index("ix_jobs_finished_at", "jobs", ["finished_at"], postgresql_where=sa.text("finished_at IS NOT NULL"))


def downgrade() -> None:
    op.drop_index("ix_jobs_finished_at", table_name="jobs")
    op.drop_constraint(op.f("ck_batches_retention_days_is_positive"), "batches")
    op.drop_column("batches", "retention_days")
    op.drop_table("deletions")
