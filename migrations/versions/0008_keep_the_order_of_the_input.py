"""keep the order of the input: the place of each job in its batch.

Jobs that are there get places in the order in which they were listed before: by block of the submission, then by name.

Revision: 0008, after 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.views import apply_view

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The views that change, with the revision of the definition before; weights_comparison is made from job_summaries.
CHANGED_VIEWS = {"job_summaries": "0006", "weights_comparison": "0006"}

NUMBER_JOBS = """
UPDATE jobs SET position = numbered.position
FROM (
    SELECT id, row_number() OVER (PARTITION BY batch_id ORDER BY created_at, source, id) - 1 AS position FROM jobs
) AS numbered
WHERE jobs.id = numbered.id AND numbered.position > 0
"""


def upgrade() -> None:
    op.add_column("jobs", sa.Column("position", sa.Integer(), server_default="0", nullable=False))
    op.execute(NUMBER_JOBS)
    op.create_index("ix_jobs_position", "jobs", ["batch_id", "position"])
    apply_view("job_summaries", revision)


def downgrade() -> None:
    for view in reversed(CHANGED_VIEWS):
        op.execute(f"DROP VIEW {view}")
    op.drop_index("ix_jobs_position", table_name="jobs")
    op.drop_column("jobs", "position")
    for view, earlier in CHANGED_VIEWS.items():
        apply_view(view, earlier)
