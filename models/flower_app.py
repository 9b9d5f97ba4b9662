"""Celery app that Flower reads, so that its page of the broker counts the messages of every queue at every level.

Without an app Flower knows neither the queues, before a worker has told them, nor the levels of the broker's lists.
"""

from __future__ import annotations

import os

from kombu import Queue

from models.publisher import make_celery
from models.queues import QUEUES, queue_name
from models.setting_names import SERVED_NAMES
from models.settings import DEFAULT_NAME

app = make_celery(os.environ["CELERY_BROKER_URL"])
app.conf.task_queues = [
    Queue(queue_name(queue, name)) for name in os.environ.get(SERVED_NAMES, DEFAULT_NAME).split() for queue in QUEUES
]
