import json
import threading
import time
from collections.abc import Sequence

import pytest

from tests.fake_engine import FakeGenerator
from tests.unit.workers.evaluation.scorers import CopyingGenerator
from workers.evaluation.errors import EvaluationInterruptedError
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.metric import Metric
from workers.generation import GenerationParams, Prompt


class NarrowGenerator(CopyingGenerator):
    """Refuses what does not fit its context, as the engine does."""

    def __init__(self) -> None:
        super().__init__()
        self.context_tokens = 70

    def score_continuations(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        longest = max(map(self.count_tokens, continuations))
        assert self.count_prompt_tokens(prompt) + longest <= self.context_tokens
        return super().score_continuations(prompt, continuations)


SOURCE = (
    "The ferry Aurora sank off Norway on Monday. Captain Ingrid Berg saved 40 passengers before the storm grew. "
    "The owner, Nordlink, said that the ferry was built in 1987. Divers from Denmark will look for the wreck."
)
TRUE = "The ferry Aurora sank off Norway on Monday.\nCaptain Ingrid Berg saved 40 passengers."
FALSE = "The ferry Aurora sank off Denmark on Monday.\nCaptain Ingrid Berg saved 70 passengers."


def evaluate(summary: str, source: str = SOURCE) -> dict[str, Metric]:
    return evaluate_summary(CopyingGenerator(), source=source, summary=summary)


def value_of(result: dict[str, Metric], name: str) -> float:
    value = result[name].value
    assert value is not None
    return value


def test_a_false_summary_scores_lower_in_every_metric_of_truth() -> None:
    true, false = evaluate(TRUE), evaluate(FALSE)
    for name in ("consistency", "qags", "likelihood", "facts", "overlap"):
        assert value_of(false, name) < value_of(true, name)


def test_only_sentences_with_a_fact_that_the_source_lacks_are_marked() -> None:
    sentences = evaluate(FALSE)["consistency"].evidence["sentences"]
    assert isinstance(sentences, list)
    assert [sentence["is_marked"] for sentence in sentences] == [False, True]
    assert [doubt["text"] for doubt in sentences[1]["doubts"]] == ["70"]


def test_a_fact_from_elsewhere_in_the_source_is_in_doubt_with_what_the_source_says() -> None:
    sentences = evaluate(FALSE)["consistency"].evidence["sentences"]
    assert isinstance(sentences, list)
    assert sentences[0]["doubts"] == [
        {"text": "Denmark", "start": 26, "end": 33, "reason": "the source says otherwise", "source_answer": "Norway"}
    ]


def test_every_question_shows_both_answers_its_span_and_its_f1() -> None:
    evidence = evaluate(FALSE)["qags"].evidence
    questions = evidence["questions"]
    assert isinstance(questions, list)
    question = next(each for each in questions if each["expected"] == "70")
    assert FALSE[question["start"] : question["end"]] == "70"
    assert question == question | {
        "question": "Captain Ingrid Berg saved ____ passengers.",
        "summary_answer": "70",
        "source_answer": "40",
        "f1": 0.0,
    }


def test_the_evidence_can_be_stored_as_json() -> None:
    for metric in evaluate(FALSE).values():
        stored = json.loads(json.dumps(metric.evidence))
        assert stored.keys() == metric.evidence.keys()


def test_base_weights_are_asked_in_two_calls() -> None:
    generator = CopyingGenerator()
    evaluate_summary(generator, source=SOURCE, summary=TRUE)
    assert len(generator.scored) == 2


def test_without_a_generator_the_cheap_signals_make_the_score() -> None:
    true, false = (evaluate_summary(None, source=SOURCE, summary=summary) for summary in (TRUE, FALSE))
    assert value_of(false, "consistency") < value_of(true, "consistency")
    assert true["qags"].reason == "no generator was asked"


@pytest.mark.parametrize(
    ("source", "summary", "reason"),
    [
        (SOURCE, "", "the summary has no words"),
        (SOURCE, "It is what it is.", "the summary states no name, number, date or phrase that could be asked for"),
        (" - ", TRUE, "the source has no words"),
    ],
)
def test_what_cannot_be_measured_has_a_reason_and_no_number(source: str, summary: str, reason: str) -> None:
    metrics = evaluate(summary, source)
    assert {(metric.value, metric.reason) for metric in metrics.values()} == {(None, reason)}


def test_a_summary_without_names_or_numbers_has_no_share_of_facts() -> None:
    metric = evaluate("divers will look for the wreck")["facts"]
    assert (metric.value, metric.reason) == (None, "the summary states no name, number or date")


def test_a_source_longer_than_any_context_is_read_by_its_excerpt_alone() -> None:
    generator = CopyingGenerator()
    generator.context_tokens = 400
    noise = "Meanwhile nothing at all of any interest had happened in town. " * 5000
    result = evaluate_summary(generator, source=noise + SOURCE + noise, summary=TRUE)
    assert value_of(result, "qags") == 1.0
    assert all(generator.count_prompt_tokens(prompt) < 400 for prompt, _ in generator.scored)


LONG = "more and " * 200 + "saved 40 passengers."


@pytest.mark.parametrize(
    ("summary", "absent"),
    [
        (f"The Aurora saved 40 passengers. {LONG}", {}),
        (
            LONG,
            {
                "likelihood": "no sentence of the summary fits the context of the weights behind its source",
                "qags": "none of 3 questions passed the filters or fits the context",
            },
        ),
    ],
)
def test_a_sentence_that_does_not_fit_the_context_costs_only_its_own_signals(
    summary: str, absent: dict[str, str]
) -> None:
    source = "Captain Ingrid Berg of the ferry Aurora saved 40 passengers and 12 dogs."
    metrics = evaluate_summary(NarrowGenerator(), source=source, summary=summary)
    assert {name: metric.reason for name, metric in metrics.items() if metric.value is None} == absent


def test_questions_that_do_not_fit_the_context_are_not_asked() -> None:
    generator = FakeGenerator(context_tokens=40)
    metrics = evaluate_summary(generator, source=SOURCE, summary=TRUE)
    assert metrics["qags"].reason == "none of 6 questions passed the filters or fits the context"
    assert generator.prompts == []


def test_a_cancelled_evaluation_ends() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(EvaluationInterruptedError, match="cancelled"):
        evaluate_summary(CopyingGenerator(), source=SOURCE, summary=TRUE, cancelled=cancelled)


def test_an_evaluation_past_its_deadline_ends() -> None:
    with pytest.raises(EvaluationInterruptedError, match="deadline"):
        evaluate_summary(CopyingGenerator(), source=SOURCE, summary=TRUE, deadline=time.monotonic() - 1)


def test_instruct_weights_that_write_rubbish_give_no_qags() -> None:
    def babble(prompt: Prompt, params: GenerationParams) -> str:
        return "the the the"

    metric = evaluate_summary(FakeGenerator(babble), source=SOURCE, summary=TRUE)["qags"]
    assert (metric.value, metric.reason) == (None, "none of 6 questions passed the filters or fits the context")
