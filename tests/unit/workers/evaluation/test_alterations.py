import pytest

from workers.evaluation.verification import SourceText


def find_reason(sentence: str, source: str) -> str | None:
    """Return the objection to a sentence, other than to the share of its words that the source has."""
    [verdict] = SourceText(source, None).verify([sentence])
    return None if verdict.reason and "of its words stand" in verdict.reason else verdict.reason


# Pairs of a sentence with a source that denies or hedges it, and the words of the source that say so.
DROPPED = [
    # Near misses.
    ("Tomato plants in two rows died.", "Tomato plants in two rows almost died.", "almost died"),
    ("The ferry sank in the harbour.", "The ferry nearly sank in the harbour on Monday.", "nearly sank"),
    ("The ferry hit the pier.", "The ferry narrowly avoided the pier after it almost hit the pier.", "almost hit"),
    ("The bakery sold its shop.", "The bakery was close to selling its shop.", "close to selling"),
    ("The team won the cup.", "The team almost won the cup.", "almost won"),
    # Negations.
    ("The mayor signed the contract.", "The mayor has not signed the contract.", "not signed"),
    ("The mayor signed the contract.", "The mayor hasn't signed the contract.", "hasn't signed"),
    ("the mayor signed the contract .", "the mayor has n't signed the contract .", "n't signed"),
    ("The pump works at night.", "The pump no longer works at night.", "no longer works"),
    ("The nurse answered the letter.", "The nurse never answered the letter.", "never answered"),
    ("The crew left, paying the bill.", "The crew left without paying the bill.", "without paying"),
    ("The engineers repaired the bridge.", "The engineers failed to repair the bridge.", "failed to repair"),
    ("The owner sold the farm.", "The owner refused to sell the farm.", "refused to sell"),
    ("The guard stole the painting.", "The guard denied that he had stolen the painting.", "denied that he had stolen"),
    ("The cashier took money from the till.", "The cashier denied taking money from the till.", "denied taking"),
    ("The fall of the town is imminent.", 'The fall of the town is "not imminent", a colonel said.', "not imminent"),
    # Plans, possibilities and conditions.
    ("The city built a bridge.", "The city plans to build a bridge.", "plans to build"),
    ("The council closes two schools.", "The council may close two schools.", "may close"),
    ("The drug causes headaches in children.", "The drug might cause headaches in children.", "might cause"),
    ("The strike ended on Friday.", "The strike is expected to end on Friday.", "expected to end"),
    ("The union stopped all trains.", "The union threatened to stop all trains.", "threatened to stop"),
    ("The prisoner escaped through a window.", "The prisoner tried to escape through a window.", "tried to escape"),
    ("The company cut 300 jobs.", "The company will decide in May if it cut 300 jobs.", "if it cut"),
    # Allegations.
    ("The driver ignored a red light.", "The driver allegedly ignored a red light.", "allegedly ignored"),
    ("The clerk deleted the files.", "The clerk is accused of deleting the files.", "accused of deleting"),
    ("The two brands have merged in Spain.", "The two brands have reportedly merged in Spain.", "reportedly merged"),
    # Bounds of numbers.
    ("The storm damaged 12 boats.", "The storm damaged up to 12 boats.", "up to 12"),
    ("The hall holds 300 guests.", "The hall holds fewer than 300 guests.", "fewer than 300"),
    ("The hall holds over 300 guests.", "The hall holds just under 300 guests.", "just under 300"),
    ("The hall holds at most 300 guests.", "The hall holds more than 300 guests.", "more than 300"),
]


@pytest.mark.parametrize(("sentence", "source", "phrase"), DROPPED)
def test_a_sentence_that_drops_a_modifier_of_its_source_is_not_borne_out(
    sentence: str, source: str, phrase: str
) -> None:
    assert find_reason(sentence, source) == f'the source says "{phrase}"'


# Pairs of a sentence with a source that has nothing like its negation.
NEGATED = [
    ("The mayor has not signed the contract.", "The mayor has signed the contract.", "not signed"),
    ("The mayor never signed the contract.", "On Monday the mayor signed the contract.", "never signed"),
    ("Tomato plants in two rows almost died.", "Tomato plants in two rows died.", "almost died"),
    ("The engineers failed to repair the bridge.", "The engineers repaired the bridge.", "failed to repair"),
]


