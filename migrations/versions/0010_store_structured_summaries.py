"""store structured summaries: the data of summaries that follow a JSON Schema.

Revision: 0010, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.views import apply_view

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# The views that change, with the revision of the definition before; weights_comparison is made from job_summaries.
CHANGED_VIEWS = {"job_summaries": "0008", "weights_comparison": "0006"}
CONSTRAINT = "ck_jobs_data_of_a_summary"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("data", postgresql.JSONB(none_as_null=True), nullable=True))
    # Validated apart, because that takes no lock that stops workers.
    op.execute(f"ALTER TABLE jobs ADD CONSTRAINT {CONSTRAINT} CHECK (data IS NULL OR summary IS NOT NULL) NOT VALID")
    op.execute(f"ALTER TABLE jobs VALIDATE CONSTRAINT {CONSTRAINT}")
    apply_view("job_summaries", revision)


def downgrade() -> None:
    for view in reversed(CHANGED_VIEWS):
        op.execute(f"DROP VIEW {view}")
    op.drop_column("jobs", "data")
    for view, earlier in CHANGED_VIEWS.items():
        apply_view(view, earlier)
