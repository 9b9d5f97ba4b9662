"""check summaries: second tries, reviews, and what the views say of them.

Revision: 0004, after 0003
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FIRST = import_module("migrations.versions.0002_create_the_views")
COMMENTED = ("job_summaries", "batch_progress", "step_timeline", "weights_comparison")

# What a check takes is not what the summary took.
JOB_SUMMARIES = (
    FIRST.JOB_SUMMARIES.replace(
        "coalesce(sum(steps.seconds), 0) AS generation_seconds",
        "coalesce(sum(steps.seconds) FILTER (WHERE steps.kind <> 'evaluate'), 0) AS generation_seconds",
    )
    .replace(
        "    measured.metrics\nFROM jobs",
        """    measured.metrics,
    jobs.review IS NOT NULL AS needs_review,
    jobs.review,
    measured.consistency,
    jobs.state IN ('succeeded', 'partial') AND work.is_at_work AS is_being_checked,
    jobs.round AS round
FROM jobs""",
    )
    .replace(
        "AS guards\n    FROM steps",
        "AS guards,\n        coalesce(bool_or(state IN ('ready', 'running')), false) AS is_at_work\n    FROM steps",
    )
    .replace(
        "SELECT coalesce(jsonb_object_agg(evaluations.metric, evaluations.value), '{}') AS metrics",
        """SELECT
        coalesce(jsonb_object_agg(evaluations.metric, evaluations.value), '{}') AS metrics,
        max(evaluations.value) FILTER (WHERE evaluations.metric = 'consistency') AS consistency""",
    )
)

BATCH_PROGRESS = (
    FIRST.BATCH_PROGRESS.replace(
        "    work.cached_steps\nFROM batches",
        "    work.cached_steps,\n    work.being_checked,\n    counted.need_review\nFROM batches",
    )
    .replace(
        "AS cancelled,\n        min(",
        "AS cancelled,\n        count(jobs.review) AS need_review,\n        min(",
    )
    .replace(
        "count(steps.cached_from) AS cached_steps\n    FROM jobs",
        """count(steps.cached_from) AS cached_steps,
        count(DISTINCT steps.job_id) FILTER (
            WHERE steps.state IN ('ready', 'running') AND jobs.state IN ('succeeded', 'partial')
        ) AS being_checked
    FROM jobs""",
    )
)

STEP_TIMELINE = FIRST.STEP_TIMELINE.replace("AS error\nFROM steps", "AS error,\n    steps.round\nFROM steps")

WEIGHTS_COMPARISON = FIRST.WEIGHTS_COMPARISON.replace(
    "AS mean_metrics\nFROM", "AS mean_metrics,\n    count(*) FILTER (WHERE needs_review) AS need_review\nFROM"
)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("round", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("review", sa.String(), nullable=True))
    op.create_check_constraint("review_of_a_summary", "jobs", "review IS NULL OR summary IS NOT NULL")
    op.add_column("steps", sa.Column("round", sa.Integer(), server_default="0", nullable=False))
    op.drop_constraint("place_is_not_negative", "steps", type_="check")
    op.create_check_constraint("place_is_not_negative", "steps", "level >= 0 AND index >= 0 AND round >= 0")
    op.drop_constraint("uq_steps_job_id_kind_level_index", "steps", type_="unique")
    op.create_unique_constraint(None, "steps", ["job_id", "round", "kind", "level", "index"])
    _replace_views(JOB_SUMMARIES, BATCH_PROGRESS, STEP_TIMELINE, WEIGHTS_COMPARISON)


def downgrade() -> None:
    _drop_views()
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
    _create_views(FIRST.JOB_SUMMARIES, FIRST.BATCH_PROGRESS, FIRST.STEP_TIMELINE, FIRST.WEIGHTS_COMPARISON)


def _replace_views(*views: str) -> None:
    # New columns come last, so that nobody who may read a view loses it.
    for view in views:
        op.execute(view.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))


def _drop_views() -> None:
    # weights_comparison is made from job_summaries.
    for name in reversed(COMMENTED):
        op.execute(f"DROP VIEW {name}")


def _create_views(*views: str) -> None:
    for view in views:
        op.execute(view)
    for name in COMMENTED:
        op.execute(f"COMMENT ON VIEW {name} IS '{FIRST.COMMENTS[name]}'")
