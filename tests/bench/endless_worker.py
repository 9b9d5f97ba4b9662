"""A real worker whose answers all have the same length: nothing ends a generation early, and no guard asks again."""

from __future__ import annotations

import threading
from dataclasses import replace

import workers.execution.attempts
from models.settings import Settings, read_settings
from workers.broker.app import default_node, make_app, run_worker
from workers.engine.engine import Engine
from workers.engine.loading import load_weights
from workers.generation import Generation, GenerationParams, Prompt, PromptFormat
from workers.logs import configure_logs
from workers.service import Served, end_process
from workers.serving import find_folders, make_config


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


def load_endless(settings: Settings) -> Served:
    """Load the weights that the settings name."""
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
