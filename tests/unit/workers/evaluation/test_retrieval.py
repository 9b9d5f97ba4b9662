from tests.fake_engine import FakeGenerator
from workers.evaluation.retrieval import pick_excerpt

FILLER = "Nothing of note was said on this day by anyone at all. " * 400
SOURCE = f"{FILLER}The lighthouse keeper Ingrid found a green bottle. {FILLER}A storm sank the ferry Aurora. {FILLER}"


def pick(query: str, budget_tokens: int = 200) -> str:
    return pick_excerpt(SOURCE, query, counter=FakeGenerator(), budget_tokens=budget_tokens)


def test_a_short_source_is_its_own_excerpt() -> None:
    assert pick_excerpt(" One. Two. ", "two", counter=FakeGenerator(), budget_tokens=50) == "One. Two."


def test_the_passages_that_match_the_query_are_chosen_in_their_order() -> None:
    excerpt = pick("Who sank the Aurora, and what did Ingrid find?", budget_tokens=300)
    assert 0 <= excerpt.index("Ingrid") < excerpt.index("Aurora")


def test_an_excerpt_keeps_its_budget() -> None:
    assert len(pick("Ingrid").split()) <= 200
    assert len(pick("").split()) <= 200


def test_a_text_without_any_stop_is_cut_all_the_same() -> None:
    excerpt = pick_excerpt("word " * 5000 + "needle", "needle", counter=FakeGenerator(), budget_tokens=100)
    assert "needle" in excerpt
    assert len(excerpt.split()) <= 100
