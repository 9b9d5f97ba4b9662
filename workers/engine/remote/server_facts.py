"""Facts about a server of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workers.engine.remote.dialect import Dialect, PromptForm


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Facts about a server.

    Args:
        dialect: kind of server.
        version: of its program; empty if it does not say.
        model: id of the served model.
        root: where the server found the model; empty if it does not say.
        context_tokens: maximum of prompt and completion together; None if the server does not say.
        form: form of prompts.
        can_score: whether it returns log-probabilities of a prompt's tokens.
    """

    dialect: Dialect
    version: str
    model: str
    root: str
    context_tokens: int | None
    form: PromptForm
    can_score: bool

    def describe(self) -> dict[str, Any]:
        """Return what the fingerprint and a worker's row say of the server."""
        return {
            "server": self.dialect.name,
            "version": self.version,
            "model": self.model,
            "root": self.root,
            "prompts": self.form.value,
        }
