"""partition steps: one partition a month for steps and attempts, beside running workers and without rewriting a row.

The old tables become the partition of the random ids that they hold. Their rows are read once, for a constraint and for
the table of cached results, without a lock that a worker would notice; the exchange itself takes milliseconds.

Revision: 0013, after 0012
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

from migrations.step_partitions import (
    COPY_RIGHTS,
    CREATE_FUNCTIONS,
    DROP_FUNCTIONS,
    FIRST_RANDOM,
    JOIN_TABLES,
    SPLIT_TABLES,
    run_script,
)
from migrations.views import apply_view

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# Each view that reads steps, with the revision that made its definition.
VIEWS = {"job_summaries": "0013", "batch_progress": "0013", "step_timeline": "0004", "weights_comparison": "0006"}
OLD_VIEWS = {"job_summaries": "0010", "batch_progress": "0006", "step_timeline": "0004", "weights_comparison": "0006"}
# Keys of the tables.
KEYS = {"steps": "id", "step_attempts": "step_id"}
# Seconds of one try to lock a table, for which a worker may wait behind it, and the number of tries.
LOCK_SECONDS = 2
TRIES = 150

FILL_CACHE = """
INSERT INTO cached_results (identity, step_id)
SELECT identity, id FROM steps
WHERE state = 'done' AND identity IS NOT NULL AND NOT guards @> '[{"stands": true}]'
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        _prepare()
    _repeat(_lock)
    run_script(SPLIT_TABLES)
    run_script(COPY_RIGHTS.format(old="steps_old", new="steps"))
    run_script(COPY_RIGHTS.format(old="step_attempts_old", new="step_attempts"))
    run_script(CREATE_FUNCTIONS)
    run_script("SELECT add_step_partitions()")
    for view, made_by in VIEWS.items():
        apply_view(view, made_by)


def downgrade() -> None:
    _repeat(_lock)
    run_script(JOIN_TABLES)
    run_script(COPY_RIGHTS.format(old="steps_split", new="steps"))
    run_script(COPY_RIGHTS.format(old="step_attempts_split", new="step_attempts"))
    for view, made_by in OLD_VIEWS.items():
        apply_view(view, made_by)
    run_script(DROP_FUNCTIONS)


def _prepare() -> None:
    """Do what reads all rows, in statements that commit by themselves; an earlier try may have ended anywhere."""
    op.execute("DROP TABLE IF EXISTS cached_results")
    op.create_table(
        "cached_results",
        sa.Column("identity", sa.String(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_cached_results")),
    )
    run_script(FILL_CACHE)
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_steps_old_job_id")
    op.execute("CREATE INDEX CONCURRENTLY ix_steps_old_job_id ON steps (job_id, id)")
    op.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    for table, column in KEYS.items():
        _repeat(partial(op.drop_constraint, op.f("is_random"), table, if_exists=True))
        is_random = sa.column(column) >= sa.text(f"'{FIRST_RANDOM}'")
        # New code may have worked on this schema: its ids are not random, and such rows are moved instead.
        if op.get_bind().scalar(sa.select(sa.exists().select_from(sa.table(table)).where(~is_random))):
            continue
        _repeat(partial(op.create_check_constraint, op.f("is_random"), table, is_random, postgresql_not_valid=True))
        _repeat(partial(op.execute, f"ALTER TABLE {table} VALIDATE CONSTRAINT is_random"))
    op.execute("RESET lock_timeout")


def _lock() -> None:
    connection = op.get_bind()
    with connection.begin_nested():
        op.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        op.execute("LOCK TABLE jobs, steps, step_attempts IN ACCESS EXCLUSIVE MODE")
        op.execute("SET LOCAL lock_timeout = 0")


def _repeat(change: Callable[[], object]) -> None:
    """Run a change that locks tables; give up early and try again, because workers queue behind one that waits."""
    for _ in range(TRIES - 1):
        try:
            change()
        except OperationalError:
            time.sleep(1)
        else:
            return
    change()
