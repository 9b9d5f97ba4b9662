"""Workers: the engine, the summarization core, and the execution of steps that connects them to the database."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # ``celery -A workers worker`` looks up this name; imports and settings wait until then.
    if name == "celery":
        from models.settings import read_settings
        from workers.broker.app import make_default_app

        return make_default_app(read_settings())
    raise AttributeError(name)
