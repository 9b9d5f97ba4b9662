"""A real worker whose answers all have the same length: nothing ends a generation early, and no guard asks again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import workers.engine.remote.remote_engine
import workers.execution.attempts
from models.settings import Settings, read_settings
from workers.broker.app import default_node, make_app, run_worker
from workers.engine.engine import Engine
from workers.engine.loading import load_weights
from workers.engine.remote.dialect import Dialect, build_body
from workers.generation import Generation, GenerationParams, Prompt, PromptFormat
from workers.logs import configure_logs
from workers.service import Served, end_process
from workers.serving import attach_servers, find_folders, make_config


class EndlessEngine(Engine):
    """Generates until ``max_new_tokens``."""

    def generate(
        self,
        prompt: Prompt,
        params: GenerationParams,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Generation:
        """Generate without stop strings."""
        return super().generate(replace(prompt, stop=()), params, deadline=deadline, cancelled=cancelled)

    def _find_eos_ids(self, prompt_format: PromptFormat) -> frozenset[int]:
        return frozenset()


def build_endless_body(
    dialect: Dialect, model: str, params: GenerationParams, *, stop: Sequence[str] = (), stop_ids: Sequence[int] = ()
) -> dict[str, Any]:
    """Return the body of a request that only its limit ends."""
    endless = {"ignore_eos": True} if dialect.has_token_fields else {"min_tokens": params.max_new_tokens}
    return build_body(dialect, model, params) | endless


def load_endless(settings: Settings) -> Served:
    """Load the weights that the settings name, or attach to a server that has them."""
    if settings.engine_urls:
        workers.engine.remote.remote_engine.build_body = build_endless_body
        return attach_servers(settings)
    config = make_config(settings, *find_folders(settings))
    engine = EndlessEngine(load_weights(config), config, on_fatal=end_process)
    return Served(engine, engine.device, engine.seconds_since_progress, engine.close)


def main() -> None:
    """Serve until told to stop."""
    workers.execution.attempts.retry_params = lambda *_, **__: None  # type: ignore[assignment]
    settings = read_settings()
    configure_logs(settings)
    run_worker(make_app(settings, load_endless), node=default_node())


if __name__ == "__main__":
    main()
