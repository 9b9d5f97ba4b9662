"""The outputs of the notebook that this project grew from: the same splits, and prompts of the same structure."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from producer.sources.html import normalize_html
from tests.unit.workers.summarization.counters import CharacterCounter
from tests.unit.workers.summarization.splits import find_uncovered, read_bodies, split
from workers.generation import Part, Prompt, PromptFormat, TokenCounter, Turn
from workers.summarization.planning import DEFAULT_CHUNK_TOKENS, PlanOptions, SourceDocument, plan_job
from workers.summarization.prompts import PromptSet
from workers.summarization.splitting import split_document

CLEAN = """
# Context section
This section only contains 2 links 
# Data context
link to the competition data page
# Overview of the Approach
this section should describe the models or algorithms used, describe the data preprocessing, feature engineering, and/or feature selection strategy, described the validation strategy.
# Details of the submission
this section should include what was special, creative, important, and/or impactful about the submission. And also, what was tried and didn\u2019t work.
# Sources
this section should include links to helpful resources like research papers, past winning write-up solutions, forum posts, helpful notebooks, etc."""  # noqa: E501, W291

MESSY = """
This section only contains 2 links, and here the link to the competition data page.
Partial section.
Another partial section.
Extensive model secondi which describes the models or algorithms used, describe the data preprocessing, feature engineering, and/or feature selection strategy, described the validation strategy.
Special section should include what was special, creative, important, and/or impactful about the submission. And also, what was tried and didn\u2019t work. Last section should include links to helpful resources like research papers, past winning write-up solutions, forum posts, helpful notebooks, etc."""  # noqa: E501

CLEAN_BEGINNINGS = [
    "# Context section\nThis section only contains 2 lin",
    "# Data context\nlink to the competition data page",
    "# Overview of the Approach\nthis section should descr",
    "# Details of the submission\nthis section should incl",
    "# Sources\nthis section should include links to helpf",
]
MESSY_BEGINNINGS = [
    "This section only contains 2 links, and here the l",
    "Partial section.\nAnother partial section.",
    "Extensive model secondi which describes the models",
    "Special section should include what was special, c",
]
TITLES = [
    "TLDR",
    "1. Data Preprocessing",
    "2. Augmentation",
    "3. Training",
    "4. Submissions, Conversion and Ensemble",
    "5. PS. Need BETTER TFlite DepthwiseConv2D",
]


@pytest.fixture
def writeup(shared_data: Path) -> str:
    with (shared_data / "kaggle_winning_solutions_methods.csv").open(encoding="utf-8", newline="") as file:
        return normalize_html(next(csv.DictReader(file))["writeup"]).text


def test_the_clean_example_splits_at_its_sections_and_the_two_small_ones_share_a_chunk() -> None:
    found = split(CLEAN, tokens=100, overlap=10)
    assert found.splitter == "headers"
    starts = [CLEAN.index(text) for text in CLEAN_BEGINNINGS if text != CLEAN_BEGINNINGS[1]]
    assert [chunk.start for chunk in found.chunks if chunk.start in starts] == starts
    assert len({chunk.headings for chunk in found.chunks}) == 4
    assert CLEAN_BEGINNINGS[1] in read_bodies(CLEAN, found)[0]


def test_the_clean_example_splits_at_its_hashes_by_character_too() -> None:
    # The notebook's splitter let a section exceed the size; this one does not, so the size is that of the longest.
    found = split(CLEAN, tokens=220, splitter="character", separator="#")
    bodies = read_bodies(CLEAN, found)
    assert [body[:10] for body in bodies if body.startswith("#")] == [body[:10] for body in bodies]
    assert "".join(body[:50] for body in bodies).count("#") == len(bodies)


def test_the_messy_example_splits_at_its_line_ends() -> None:
    found = split(MESSY, tokens=100, splitter="character", separator="\n", kind="text")
    starts = [chunk.start for chunk in found.chunks]
    assert [MESSY.index(text) for text in MESSY_BEGINNINGS if MESSY.index(text) in starts] == [
        MESSY.index(text) for text in MESSY_BEGINNINGS
    ]
    assert "Partial section.\nAnother partial section." in read_bodies(MESSY, found)
    assert find_uncovered(MESSY, found.chunks) == []


def test_an_overlap_repeats_the_end_of_the_chunk_before_in_the_messy_example() -> None:
    found = split(MESSY, tokens=100, overlap=50, splitter="character", separator="\n", kind="text")
    shared = [MESSY[after.start : before.end] for before, after in zip(found.chunks, found.chunks[1:], strict=False)]
    assert any("Another partial section." in text for text in shared)
    assert all(len(text) <= 50 for text in shared)


@pytest.mark.real
def test_the_six_sections_of_the_first_writeup_share_three_chunks(writeup: str, real_counter: TokenCounter) -> None:
    found = split_document(
        writeup,
        document_format="markdown",
        splitter="auto",
        chunk_tokens=DEFAULT_CHUNK_TOKENS,
        overlap_tokens=0,
        counter=real_counter,
    )
    texts = [chunk.read_text(writeup).replace("**", "") for chunk in found.chunks]
    lines = [line.lstrip("# ") for text in texts for line in text.splitlines()]
    assert [line for line in lines if line in TITLES] == TITLES
    assert [text.splitlines()[0] for text in texts] == [TITLES[0], TITLES[2], TITLES[4]]
    assert found.chunks[0].read_text(writeup).splitlines()[1].startswith("We utilized an approach similar to audio")


@pytest.mark.real
def test_the_first_writeup_has_three_map_steps(writeup: str, real_counter: TokenCounter) -> None:
    plan = plan_job(
        SourceDocument(writeup, "markdown"),
        PlanOptions(strategy="map-reduce"),
        prompts=PromptSet("technical", PromptFormat.COMPLETION),
        counter=real_counter,
        context_tokens=32768,
        max_new_tokens=512,
    )
    assert [str(step.key) for step in plan.first_steps] == [f"map 0.{number}" for number in range(3)]
    assert (plan.totals.calls, plan.totals.depth) == (4, 2)


def test_a_chat_prompt_is_one_user_turn_with_the_request_and_the_text() -> None:
    prompt = PromptSet("technical", PromptFormat.CHAT).render("map", text="<h2>TLDR</h2>")
    assert [turn.role for turn in prompt.turns] == ["user"]
    assert prompt.text.startswith("Summarize the following text in a technical way.")
    assert prompt.text.index("facts, numbers") < prompt.text.index("bullet points") < prompt.text.index("<h2>TLDR</h2>")


def test_the_combine_prompt_has_the_structure_of_the_notebooks() -> None:
    text = PromptSet("technical", PromptFormat.CHAT).render("combine", text="ONE\n\nTWO").text
    order = ["You are given a text", "summaries", "Create one single summary", "bullet points", "ONE\n\nTWO"]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)


def test_the_refine_prompt_has_the_structure_of_the_notebooks() -> None:
    text = PromptSet("technical", PromptFormat.CHAT).render("refine-next", text="NEW PART", existing="SO FAR").text
    order = ["Your job is to produce one final", "existing summary", "to a certain point:", "SO FAR"]
    order += ["You can now refine it", "NEW PART", "Given the new part"]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)


def test_the_notebooks_few_shot_chat_can_be_said_as_turns() -> None:
    turns = ("This film was great.", "SENTIMENT: Positive.", "This park is dirty.")
    roles = ("user", "assistant", "user")
    prompt = Prompt(tuple(Turn(role, (Part(text),)) for role, text in zip(roles, turns, strict=True)))  # type: ignore[arg-type]
    assert CharacterCounter().count_prompt_tokens(prompt) == len("".join(turns)) + 15
