from __future__ import annotations

import pytest

from workers.generation import PromptFormat
from workers.summarization.prompts import PromptSet
from workers.summarization.scaffolding import list_instructions, list_labels, remove_scaffolding

SOURCE = "The crew repaired the pump. It runs again."
COMPLETION = PromptSet("news", PromptFormat.COMPLETION).render("map", text=SOURCE)
CHAT = PromptSet("news", PromptFormat.CHAT).render("map", text=SOURCE)


@pytest.mark.parametrize(
    "output",
    [
        "The pump runs again.",
        "  The pump runs again.\n\n",
        "Sure, here's a summary of the text:\n\nThe pump runs again.",
        "Sure, here's a summary of the text in a technical way:\n\nThe pump runs again.",
        "Sure! Here is the summary in 2 sentences: The pump runs again.",
        "Here are the key points:\nThe pump runs again.",
        "**Here's a summary:**\n\nThe pump runs again.",
        "Certainly. The pump runs again.",
        "Summary: The pump runs again.",
        "**Summary:**\nThe pump runs again.",
        "## Summary\n\nThe pump runs again.",
        "TL;DR: The pump runs again.",
        "```markdown\nThe pump runs again.\n```",
        "The pump runs again.<end_of_turn>\n<start_of_turn>user\nThanks!",
        "<start_of_turn>model\nThe pump runs again.<eos>",
        "<bos>The pump runs again.</start_of_turn>",
        "The pump runs again.<|im_end|>",
        "<document>\nThe pump runs again.\n</document>",
        "The pump runs again.\n\nI hope this helps!",
        "The pump runs again.\nLet me know if you need anything else.",
        "The pump runs again.\nArticle:\nAnother one.\nSummary:\nMore.",
        "Summary:\nThe pump runs again.",
        "Here is the text in plain words:\n\nThe pump runs again.",
        "Sure, here is what it says:\nThe pump runs again.",
        "This is a summary of the text: The pump runs again.",
        "Below are the **key points**: The pump runs again.",
        "The pump\0 runs again.\0",
    ],
)
def test_what_is_no_part_of_the_answer_is_removed(output: str) -> None:
    assert remove_scaffolding(output, source=SOURCE, prompt=COMPLETION) == "The pump runs again."


@pytest.mark.parametrize(
    "text",
    [
        "Sure-footed horses cross the river.",
        "Here the story ends: nobody won.",
        "The text says: buy.",
        "Summary statistics were computed.",
        "Use `<div>` and <document-set> tags.",
        "Okayama is a city.",
        "- one\n- two\n\n```python\nprint()\n```",
        "Here is what failed in 2019: the pump was blocked by sand.",
        "Here are the failures of 2019:\n- the pump\n- the dam",
        "Here is the document that proved it: a letter of 1918.",
        "Below is the threshold of 0.5: nothing is kept.",
        "This is a summary judgment against Acme: the court found no merit.",
        "Let me know if the pump fails, said the engineer.",
        "The pump is weak.\nLet me know if the pump fails, said the engineer.",
    ],
)
def test_an_answer_that_only_looks_like_it_is_left_alone(text: str) -> None:
    assert remove_scaffolding(text, source=SOURCE, prompt=CHAT) == text


def test_control_tokens_of_the_source_are_words_like_any_other() -> None:
    source = "The token <end_of_turn> ends a turn, <bos> begins a text."
    text = "It explains <end_of_turn> and <bos>."
    assert remove_scaffolding(text, source=source, prompt=CHAT) == text


@pytest.mark.parametrize(
    "output", ["", " \n", "<eos>", "Sure, here's a summary of it:", "Summary:", "Summary", "```\n\n```"]
)
def test_nothing_but_scaffolding_leaves_nothing(output: str) -> None:
    assert remove_scaffolding(output, source=SOURCE, prompt=COMPLETION) == ""


def test_labels_are_our_short_lines_and_not_those_of_the_source() -> None:
    prompt = PromptSet("news", PromptFormat.COMPLETION).render("map", text="Ingredients:\nsalt")
    assert list_labels(prompt, "Ingredients:\nsalt") == {"Article:", "Summary:"}


def test_a_users_template_is_part_of_the_instructions() -> None:
    prompts = PromptSet("custom", PromptFormat.COMPLETION, template="List all risks of\n{text}\nas a table:")
    assert list_instructions(prompts.render("map", text=SOURCE), SOURCE) == ["List all risks of", "as a table:"]
