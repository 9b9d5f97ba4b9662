"""count what was generated: a cached step takes the tokens of another one over, and nobody read or wrote them again.

Revision: 0005, after 0004
"""

from __future__ import annotations

from migrations.views import apply_view

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

VIEWS = ("job_summaries", "batch_progress")


def upgrade() -> None:
    for view in VIEWS:
        apply_view(view, revision)


def downgrade() -> None:
    for view in VIEWS:
        apply_view(view, "0004")
