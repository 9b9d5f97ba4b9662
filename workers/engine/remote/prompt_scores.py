"""Log-probabilities of given texts, by servers that return those of a prompt's own tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from workers.engine.errors import RequestFailedError
from workers.engine.remote.answers import ServedChoice
from workers.engine.remote.delivery import Delivery
from workers.engine.remote.dialect import build_score_body
from workers.engine.remote.server_facts import ServerFacts

# Continuations that are scored at a time; an answer has an entry for each token of the prompt.
SCORED_AT_ONCE = 8


async def score_continuations(
    delivery: Delivery, facts: ServerFacts, ids: list[int], continuations: Sequence[list[int]]
) -> list[float]:
    """Return the summed log-probability of each continuation's tokens after the prompt's, in nats."""
    places = asyncio.Semaphore(SCORED_AT_ONCE)

    async def score(continuation: list[int]) -> float:
        whole = ids + continuation
        async with places:
            answer = await delivery.complete("/completions", build_score_body(facts.dialect, facts.model, whole))
        return sum_logprobs(answer.choice, whole, scored=len(continuation))

    return list(await asyncio.gather(*map(score, continuations)))


def sum_logprobs(choice: ServedChoice, ids: list[int], *, scored: int) -> float:
    """Return the log-probability of the last tokens of a prompt, in nats.

    Args:
        choice: of a request with ``prompt_logprobs``.
        ids: the whole prompt.
        scored: number of its last tokens.

    Raises:
        RequestFailedError: the answer lacks one of them.
    """
    rows = choice.prompt_logprobs or []
    try:
        return sum((rows[place] or {})[str(ids[place])].logprob for place in range(len(ids) - scored, len(ids)))
    except LookupError as error:
        raise RequestFailedError("the engine's server gave no log-probability for a token of the prompt") from error
