import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.evaluation.fact_check import FactCheck, check_facts
from workers.evaluation.source_facts import read_source


def check(sentence: str, source: str) -> FactCheck:
    return check_facts(sentence, read_source(source))


def list_missing(sentence: str, source: str) -> list[str]:
    return [fact.text for fact in check(sentence, source).missing]


# Pairs of a sentence with a source that bears it out in another notation.
BORNE_OUT = [
    # Numbers with unit, currency and scale.
    ("It made $181,674,817.", "It took $ 181,674,817 in all."),
    ("It made $ 53,193,914.", "It took $ 53, 193, 914 in all."),
    ("It has 2.5k users.", "There are 2,500 users."),
    ("It has 2,500 users.", "There are 2.5k users."),
    ("It has 1.2 million users.", "There are 1,200,000 users."),
    ("It has 1.2 million users.", "There are 1,234,567 users."),
    ("It cost 5 million dollars.", "The price was $5m."),
    ("It cost £5 million.", "The price was 5 million pounds."),
    ("About 10 percent left.", "10% left."),
    ("About 10 per cent left.", "10 pct left."),
    ("Twelve eggs broke.", "A dozen eggs broke."),
    ("Half a dozen eggs broke.", "Six eggs broke."),
    ("Twenty-one men left.", "All 21 men left."),
    ("About 200 men left.", "There were 197 men."),
    ("Nearly 200 men left.", "There were 193 men."),
    ("More than 5,000 men left.", "There were 5,125 men."),
    ("Half a million people left.", "In all 500,000 people left."),
    ("The 3rd try failed.", "The third try failed."),
    ("A three-year-old fell.", "A boy, aged three, fell."),
    ("A three-year-old fell.", "The boy is 3 years old and fell."),
    ("He, aged 45, fell.", "Tom Smith, 45, fell."),
    ("They won 2-1.", "The game ended 2 - 1."),
    ("They lost 1\u20132.", "The game ended 2-1."),
    ("It was held for eight months.", "It had been eight agonizing months."),
    ("It is the 40th anniversary.", "It began 40 years ago."),
    ("The accuracy is 87%.", "It has an accuracy of 0.87."),
    # Dates.
    ("It fell in 2011.", "It was weak from 2007-11."),
    ("It fell in 2009.", "It was weak between 2007 and 2011."),
    ("It fell in the 1990s.", "It was weak in 1994."),
    ("It fell in 1994.", "It was weak in the '90s."),
    ("It fell on 12 May 2014.", "It came on May 12, 2014."),
    ("It fell on May 12, 2014.", "On 2014-05-12 it came."),
    ("It fell on 2014-05-12.", "It came on 12 May 2014."),
    ("It fell in Sept. 2014.", "It came on September 3, 2014."),
    ("It fell in May.", "It came on May 5."),
    ("It fell on May 5.", "It came on 5 May."),
    ("It fell on Monday.", "It came on Mon. 3 February."),
    # Abbreviations, demonyms, forms and spellings.
    ("It is in Western Australia.", "It is in Perth, WA."),
    ("It is in WA.", "It is in Western Australia."),
    ("Many Americans left.", "It is in the U.S. and stays."),
    ("The US agreed.", "The United States agreed."),
    ("The U.K. agreed.", "Britain agreed."),
    ("The British agreed.", "They live in the UK."),
    ("A Turkish plane fell.", "It fell in Turkey."),
    ("It fell in Turkey.", "It was a Turkish plane."),
    ("The European Union agreed.", "The EU agreed."),
    ("The UN agreed.", "The United Nations agreed."),
    ("The BNP lost.", "The British National Party lost."),
    ("The British National Party lost.", "The BNP lost."),
    ("The NASA probe fell.", "The National Aeronautics and Space Administration lost it."),
    ("Then Mr. Hashi left.", "Iman Hashi left."),
    ("Then Mesut Ozil left.", "Mesut Özil left."),
    ("Then Mesut O\u0308zil left.", "Mesut Özil left."),
    ("Then O\u2019Neill left.", "Mary O'Neill left."),
    ("The Houthis' leader left.", "The Houthi leader left."),
    ("The Defence Minister left.", "The Defense Minister left."),
    ("Then al\u2011Subaihi left.", "Mahmoud al-Subaihi left."),
    ("It trains EfficientNet B3.", "We train EfficientNet-B3."),
    ("it happened in glasgow in 2014", "It happened in Glasgow in 2014."),
    ("It happened in Glasgow in 2014.", "it happened in glasgow in 2014"),
    # A reader may count two things that the source names.
    ("The two states agreed.", "Iowa and Ohio agreed."),
]


@pytest.mark.parametrize(("sentence", "source"), BORNE_OUT)
def test_a_fact_in_another_notation_is_not_missing(sentence: str, source: str) -> None:
    assert list_missing(sentence, source) == []


