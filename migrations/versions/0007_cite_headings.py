"""cite headings: a citation names the headings above its passage, and no longer those of its chunk.

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.views import apply_view

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("headings", postgresql.JSONB(none_as_null=True), nullable=True))
    apply_view("summary_sentences", revision)


def downgrade() -> None:
    # Replaced first, because it reads the column.
    apply_view("summary_sentences", "0006")
    op.drop_column("jobs", "headings")
