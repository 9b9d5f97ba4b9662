import threading

import pytest

from tests.fake_engine import FakeGenerator
from workers.evaluation.errors import EvaluationInterruptedError
from workers.evaluation.freeform import Questioner, read_answer
from workers.evaluation.lexical import index_source
from workers.evaluation.limits import StopConditions
from workers.evaluation.qags import Answered, choose_targets
from workers.generation import GenerationParams, Prompt

SOURCE = "The ferry sank on Monday and 40 people were saved."
SUMMARY = "The ferry sank on Friday and 40 people were saved."


def ask(questions: dict[str, str], summary_says: dict[str, str], source_says: dict[str, str]) -> list[Answered]:
    """Ask about the summary with weights that know their lines: questions by answer, answers by question."""

    def reply(prompt: Prompt, params: GenerationParams) -> str:
        untrusted = [part.text for part in prompt.turns[-1].parts if part.is_untrusted]
        if untrusted[0] in (SUMMARY, SOURCE):
            return (summary_says if untrusted[0] == SUMMARY else source_says)[untrusted[1]]
        return questions.get(untrusted[0], "no idea")

    targets = choose_targets(SUMMARY, most=10)
    questioner = Questioner(FakeGenerator(reply), index_source(SOURCE), StopConditions())
    return questioner.ask(targets, summary=SUMMARY, excerpt=SOURCE)


def test_a_question_is_answered_by_the_summary_and_by_the_source() -> None:
    question = "When did the ferry sink?"
    (answered,) = ask({"Friday": question}, {question: "on Friday"}, {question: "on Monday"})
    assert (answered.question, answered.summary_answer, answered.source_answer) == (question, "on Friday", "on Monday")
    assert answered.f1 == 0.5
    assert not answered.is_in_source


@pytest.mark.parametrize("question", ["When?", "The ferry sank on a day", "Did the ferry sink on Friday?", ""])
def test_what_is_no_good_question_is_dropped(question: str) -> None:
    assert ask({"Friday": question}, {}, {}) == []


def test_only_the_first_line_of_a_generation_counts() -> None:
    says = {"When did it sink?": "Friday"}
    (answered,) = ask({"Friday": "\n\nWhen did it sink?\nAnswer: Friday"}, says, says)
    assert answered.question == "When did it sink?"


def test_a_question_that_the_summary_does_not_answer_back_is_dropped() -> None:
    question = "Who built the ferry?"
    assert ask({"Friday": question}, {question: "unanswerable"}, {}) == []


def test_a_question_that_comes_twice_is_asked_once() -> None:
    question = "How many were saved when?"
    assert len(ask({"Friday": question, "40": question}, {question: "40"}, {question: "40"})) == 1


@pytest.mark.parametrize("text", ["Unanswerable.", "", "It is unanswerable", " . "])
def test_unanswerable_is_understood_in_any_form(text: str) -> None:
    assert read_answer(text) == "unanswerable"


def test_a_cancelled_generation_ends_the_questions() -> None:
    cancelled = threading.Event()
    cancelled.set()
    questioner = Questioner(FakeGenerator(), index_source(SOURCE), StopConditions(cancelled=cancelled))
    with pytest.raises(EvaluationInterruptedError):
        questioner.ask(choose_targets(SUMMARY, most=2), summary=SUMMARY, excerpt=SOURCE)