@pytest.mark.parametrize(
    ("sentence", "source", "missing"),
    [
        ("It rose by 1%.", "There is one question left.", ["1%"]),
        ("It cost 30 million.", "It has 30 rooms and cost 5 million.", ["30 million"]),
        ("It took 15 minutes.", "They scored 15 goals.", ["15 minutes"]),
        ("It is 5 km long.", "It is 5 miles long.", ["5 km"]),
        ("It cost £5.", "It cost $5.", ["£5"]),
        ("The third try failed.", "All three tries failed.", []),
        ("The 3rd try failed.", "All three tries failed.", ["3rd"]),
        ("Some 11 troops left.", "Ten men left.", ["11"]),
        ("More than 2 million fans left.", "Over three million fans left.", ["2 million"]),
        ("It fell in 2012.", "It was weak from 2007-11.", ["2012"]),
        ("It fell in the 1990s.", "It was weak in 2003.", ["1990s"]),
        ("It fell on 13 May 2014.", "It came on May 12, 2014.", ["13 May 2014"]),
        ("It fell on May 12, 2015.", "It came on May 12, 2014.", ["May 12, 2015"]),
        ("It fell on Tuesday.", "It came on Monday.", ["Tuesday"]),
        ("They won 3-1.", "The game ended 2-1.", ["3-1"]),
        ("They saw the Turkish plane.", "It was a Greek plane.", ["Turkish"]),
        ("They filmed in Ouarzate.", "They filmed in Ouarzazate.", ["Ouarzate"]),
        ("The BNP lost.", "The White House lost.", ["BNP"]),
        ("They came to West Ham.", "They came to the White House.", ["West Ham"]),
        ("Then Elizabeth Warren left.", "Rand Paul left.", ["Elizabeth Warren"]),
        ("The score is 0.802.", "The score is 0.871.", ["0.802"]),
        ("It trains EfficientNet-B4.", "We train EfficientNet-B3.", ["EfficientNet-B4"]),
        ("The two goals came late.", "All three goals came late.", ["two"]),
    ],
)
def test_a_fact_that_the_source_lacks_is_missing(sentence: str, source: str, missing: list[str]) -> None:
    assert list_missing(sentence, source) == missing


FILLER = "Nothing of any importance happened for a while. " * 3


def test_facts_from_far_sentences_stand_apart() -> None:
    source = f"Ada met Bob in Paris on Monday. {FILLER}Cleo left Rome on Friday."
    assert [fact.text for fact in check("Ada met Bob in Rome on Monday.", source).apart] == ["Rome"]
    assert check("Ada met Bob in Paris on Monday.", source).apart == ()


def test_a_sentence_that_joins_two_statements_may_have_facts_of_two_places() -> None:
    source = f"Ada met Bob in Paris. {FILLER}Cleo left Rome on Friday."
    assert check("Ada met Bob in Paris, and Cleo left Rome on Friday.", source).apart == ()


def test_a_name_spliced_of_two_names_is_apart() -> None:
    source = f"Then Reese Witherspoon came. {FILLER}Later Tom Hanks left."
    assert [fact.text for fact in check("Then Reese Hanks came.", source).apart] == ["Reese Hanks"]


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("On Monday Chelsea beat Arsenal.", "On Monday Arsenal beat Chelsea."),
        ("On Monday Arsenal was beaten by Chelsea.", "On Monday Arsenal beat Chelsea."),
        ("On Monday Chelsea beat Arsenal.", "On Monday Chelsea was beaten by Arsenal."),
        ("Later Smith accused the Jones family.", "Later Jones had accused Smith."),
    ],
)
def test_names_in_the_reverse_roles_are_swapped(sentence: str, source: str) -> None:
    assert len(check(sentence, source).swapped) == 2


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("On Monday Arsenal beat Chelsea.", "On Monday Arsenal beat Chelsea."),
        ("On Monday Chelsea was beaten by Arsenal.", "On Monday Arsenal beat Chelsea."),
        ("On Monday Arsenal beat Chelsea.", "On Monday Chelsea was beaten by Arsenal."),
        ("On Monday Bob met Ada.", "On Monday Ada met Bob."),
        ("On Monday Chelsea beat Arsenal.", "On Monday Arsenal beat Chelsea. On Friday Chelsea beat Arsenal."),
        ("On Monday Ada thanked Bob.", "On Monday Bob, a friend of the baker, saw that Ada smiled."),
    ],
)
def test_names_in_the_same_roles_are_not_swapped(sentence: str, source: str) -> None:
    assert check(sentence, source).swapped == ()


def test_the_support_is_the_sentences_that_have_the_facts_and_words() -> None:
    source = "Rain fell. Ada met Bob in Paris. Cleo left Rome on Friday. The plan of the baker failed."
    assert check("Ada met Bob in Paris.", source).support == (1,)
    assert check("Ada met Bob in Paris, and Cleo left Rome on Friday.", source).support == (2, 1)
    assert check("Zorro sings.", source).support == ()


WORDS = st.sampled_from(
    [
        "Ada",
        "Bob",
        "Paris",
        "Arsenal",
        "NASA",
        "beat",
        "met",
        "won",
        "was",
        "by",
        "the",
        "a",
        "in",
        "on",
        "of",
        "and",
        "however",
        "2-1",
        "1%",
        "$5",
        "30",
        "million",
        "three",
        "2011",
        "12",
        "May",
        "Monday",
        "1990s",
        "B-52",
        "train.csv",
        "Turkish",
        "US",
        "minister",
        "said",
        ",",
        ";",
        ":",
        "-",
        "'",
        '"',
        "5-fold",
        "third",
        "aged",
    ]
)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=12).map(lambda words: " ".join(words).strip() + "."), min_size=1)


@given(TEXTS)
def test_a_sentence_of_the_source_has_nothing_missing_apart_or_swapped(sentences: list[str]) -> None:
    source = read_source("\n".join(sentences))
    for sentence in source.sentences:
        found = check_facts(sentence.text, source)
        assert (found.missing, found.apart, found.swapped) == ((), (), ())


@given(st.text(), st.text())
def test_any_texts_can_be_compared(sentence: str, source: str) -> None:
    read = read_source(source)
    assert all(0 <= place < len(read.sentences) for place in check_facts(sentence, read).support)
