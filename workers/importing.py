"""Faster imports of large libraries."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def import_without_gc() -> Iterator[None]:
    """Import without garbage collection, and exclude the imported objects from later collections.

    Imported objects are almost never garbage; traversing them takes a quarter of the time of importing torch,
    transformers and Celery, and a part of every later full collection.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
