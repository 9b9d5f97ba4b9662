"""Splitting and extraction of documents in other scripts than Latin."""

from __future__ import annotations

import pytest

from tests.unit.workers.summarization.counters import CharacterCounter
from workers.summarization.prose import find_prose
from workers.summarization.splitting import split_document

# Two sentences of each language, with a space between them where the script has spaces.
PAIRS = {
    "hindi": ("नदी पर नया पुल मार्च में खुला।", "उसे बनाने में चार साल लगे।", " "),
    "urdu": ("یہ نیا پل مارچ میں کھولا گیا۔", "لوگ اس سے بہت خوش ہیں اور بازار بھی بڑھا ہے۔", " "),
    "arabic": ("افتتح الجسر الجديد في شهر مارس.", "هل الناس سعداء بهذا الجسر الجديد؟", " "),
    "burmese": ("တံတားအသစ်ကို မတ်လတွင် ဖွင့်လှစ်ခဲ့သည်။", "လူများသည် ပျော်ရွှင်ကြသည်။", " "),
    "amharic": ("አዲሱ ድልድይ በመጋቢት ወር ተከፈተ።", "ሰዎች በጣም ደስተኞች ናቸው ብለዋል።", " "),
    "armenian": ("Նոր կամուրջը բացվեց մարտ ամսին։", "Մարդիկ շատ ուրախ են այսօր։", " "),
    "khmer": ("ស្ពានថ្មីត្រូវបានបើកនៅខែមីនា។", "ប្រជាជនសប្បាយចិត្តណាស់។", ""),
    "tibetan": ("ཟམ་པ་གསར་པ་ཟླ་བ་གསུམ་པར་སྒོ་ཕྱེས་པ་རེད།", "མི་ཚོ་དགའ་པོ་བྱུང་།", " "),
    "bengali": ("নতুন সেতু মার্চ মাসে খোলা হয়েছে।", "মানুষ খুব খুশি হয়েছে আজ।", " "),
    "japanese": ("新しい橋は三月に開通した。", "町の人々はとても喜んでいる。", ""),
    "chinese": ("新桥于 2019 年 3 月开放。", "市民 John 对新桥非常满意！", ""),
}


@pytest.mark.parametrize("language", PAIRS)
def test_a_long_text_is_cut_at_its_sentences(language: str) -> None:
    one, other, gap = PAIRS[language]
    text = gap.join([one, other] * 40)
    split = split_document(
        text,
        document_format="text",
        splitter="auto",
        chunk_tokens=150,
        overlap_tokens=0,
        counter=CharacterCounter(),
    )
    assert len(split.chunks) > 5
    for chunk in split.chunks:
        piece = text[chunk.start : chunk.end]
        assert piece.startswith((one, other))
        assert piece.endswith((one, other))


@pytest.mark.parametrize("language", PAIRS)
def test_every_sentence_can_be_quoted(language: str) -> None:
    one, other, gap = PAIRS[language]
    text = gap.join([one, other, one])
    assert [text[slice(*sentence.span)] for sentence in find_prose(text)] == [one, other, one]
