"""Definitions of the views: one current SQL file a view.

``NAME.sql`` is the current definition. ``history/NAME_REVISION.sql`` is the definition that a revision applied and a
later one replaced, so that migrating to that revision, upwards or downwards, always makes the same schema. A text is
never changed once a revision has applied it, because databases have it.

To change a view, write a revision:

1. ``git mv NAME.sql history/NAME_OLD.sql``, where OLD is the revision that applied it, and write the new NAME.sql.
2. In the new revision, call ``apply_view(NAME, revision)`` to upgrade and ``apply_view(NAME, OLD)`` to downgrade.
3. Add the digest of the new text to ``tests/migration/test_views.py``; the tests fail if a step is left out.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

FOLDER = Path(__file__).parent


def read_view(name: str, revision: str) -> str:
    """Return the SQL that a revision applies: its definition in ``history``, or else the current one."""
    replaced = FOLDER / "history" / f"{name}_{revision}.sql"
    return (replaced if replaced.exists() else FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def apply_view(name: str, revision: str) -> None:
    """Create a view, or replace it and keep its privileges.

    PostgreSQL replaces a view only if its columns stay and new ones come last. To remove a column, as in the downgrade
    of a revision that added one, drop the view first; its privileges must then be granted again.
    """
    # Without parameters the file is sent unparsed: it holds several statements, colons and percent signs.
    op.get_bind().exec_driver_sql(read_view(name, revision), execution_options={"no_parameters": True})
