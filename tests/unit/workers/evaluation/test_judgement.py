import pytest

from tests.word_judge import WordJudge
from workers.evaluation.evaluate import evaluate_summary
from workers.evaluation.facts import find_facts
from workers.evaluation.findings import Reason
from workers.evaluation.judgement import JudgedToken, Judgement, find_doubtful
from workers.evaluation.lexical import read_words
from workers.evaluation.verification import SourceText

SOURCE = (
    "Police in Leeds arrested Ada Brown on Monday after a long chase. Her brother Tom Brown paid 40 pounds of bail."
)


def judge(claim: str, doubts: dict[str, float]) -> Judgement:
    """Return a judgement with a doubt for some words, and none for the others."""
    tokens = (JudgedToken(word.start, word.end, doubts.get(word.text, 0.0)) for word in read_words(claim))
    return Judgement(0.1, tuple(tokens))


@pytest.mark.parametrize(
    ("claim", "doubts", "expected"),
    [
        ("Ada Brown paid 40 pounds in Leeds.", {"Leeds": 0.3, "40": 0.2}, "Leeds"),
        ("Then Ada Brown paid 40 pounds in Leeds.", {"Brown": 0.4, "Leeds": 0.3}, "Ada Brown"),
        ("Ada Brown paid 40 pounds in Leeds.", {"paid": 0.9, "40": 0.2}, "40 pounds"),
        ("Her brother paid for the long chase.", {"chase": 0.3, "paid": 0.6, "Her": 0.9}, "paid"),
    ],
    ids=["least supported fact", "worst token of a fact", "facts before other words", "words without facts"],
)
def test_the_most_doubtful_part_is_a_whole_fact_or_else_a_word(
    claim: str, doubts: dict[str, float], expected: str
) -> None:
    facts = [(fact.start, fact.end) for fact in find_facts(claim)]

    span = find_doubtful(claim, facts, judge(claim, doubts))

    assert span is not None
    assert claim[slice(*span)] == expected


def test_a_claim_without_parts_or_without_judged_tokens_has_no_doubtful_part() -> None:
    assert find_doubtful("It was so.", [], judge("It was so.", {"was": 0.9})) is None
    assert find_doubtful("Ada Brown paid.", [(0, 9)], Judgement(0.0, ())) is None


def test_only_a_sentence_that_the_judge_refuses_has_a_doubtful_part() -> None:
    source = SourceText(SOURCE, WordJudge())

    true, copied, false = source.verify(
        ["Tom Brown paid bail.", "Her brother Tom Brown paid 40 pounds of bail.", "Tom Brown paid 40 euros of bail."]
    )

    assert (true.doubtful, copied.doubtful) == (None, None)
    assert false.doubtful == (15, 23)


def list_doubts(summary: str) -> list[tuple[str, str]]:
    """Return the doubts of a summary: what the span holds there, and the reason."""
    metric = evaluate_summary(None, source=SOURCE, summary=summary, judge=WordJudge())["consistency"]
    sentences = metric.evidence["sentences"]
    assert isinstance(sentences, list)
    doubts = [doubt for sentence in sentences for doubt in sentence["doubts"]]
    assert all(summary[doubt["start"] : doubt["end"]] == doubt["text"] for doubt in doubts)
    return [(doubt["text"], doubt["reason"]) for doubt in doubts]


def test_a_summary_points_at_the_part_that_the_verifier_doubts_most() -> None:
    summary = "Tom Brown paid bail. Police released her brother on Monday after a long chase."

    assert list_doubts(summary) == [("Monday", Reason.DISBELIEVED)]


def test_a_fact_that_the_source_lacks_keeps_that_reason() -> None:
    assert list_doubts("Police in York arrested Ada Brown on Monday.") == [("York", Reason.MISSING)]


def test_the_evidence_says_why_a_sentence_is_not_borne_out() -> None:
    summary = "Tom Brown paid bail. Police in Leeds released Ada Brown on Monday after a long chase."
    metric = evaluate_summary(None, source=SOURCE, summary=summary, judge=WordJudge())["consistency"]
    sentences = metric.evidence["sentences"]

    assert isinstance(sentences, list)
    assert [sentence["objection"] for sentence in sentences] == [
        None,
        "the verifier finds it supported with a probability of 0.10 only",
    ]


def test_a_dropped_near_miss_is_pointed_at() -> None:
    source = "The two rows of tomato plants almost died in the July heat."
    metric = evaluate_summary(None, source=source, summary="The two rows of tomato plants died in July.")["consistency"]
    [sentence] = metric.evidence["sentences"]  # type: ignore[misc]
    assert [(doubt["text"], doubt["reason"]) for doubt in sentence["doubts"]] == [("died", Reason.ALTERED)]
