"""verify sentences: the verdict on every sentence of a summary, its citations, and summaries made of the source's own.

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.views import apply_view

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KINDS = ("plan", "stuff", "map", "collapse", "reduce", "refine", "evaluate")
VERDICTS = ("verified", "quoted", "flagged", "unchecked")
COUNTS = ("verified", "quoted", "flagged")
# The views that change, with the revision of the definition before; weights_comparison is made from job_summaries.
CHANGED_VIEWS = {"job_summaries": "0005", "batch_progress": "0005", "weights_comparison": "0004"}


def upgrade() -> None:
    _replace_kinds((*KINDS[:-1], "extract", KINDS[-1]))
    op.add_column(
        "steps",
        sa.Column(
            "sentences", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), server_default="[]", nullable=False
        ),
    )
    for count in COUNTS:
        op.add_column("jobs", sa.Column(count, sa.Integer(), nullable=True))
    op.create_table(
        "sentences",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("start_at", sa.Integer(), nullable=False),
        sa.Column("end_at", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint("0 <= start_at AND start_at < end_at", name="span_is_not_empty"),
        sa.CheckConstraint(_one_of(VERDICTS), name="kind_is_known"),
        sa.CheckConstraint("(kind = 'flagged') = (reason IS NOT NULL)", name="reason_when_flagged"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "index"),
    )
    op.create_table(
        "citations",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("sentence", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("start_at", sa.Integer(), nullable=False),
        sa.Column("end_at", sa.Integer(), nullable=False),
        sa.CheckConstraint("0 <= start_at AND start_at < end_at", name="span_is_not_empty"),
        sa.ForeignKeyConstraint(
            ["job_id", "sentence"],
            ["sentences.job_id", "sentences.index"],
            ondelete="CASCADE",
            name="fk_citations_sentence",
        ),
        sa.PrimaryKeyConstraint("job_id", "sentence", "index"),
    )
    for view in (*CHANGED_VIEWS, "summary_sentences"):
        apply_view(view, revision)


def downgrade() -> None:
    for view in ("summary_sentences", *reversed(CHANGED_VIEWS)):
        op.execute(f"DROP VIEW {view}")
    op.drop_table("citations")
    op.drop_table("sentences")
    for count in reversed(COUNTS):
        op.drop_column("jobs", count)
    op.drop_column("steps", "sentences")
    # The schema before knows no such steps.
    op.execute("DELETE FROM steps WHERE kind = 'extract'")
    _replace_kinds(KINDS)
    for view, earlier in CHANGED_VIEWS.items():
        apply_view(view, earlier)


def _replace_kinds(kinds: tuple[str, ...]) -> None:
    op.drop_constraint("kind_is_known", "steps", type_="check")
    op.create_check_constraint("kind_is_known", "steps", _one_of(kinds))


def _one_of(kinds: tuple[str, ...]) -> str:
    return f"kind IN ({', '.join(repr(kind) for kind in kinds)})"
