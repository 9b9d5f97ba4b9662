from workers.evaluation.words import read_words, split_sentences


def keys(text: str) -> list[str]:
    return [word.key for word in read_words(text)]


def test_words_are_compared_by_stem_and_numerals_by_digit() -> None:
    assert keys("Two cities") == keys("2 city")


def test_a_possessive_s_is_no_word() -> None:
    assert keys("the lion's father") == keys("the lion father")
    assert keys("Grade S") == ["grade", "s"]


def test_a_number_is_the_same_however_its_thousands_are_set() -> None:
    assert keys("$ 53, 193, 914") == keys("$53,193,914")


def test_scripts_without_spaces_are_read_by_the_character() -> None:
    assert len(keys("東京都")) == 3


def test_every_word_knows_its_place() -> None:
    text = "Ada Lovelace's 1843 notes"
    assert [text[word.start : word.end] for word in read_words(text)] == ["Ada", "Lovelace", "1843", "notes"]


def test_sentences_end_at_stops_and_lines_but_not_behind_titles_and_initials() -> None:
    text = "Mr. Smith met J. Doe in St. Ives. Did they talk? They did!\nNothing else"
    assert [sentence.text for sentence in split_sentences(text)] == [
        "Mr. Smith met J. Doe in St. Ives.",
        "Did they talk?",
        "They did!",
        "Nothing else",
    ]


def test_sentences_know_their_places_and_have_words() -> None:
    text = "  One.  \n\n - \n Two. "
    assert [text[sentence.start : sentence.end] for sentence in split_sentences(text)] == ["One.", "Two."]
