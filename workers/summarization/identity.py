"""The identity of a step's output: what decides which text comes out, and nothing else."""

from __future__ import annotations

import hashlib
import json

from workers.generation import GenerationParams, Prompt
from workers.summarization.prompts import describe_prompt


def identify_step(
    prompt: Prompt, params: GenerationParams, *, prompt_fingerprint: str, weights_fingerprint: str
) -> str:
    """Return the key under which a step's output can be found again.

    Args:
        prompt: the rendered prompt.
        params: how the answer is generated.
        prompt_fingerprint: identity of the prompt set's words.
        weights_fingerprint: identity of the weights.

    Returns:
        A sha256 in hexadecimal digits.
    """
    parts = [prompt_fingerprint, describe_prompt(prompt), weights_fingerprint, params.describe()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
