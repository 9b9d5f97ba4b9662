from workers.evaluation.facts import find_facts, find_unlinked, is_in_source
from workers.evaluation.overlap import Overlap, index_source
from workers.evaluation.words import read_words

SOURCE = "Ada met Bob in Paris on Monday. Cleo met Dan in Rome. They paid 20 euros for 2 tickets."


def measure(sentence: str) -> Overlap:
    return index_source(SOURCE).measure_overlap(read_words(sentence))


def test_a_sentence_of_the_source_is_covered_in_full() -> None:
    assert measure("Ada met Bob in Paris.") == Overlap(words=1.0, bigrams=1.0, links=1.0)


def test_a_word_that_the_source_lacks_costs_its_word_and_both_its_bigrams() -> None:
    overlap = measure("Ada met Eve in Paris.")
    assert (overlap.words, overlap.bigrams) == (4 / 5, 2 / 4)


def test_a_name_from_elsewhere_in_the_source_costs_bigrams_and_links_though_no_word() -> None:
    overlap = measure("Ada met tickets")
    assert overlap.words == 1.0
    assert overlap.bigrams == 1 / 2
    assert overlap.links is not None
    assert overlap.links < 1


def test_a_sentence_with_too_few_words_has_nothing_to_count() -> None:
    assert measure("Ada") == Overlap(words=1.0, bigrams=None, links=None)
    assert measure("") == Overlap(words=None, bigrams=None, links=None)


def test_a_sequence_is_found_only_in_its_order() -> None:
    index = index_source(SOURCE)
    assert index.has_sequence([word.key for word in read_words("Bob in Paris")])
    assert not index.has_sequence([word.key for word in read_words("Paris in Bob")])
    assert not index.has_sequence([word.key for word in read_words("Bob in Rome")])


def test_a_word_is_not_linked_with_itself_unless_it_stands_twice() -> None:
    assert not index_source("one lion").has_link("lion", "lion")
    assert index_source("lion eats lion").has_link("lion", "lion")


def test_facts_are_in_the_source_in_any_notation_of_it() -> None:
    index = index_source(SOURCE)
    assert is_in_source("Two", index)
    assert not is_in_source("30", index)
    assert [fact.text for fact in find_facts("On Tuesday, Ada paid 30 euros")] == ["Tuesday", "Ada", "30"]


def test_a_fact_that_the_source_says_of_something_else_is_unlinked() -> None:
    source = (
        "Ada met Bob in Paris on Monday. " + "Nothing of any importance happened for a while. " * 3 + "Cleo left Rome."
    )
    index = index_source(source)
    assert [fact.text for fact in find_unlinked("Ada met Bob in Rome", index)] == ["Rome"]
    assert find_unlinked("Ada met Bob in Paris", index) == ()
    assert find_unlinked("Rome", index) == ()
