"""What a last step adds to its answer: outputs that it left out, and quotations where its summary is short."""

from __future__ import annotations

from typing import Any

import pytest

from models.options import JobOptions, make_options
from tests.unit.workers.execution.test_step_source import make_grounder
from workers.execution.combining import complete, join_short
from workers.summarization.grounded import GroundedAnswer

PARTS = [
    "The ship Aurora left Bristol on Monday with barley in her hold and a crew of nine men on board.",
    "A storm broke the tall mast of the Aurora near the island of Lundy during the second night.",
    "Fishermen towed the damaged ship to Ilfracombe, where three carpenters mended her within a week.",
]
DOCUMENT = "\n\n".join(PARTS)
OUTPUTS = [
    "The ship Aurora left Bristol on Monday with barley.",
    "A storm broke the mast near Lundy.",
    "Fishermen towed the ship to Ilfracombe.",
]
OPTIONS = make_options(style="technical")


def run(kind: str, text: str, outputs: list[str], options: JobOptions = OPTIONS) -> GroundedAnswer:
    """Complete an answer of a step that read the whole document."""
    grounder, claim = make_claim(kind)
    return complete(grounder, claim, grounder.ground(claim, text, mode=options.grounding), outputs, options)


def make_claim(kind: str, *, index: int = 0) -> tuple[Any, Any]:
    grounder, claim = make_grounder(DOCUMENT, [(0, len(DOCUMENT))])
    claim.kind, claim.index, claim.chunk_count = kind, index, 3
    return grounder, claim


def list_cited(answer: GroundedAnswer) -> list[tuple[str, str]]:
    """Return every sentence with its verdict, after comparing quotations with their places in the document."""
    for sentence in answer.sentences:
        text = answer.text[sentence.start : sentence.end]
        if sentence.kind == "quoted":
            assert text == f"\u201c{DOCUMENT[slice(*sentence.spans[0])]}\u201d"
    return [(answer.text[sentence.start : sentence.end], sentence.kind) for sentence in answer.sentences]


def test_an_output_that_the_answer_leaves_out_is_added_and_the_short_summary_goes_on_with_quotations() -> None:
    answer = run("reduce", OUTPUTS[0], OUTPUTS)
    assert list_cited(answer)[:3] == [(text, "verified") for text in OUTPUTS]


def test_a_short_summary_of_one_prompt_goes_on_with_what_it_does_not_say() -> None:
    assert list_cited(run("stuff", OUTPUTS[0], [])) == [
        (OUTPUTS[0], "verified"),
        (f"\u201c{PARTS[1]}\u201d", "quoted"),
        (f"\u201c{PARTS[2]}\u201d", "quoted"),
    ]


def test_a_summary_of_half_the_length_stays_as_it_is() -> None:
    text = f"{PARTS[0]} {PARTS[1]}"
    assert run("stuff", text, []).text == text


def test_no_more_is_quoted_than_the_requested_length_allows() -> None:
    answer = run("stuff", OUTPUTS[0], [], make_options(style="technical", words=40))
    assert [kind for _, kind in list_cited(answer)] == ["verified", "quoted"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("map", OPTIONS),
        ("collapse", OPTIONS),
        ("refine", OPTIONS),
        ("stuff", make_options(style="technical", grounding="flag")),
        ("stuff", make_options(style="technical", grounding="off")),
        ("stuff", make_options(style="eli5")),
    ],
    ids=["map", "collapse", "refine", "flag", "off", "another style"],
)
def test_other_steps_and_modes_add_nothing(kind: str, options: JobOptions) -> None:
    assert run(kind, OUTPUTS[0], [], options).text == OUTPUTS[0]


def test_the_last_refine_step_completes_a_short_summary() -> None:
    grounder, claim = make_claim("refine", index=2)
    grounded = grounder.ground(claim, OUTPUTS[0], mode="strict")

    whole = complete(grounder, claim, grounded, [OUTPUTS[0]], OPTIONS)

    assert whole.text.startswith(OUTPUTS[0])
    assert {kind for _, kind in list_cited(whole)} == {"verified", "quoted"}


def test_short_outputs_stand_together_as_the_summary() -> None:
    grounder, claim = make_claim("reduce")
    joined = join_short(grounder, claim, OUTPUTS, OPTIONS)
    assert joined is not None
    assert joined.text.startswith(" ".join(OUTPUTS))
    assert [kind for _, kind in list_cited(joined)][:3] == ["verified"] * 3


@pytest.mark.parametrize(
    ("kind", "outputs", "options"),
    [
        ("collapse", OUTPUTS, OPTIONS),
        ("reduce", OUTPUTS * 5, OPTIONS),
        ("reduce", OUTPUTS, make_options(style="technical", grounding="flag")),
        ("reduce", OUTPUTS, make_options(style="eli5")),
        ("reduce", OUTPUTS, make_options(style="technical", language="German")),
        ("reduce", OUTPUTS, make_options(style="technical", words=20)),
    ],
    ids=["collapse", "long", "flag", "another style", "another language", "requested length"],
)
def test_other_outputs_are_combined(kind: str, outputs: list[str], options: JobOptions) -> None:
    grounder, claim = make_claim(kind)
    assert join_short(grounder, claim, outputs, options) is None
