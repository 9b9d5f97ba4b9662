"""count what was generated: a cached step takes the tokens of another one over, and nobody read or wrote them again.

Revision: 0005, after 0004
"""

from __future__ import annotations

from importlib import import_module

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BEFORE = import_module("migrations.versions.0004_check_summaries")
# weights_comparison divides what job_summaries counts.
VIEWS = (BEFORE.JOB_SUMMARIES, BEFORE.BATCH_PROGRESS)


def upgrade() -> None:
    for view in VIEWS:
        for tokens in ("sum(steps.prompt_tokens)", "sum(steps.completion_tokens)"):
            view = view.replace(tokens, f"{tokens} FILTER (WHERE steps.cached_from IS NULL)")
        _replace_view(view)


def downgrade() -> None:
    for view in VIEWS:
        _replace_view(view)


def _replace_view(view: str) -> None:
    op.execute(view.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))
