from workers.evaluation.cloze import Cloze, collect_rivals, pose_cloze
from workers.evaluation.lexical import index_source
from workers.evaluation.qags import UNANSWERABLE, QuestionTarget, choose_targets

SOURCE = "Arsenal beat Chelsea 2-1 on Monday. Everton beat Leeds 4-0 on Friday. Rain fell in Wales."


def pose(summary: str, text: str) -> Cloze:
    target = next(each for each in choose_targets(summary, most=99) if each.candidate.text == text)
    return pose_cloze(target, rivals=collect_rivals(SOURCE), index=index_source(SOURCE))


def test_the_question_is_the_sentence_with_a_blank() -> None:
    assert pose("On Monday Arsenal beat Chelsea.", "Chelsea").question == "On Monday Arsenal beat ____."


def test_the_source_offers_spans_of_the_same_kind_from_sentences_about_the_matter() -> None:
    options = pose("They beat Chelsea 2-1.", "2-1").options
    assert options == ("2-1", "4-0")
    assert "Wales" not in pose("They beat Chelsea.", "Chelsea").options


def test_an_answer_that_only_the_summary_has_is_no_option_of_the_source() -> None:
    cloze = pose("They beat Chelsea 7-3.", "7-3")
    assert cloze.options == ("2-1", "4-0")
    assert not cloze.is_in_source


def test_what_the_sentence_says_already_is_no_option() -> None:
    assert "Arsenal" not in pose("Arsenal beat Chelsea.", "Chelsea").options


def test_the_likeliest_option_is_the_answer_of_the_source() -> None:
    answered = pose("They beat Chelsea 4-0.", "4-0").answer([-5.0, -1.0])
    assert (answered.summary_answer, answered.source_answer, answered.f1) == ("4-0", "2-1", 0.0)
    assert answered.is_doubtful


def test_where_no_sentence_of_the_source_speaks_of_the_matter_there_is_no_answer() -> None:
    cloze = pose("Nobody expects Zorro.", "Zorro")
    assert cloze.filled == []
    assert cloze.answer([]).source_answer == UNANSWERABLE


def test_filled_sentences_end_soon_behind_the_blank_and_differ_only_in_it() -> None:
    cloze = pose("They beat Chelsea 4-0 in what was a long and cold game.", "4-0")
    assert cloze.filled == ["They beat Chelsea 4-0 in what was", "They beat Chelsea 2-1 in what was"]


def test_dates_and_numbers_are_asked_for_first_and_every_sentence_in_turn() -> None:
    summary = "Arsenal beat Chelsea on Monday.\nEverton won 4-0."
    assert [text(each) for each in choose_targets(summary, most=3)] == ["Monday", "4-0", "Arsenal"]


def test_nothing_is_asked_twice_in_a_sentence() -> None:
    assert [text(each) for each in choose_targets("Arsenal is Arsenal.", most=9)] == ["Arsenal"]


def text(target: QuestionTarget) -> str:
    return target.candidate.text
