"""name the weights: which weights made a summary, in words and by their fingerprint.

Revision: 0014, after 0013
"""

from __future__ import annotations

from alembic import op

from migrations.views import apply_view

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# The views that change, with the revision of the definition before.
CHANGED_VIEWS = {"job_summaries": "0013", "weights_comparison": "0006"}


def upgrade() -> None:
    op.create_index("ix_workers_weights_fingerprint", "workers", ["weights_fingerprint", "started_at"])
    for view in CHANGED_VIEWS:
        apply_view(view, revision)


def downgrade() -> None:
    for view in reversed(CHANGED_VIEWS):
        op.execute(f"DROP VIEW {view}")
    for view, earlier in CHANGED_VIEWS.items():
        apply_view(view, earlier)
    op.drop_index("ix_workers_weights_fingerprint", table_name="workers")
