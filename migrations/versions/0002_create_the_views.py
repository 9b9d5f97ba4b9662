"""create the views that people query.

Revision: 0002, after 0001
"""

from __future__ import annotations

from alembic import op

from migrations.views import apply_view

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# weights_comparison is made from job_summaries.
VIEWS = ("job_summaries", "batch_progress", "step_timeline", "weights_comparison", "chunk_texts")


def upgrade() -> None:
    for view in VIEWS:
        apply_view(view, revision)


def downgrade() -> None:
    for view in reversed(VIEWS):
        op.execute(f"DROP VIEW {view}")
