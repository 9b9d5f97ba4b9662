"""Broker side of a worker: the Celery app, its tasks, and its variants of transport, consumer and pool."""
