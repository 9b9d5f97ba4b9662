"""index the schemas: the jobs with a schema of their summaries, which exports of all batches look for first.

Revision: 0015, after 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

HAS_SCHEMA = "(options ->> 'output_schema') IS NOT NULL"


def upgrade() -> None:
    op.create_index("ix_jobs_output_schema", "jobs", ["created_at"], postgresql_where=sa.text(HAS_SCHEMA))


def downgrade() -> None:
    op.drop_index("ix_jobs_output_schema", table_name="jobs")
