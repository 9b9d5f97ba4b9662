"""check summaries: second tries, reviews, and what the views say of them.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.views import apply_view

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# weights_comparison is made from job_summaries.
VIEWS = ("job_summaries", "batch_progress", "step_timeline", "weights_comparison")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("round", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("review", sa.String(), nullable=True))
    op.create_check_constraint("review_of_a_summary", "jobs", "review IS NULL OR summary IS NOT NULL")
    op.add_column("steps", sa.Column("round", sa.Integer(), server_default="0", nullable=False))
    op.drop_constraint("place_is_not_negative", "steps", type_="check")
    op.create_check_constraint("place_is_not_negative", "steps", "level >= 0 AND index >= 0 AND round >= 0")
    op.drop_constraint("uq_steps_job_id_kind_level_index", "steps", type_="unique")
    op.create_unique_constraint(None, "steps", ["job_id", "round", "kind", "level", "index"])
    for view in VIEWS:
        apply_view(view, revision)


def downgrade() -> None:
    for view in reversed(VIEWS):
        op.execute(f"DROP VIEW {view}")
    op.drop_constraint("uq_steps_job_id_round_kind_level_index", "steps", type_="unique")
    # There is no place for second tries in the schema before, and nobody who takes the check of a job that has ended.
    op.execute("DELETE FROM steps WHERE round > 0 OR (kind = 'evaluate' AND state IN ('ready', 'running'))")
    op.create_unique_constraint("uq_steps_job_id_kind_level_index", "steps", ["job_id", "kind", "level", "index"])
    op.drop_constraint("place_is_not_negative", "steps", type_="check")
    op.create_check_constraint("place_is_not_negative", "steps", "level >= 0 AND index >= 0")
    op.drop_column("steps", "round")
    op.drop_constraint("review_of_a_summary", "jobs", type_="check")
    op.drop_column("jobs", "review")
    op.drop_column("jobs", "round")
    for view in VIEWS:
        apply_view(view, "0002")
