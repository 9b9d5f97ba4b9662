import unicodedata
import weakref

import pytest

from workers.evaluation.lexical import Overlap, index_source, read_content, read_words, split_sentences


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


def test_the_mark_that_ends_a_quotation_belongs_to_its_sentence() -> None:
    text = "\u201cThe bridge is old.\u201d \u201c\u6a4b\u306f\u53e4\u3044\u3002\u201d\u6a4b\u306f\u9577\u3044\u3002"
    assert [sentence.text for sentence in split_sentences(text)] == [
        "\u201cThe bridge is old.\u201d",
        "\u201c\u6a4b\u306f\u53e4\u3044\u3002\u201d",
        "\u6a4b\u306f\u9577\u3044\u3002",
    ]


def test_sentences_know_their_places_and_have_words() -> None:
    text = "  One.  \n\n - \n Two. "
    assert [text[sentence.start : sentence.end] for sentence in split_sentences(text)] == ["One.", "Two."]


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


def test_words_are_compared_without_diacritics() -> None:
    assert keys("Özil's café") == keys("Ozil's cafe")


SENTENCES = {
    "hindi": ["पुल मार्च में खुला।", "उसे बनाने में चार साल लगे॥", "लोग खुश हैं।"],
    "urdu": ["پل مارچ میں کھلا۔", "کیا لوگ خوش ہیں؟", "جی ہاں۔"],
    "arabic": ["هل افتتح الجسر؟", "نعم.", "الناس سعداء."],
    "burmese": ["တံတား ဖွင့်သည်။", "လူများ ပျော်သည်။"],
    "armenian": ["Կամուրջը բացվեց։", "Մարդիկ ուրախ են:", "Այո։"],
    "ethiopic": ["ድልድዩ ተከፈተ።", "ሰዎች ተደሰቱ፡፡", "ለምን፧", "አዎ።"],
    "khmer": ["ស្ពានថ្មីបើក។", "មនុស្សសប្បាយ៕"],
    "tibetan": ["ཟམ་པ་གསར་པ་ཡིན།", "མི་ཚོ་དགའ།"],
    "chinese": ["桥开了!", "真的吗？", "是的。"],
    "greek": ["Άνοιξε η γέφυρα;", "Ναι."],
    "russian": ["А. С. Пушкин жил там, т. е. здесь.", "Мост открыт."],
    "german": ["Am 3. März kam er, z. B. nach Bonn.", "Er blieb."],
    "danish": ["Den 3. marts kom han.", "Han blev."],
    "french": ["« Bonjour ! »", "Il part."],
    "english": ["Prof. Smith lives at No. 5.", "He said so, e.g. here.", "It was 12.", "Then 13."],
    "german abbreviations": [
        "Der Umbau kostet rd. 3,2 Mio. Euro und damit ca. 400.000 Euro mehr als geplant.",
        "Dipl.-Ing. Hans Voss nennt Stahl bzw. Holz.",
        "Der Bund tr\u00e4gt gem. \u00a7 3 Abs. 2 max. 40 Prozent.",
        "Im 2. Stock entstehen Klassen.",
    ],
    "english abbreviations": [
        "Harlow Inc. bought it in Bristol, Conn. for approx. 2.4 million in Jan. 2021.",
        "By Nguyen et al. (2021, p. 14) it employs ca. 90 people.",
        "He speaks on Sept. 9 at St. Mark's.",
        "He moved to Conn.",
        "The firm stayed.",
    ],
}


@pytest.mark.parametrize("gap", [" ", "\n"])
@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_end_at_the_stops_of_their_script(language: str, gap: str) -> None:
    text = gap.join(SENTENCES[language])
    found = split_sentences(text)
    assert [sentence.text for sentence in found] == SENTENCES[language]
    assert [text[sentence.start : sentence.end] for sentence in found] == SENTENCES[language]


@pytest.mark.parametrize("language", ["hindi", "urdu", "burmese", "ethiopic", "khmer", "chinese"])
def test_no_space_is_needed_behind_a_stop_of_another_script(language: str) -> None:
    text = "".join(SENTENCES[language])
    assert [sentence.text for sentence in split_sentences(text)] == SENTENCES[language]


def test_a_decimal_point_of_urdu_or_of_full_width_ends_no_sentence() -> None:
    assert len(split_sentences("قیمت ۳۔۵ ہے۔")) == 1
    assert len(split_sentences("3\uff0e5 です。")) == 1


def test_a_word_has_its_combining_marks_and_joiners() -> None:
    assert [word.text for word in read_words("हिंदी की किताब")] == ["हिंदी", "की", "किताब"]
    assert [word.text for word in read_words("می\u200cروم خانه")] == ["می\u200cروم", "خانه"]
    assert keys("ex\u00adample") == keys("example")


@pytest.mark.parametrize("text", ["Zoë's café in Zürich", "Việt Nam", "ёлка и йод", "한국어", "がっこう", "हिंदी क़लम"])
def test_composed_and_decomposed_letters_are_the_same(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert keys(composed) == keys(decomposed)


def test_marks_that_make_another_letter_stay() -> None:
    assert keys("かき") != keys("がき")
    assert keys("мой") != keys("мои")
    assert keys("की") != keys("का")
    assert keys("كِتَاب") == keys("كتاب")


@pytest.mark.parametrize(
    "number",
    ["53,193", "53, 193", "53.193", "53\u202f193", "53'193", "５３１９３", "५३१९३", "५३,१९३", "٥٣٬١٩٣"],
)
def test_a_number_is_the_same_in_the_digits_and_groups_of_any_script(number: str) -> None:
    assert keys(number) == ["53193"]
    assert keys("1,00,000") == keys("100,000")


@pytest.mark.parametrize(
    "sentence",
    [
        "Мост строили в 2019 г. за 5 млн. руб. у реки.",
        "Дом на ул. Ленина стоит.",
        "Die 2. Brücke ist seit ca. zehn Jahren usw. gesperrt.",
        "Mme. Roux et Dhr. Jansen attendent El Sr. López.",
        "He came at 5 p.m. on Monday, as Fig. 3 shows.",
        "Most otwarto w 2019 r. i zamknięto.",
        "डॉ. शर्मा ने कहा।",
        "彼は「橋が開いた。」と言った。",
        "The lookup of Saxena et al. (2023) and of Leviathan et al. ICML is older.",
    ],
)
def test_a_stop_within_a_sentence_ends_none(sentence: str) -> None:
    assert [found.text for found in split_sentences(f"{sentence} {sentence}")] == [sentence, sentence]


def test_letters_without_case_begin_sentences_behind_short_words() -> None:
    assert len(split_sentences("پل باز شد. آیا مردم خوشحالند؟ بله. می\u200cروند.")) == 4


def test_the_words_of_a_sentence_are_kept_and_those_of_a_whole_text_are_not() -> None:
    sentence = "The council closed the northern bridge on Friday."
    content = weakref.ref(read_content(sentence * 20))

    assert content() is None
    assert read_content(sentence) is read_content(sentence)


def test_signs_without_end_are_split_in_linear_time() -> None:
    assert len(split_sentences("!" * 200_000)) == 0
