"""Importing large libraries in less time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def import_without_gc() -> Iterator[None]:
    """Import without a look for garbage in between, and never look through what was imported again.

    Nearly all that importing makes stays as long as the process. Looking through it again and again is a quarter of the
    time of importing torch, transformers and Celery, and later a part of every full collection.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
