"""Digests of a client: one summary over the documents of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gistmill.batch_record import BatchRecord
from gistmill.connection import Connection
from models.lookup import Target
from producer.digest import prepare_digest, submit_digest
from producer.remarks import describe_unserved


def make_digest(
    connection: Connection, target: Target, *, by: str | None, batch: str | None, options: Mapping[str, Any]
) -> BatchRecord:
    """Put the digests of a batch on the queue, and warn of what is left out and of weights that nobody serves.

    Args:
        connection: of the client.
        target: the batch.
        by: column of the documents, for a digest of each of its values.
        batch: name of the batch of the digests; None for a derived one.
        options: options of the digests, priority and keep_days among them.
    """
    given = dict(options)
    priority, keep_days = given.pop("priority", "normal"), given.pop("keep_days", None)
    request = prepare_digest(target, given, by=by, name=batch, priority=priority, keep_days=keep_days)
    with connection.open_outbox() as outbox_publisher:
        result = submit_digest(connection.engine, outbox_publisher, request)
    for note in result.notes:
        connection.warn(note.message)
    warn_of_unserved(connection, request.submission.options.weights)
    return BatchRecord.make(result)


def warn_of_unserved(connection: Connection, weights: str) -> None:
    """Warn if no live worker serves the weights of new jobs."""
    with connection.open_session() as session:
        unserved = describe_unserved(session, weights)
    if unserved:
        connection.warn(unserved)
