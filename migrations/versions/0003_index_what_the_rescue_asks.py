"""index what the rescue asks every few seconds.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IS_READY = sa.text("state = 'ready'")
IS_CANCELLING = sa.text("state IN ('queued', 'running') AND cancel_requested_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_steps_ready_queue", table_name="steps")
    op.create_index("ix_steps_ready_queue", "steps", ["queue", "priority", "dispatched_at"], postgresql_where=IS_READY)
    op.create_index("ix_jobs_cancelling", "jobs", ["cancel_requested_at"], postgresql_where=IS_CANCELLING)


def downgrade() -> None:
    op.drop_index("ix_jobs_cancelling", table_name="jobs")
    op.drop_index("ix_steps_ready_queue", table_name="steps")
    op.create_index("ix_steps_ready_queue", "steps", ["queue"], postgresql_where=IS_READY)
