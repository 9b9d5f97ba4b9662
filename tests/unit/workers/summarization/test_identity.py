from __future__ import annotations

from dataclasses import replace

from workers.generation import GenerationParams, Part, Prompt, PromptFormat, Turn
from workers.summarization.rendering import identify_step

PROMPT = Prompt((Turn("user", (Part("Summarize: "), Part("text", is_untrusted=True))),))
PARAMS = GenerationParams(do_sample=False)


def identify(prompt: Prompt = PROMPT, params: GenerationParams = PARAMS, words: str = "w", weights: str = "g") -> str:
    return identify_step(prompt, params, prompt_fingerprint=words, weights_fingerprint=weights)


def test_equal_steps_have_the_same_identity() -> None:
    again = Prompt((Turn("user", (Part("Summarize: "), Part("text", is_untrusted=True))),))
    assert identify(again) == identify()
    assert len(identify()) == 64


def test_whatever_changes_the_output_changes_the_identity() -> None:
    trusted = Prompt((Turn("user", (Part("Summarize: "), Part("text"))),))
    others = {
        identify(trusted),
        identify(replace(PROMPT, format=PromptFormat.COMPLETION)),
        identify(replace(PROMPT, stop=("\n",))),
        identify(params=replace(PARAMS, max_new_tokens=7)),
        identify(params=replace(PARAMS, seed=1)),
        identify(words="other"),
        identify(weights="other"),
    }
    assert len(others | {identify()}) == 8
