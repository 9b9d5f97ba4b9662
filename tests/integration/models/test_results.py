"""The statements that end a step, as many threads use them."""

from __future__ import annotations

import subprocess
import sys

# What SQLAlchemy fills while it builds a statement is filled by one thread, or another may see it half full.
BUILD = """
from sqlalchemy.sql.base import WriteableColumnCollection
from models import claims, results

def fill(self):
    raise AssertionError("an index of columns is filled late")

WriteableColumnCollection._init_proxy_index = fill
for statement in (claims.CLAIM, results.END_STEP, results.END_AMONG_SIBLINGS, results.CACHED):
    statement.compile()
"""


def test_nothing_that_threads_share_is_filled_while_they_build_a_statement() -> None:
    subprocess.run([sys.executable, "-c", BUILD], check=True, timeout=60)