@pytest.mark.parametrize(("sentence", "source", "phrase"), NEGATED)
def test_a_sentence_that_adds_a_negation_is_not_borne_out(sentence: str, source: str, phrase: str) -> None:
    assert find_reason(sentence, source) == f'the source has no negation as in "{phrase}"'


# Pairs of a sentence with a source that asserts it.
BORNE_OUT = [
    # The modifier is kept, also in another form.
    ("Tomato plants in two rows nearly died.", "Tomato plants in two rows almost died in May."),
    ("The mayor hasn't signed the contract.", "The mayor has not signed the contract yet."),
    ("The engineers could not repair the bridge.", "The engineers failed to repair the bridge."),
    ("The city will build a bridge.", "The city plans to build a bridge."),
    ("The driver is suspected of ignoring a red light.", "The driver allegedly ignored a red light."),
    ("The city intends to build a bridge.", "The city plans to build a bridge."),
    # A hedge that is added is harmless.
    ("The city may have built a bridge.", "The city built a bridge."),
    ("The driver allegedly ignored a red light.", "The driver ignored a red light."),
    # The modifier belongs to another word, clause or sentence.
    ("The mayor signed the contract.", "The mayor, who does not like the harbour, signed the contract."),
    ("The ferry sank in the harbour.", "The ferry sank in the harbour. Two cranes almost sank."),
    ("The storm damaged the roof.", "The storm may return, but it damaged the roof."),
    # It stands elsewhere without a modifier.
    ("The plants died in May.", "The plants almost died in April. The plants died in May."),
    # A question asserts nothing, nor does a rhetorical one deny.
    ("The city should repair the bridge.", "Shouldn't the city repair the bridge?"),
    # A denial that only sets something apart.
    ("The fire began in the kitchen, not in the hall.", "The fire began in the kitchen, far from the hall."),
    # The source denies in another word.
    ("The guests did not enjoy the dinner.", "The guests were unhappy, few enjoyed the dinner."),
    ("The bakery not only sells bread.", "The bakery sells bread and cakes."),
    # Numbers.
    ("The storm damaged 12 boats.", "The storm damaged at least 12 boats."),
    ("The storm damaged 200 boats.", "The storm damaged nearly 200 boats."),
    ("The hall holds less than 300 guests.", "The hall holds just under 300 guests."),
    ("The hall holds up to 300 guests.", "The hall holds no more than 300 guests."),
    ("The hall holds 300 guests.", "The hall holds up to 300 guests. Last year it held 300 guests."),
]


@pytest.mark.parametrize(("sentence", "source"), BORNE_OUT)
def test_a_sentence_that_asserts_no_more_than_its_source_is_borne_out(sentence: str, source: str) -> None:
    assert find_reason(sentence, source) is None


# Pairs of a sentence with a source that tells the same score, and the source's words for its winner.
LOST = [
    ("United win 2-1.", "City beat United 2-1 at home.", "City beat"),
    ("United beat City 2-1.", "City won 2-1 against United.", "City won"),
    ("United won 2-1.", "City's 2-1 win over United came late.", "City's 2-1 win"),
    ("United won 2-1.", "United were beaten 2-1 by City.", "beaten 2-1 by City"),
]


@pytest.mark.parametrize(("sentence", "source", "phrase"), LOST)
def test_a_score_with_the_other_side_as_its_winner_is_not_borne_out(sentence: str, source: str, phrase: str) -> None:
    assert find_reason(sentence, source) == f'the source says "{phrase}"'


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("United won 2-1.", "City lost 2-1 to United."),
        ("City win 2-1.", "United suffered a 2-1 defeat by City."),
        ("City won 2-1.", "It was a 2-1 win for City."),
        ("City beat United 2-1.", "City won 2-1 against United."),
    ],
)
def test_a_score_with_its_winner_in_other_words_is_borne_out(sentence: str, source: str) -> None:
    assert find_reason(sentence, source) is None


def test_a_copy_is_not_borne_out_if_the_rest_of_its_sentence_denies_it() -> None:
    source = "The clerk denied deleting the old files of the city council in May."

    assert find_reason("deleting the old files of the city council in May", source) is not None


def test_a_whole_sentence_of_the_source_is_borne_out_with_its_modifiers() -> None:
    source = "The clerk never deleted files. The clerk kept all the files in May. The clerk never read files of May."

    assert find_reason("The clerk never deleted files.", source) is None
