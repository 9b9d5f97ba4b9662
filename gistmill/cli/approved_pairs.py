"""Approved summaries of batches as training data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.settings import Settings


def read_approved(settings: Settings, batches: Sequence[str]) -> list[tuple[str, str]]:
    """Return the texts and summaries of the approved jobs of batches.

    Raises:
        UnknownIdError: there is no such batch.
        TooFewPairsError: a batch has no approved summary.
    """
    from models.approval import list_approved
    from models.lookup import find_batch
    from models.session import open_transaction
    from workers.finetuning.errors import TooFewPairsError

    approved: list[tuple[str, str]] = []
    for batch in batches:
        with open_transaction(settings.require_database_url()) as session:
            found = list(list_approved(session, find_batch(session, batch).batch_id))
        if not found:
            raise TooFewPairsError(f"batch {batch!r} has no approved summary: read some and run `gistmill approve`")
        approved += found
    return approved
