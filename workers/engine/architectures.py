"""Kinds of weights, by ``model_type`` of their config, that the engine cannot serve."""

from __future__ import annotations

from typing import Any

from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

from workers.engine.errors import UnsupportedWeightsError

# Reasons by prefix of ``model_type``, for weights that do generate text.
REFUSED_KINDS = {
    "gemma4": "whose layers have heads of several sizes",
    "gpt_oss": "whose attention has sinks",
    "recurrent_gemma": "whose recurrent layers have no cache that requests can share",
}
ADVICE = "name text weights of Gemma 1, 2 or 3, Llama or Qwen 3 instead, such as google/gemma-3-1b-it"


def check_kind(weights_config: Any, name: object) -> None:
    """Refuse weights of a kind that cannot be served, before a tensor is read.

    Args:
        weights_config: their transformers config.
        name: of the weights, or their folder.

    Raises:
        UnsupportedWeightsError: with the reason, and weights to use instead.
    """
    kind = weights_config.model_type
    reason = next((reason for prefix, reason in REFUSED_KINDS.items() if kind.startswith(prefix)), None)
    if type(weights_config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        reason = "which generate no text from text alone"
    elif getattr(weights_config.get_text_config(), "use_bidirectional_attention", None) is True:
        reason = "whose tokens also see what follows them, which makes embeddings and no text"
    if reason is not None:
        raise UnsupportedWeightsError(f"{name} holds weights of the kind {kind}, {reason}; {ADVICE}")


def explain_kind(kind: str, name: object, error: Exception) -> UnsupportedWeightsError:
    """Return the error, in one line, for weights that transformers or the engine's layers cannot load."""
    reason = (str(error).splitlines() or [repr(error)])[0]
    return UnsupportedWeightsError(
        f"{name} holds weights of the kind {kind}, which cannot be served here ({reason}); {ADVICE}"
    )
