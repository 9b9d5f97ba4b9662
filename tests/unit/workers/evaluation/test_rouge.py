import csv
import unicodedata
from pathlib import Path

import pytest
from rouge_score.rouge_scorer import RougeScorer

from workers.evaluation.rouge import ROUGE_METRICS, choose_tokenizer, score_rouge


def test_rouge_equals_rouge_scores_own_on_real_pairs(shared_data: Path) -> None:
    with (shared_data / "cnn_dailymail_eval.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    leads, references = [row["article"][:400] for row in rows], [row["highlights"] for row in rows]
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    assert len(rows) == 100
    for lead, reference in zip(leads, references, strict=True):
        found, expected = score_rouge(lead, reference), scorer.score(reference, lead)
        for name in ROUGE_METRICS:
            assert found[name] == pytest.approx(expected[name].fmeasure, abs=1e-6)


TEXTS = {
    "hindi": ("नदी पर नया पुल मार्च में खुला।", "unicode-words"),
    "russian": ("Новый мост открыли в марте.", "unicode-words"),
    "arabic": ("افتتح الجسر الجديد في مارس.", "unicode-words"),
    "korean": ("새 다리가 삼월에 열렸다.", "unicode-words"),
    "greek": ("Η νέα γέφυρα άνοιξε.", "unicode-words"),
    "french": ("Le café a ouvert à Genève.", "unicode-words"),
    "chinese": ("新桥于三月开放。", "unicode-letters"),
    "japanese": ("新しい橋は2019年に開通した。", "unicode-letters"),
    "thai": ("สะพานใหม่เปิดในเดือนมีนาคม", "unicode-letters"),
    "burmese": ("တံတားအသစ်ကို မတ်လတွင် ဖွင့်သည်။", "unicode-letters"),
    "english": ("The bridge opened in March.", "rouge-score"),
    "digits": ("५३१९३", "unicode-words"),
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_summary_that_equals_its_reference_scores_1_in_any_script(language: str) -> None:
    text, tokenizer = TEXTS[language]
    assert choose_tokenizer(text, text) == tokenizer
    assert score_rouge(text, text)["rouge1"] == 1.0
    assert score_rouge(unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text))["rougeL"] == 1.0


@pytest.mark.parametrize(
    ("summary", "reference", "recall"),
    [
        ("Новый мост закрыли в марте.", "Новый мост открыли в марте.", 4 / 5),
        ("新桥于五月开放", "新桥于三月开放", 6 / 7),
        ("पुल मई में खुला।", "पुल मार्च में खुला।", 3 / 4),
        ("Mercury", "新桥", 0.0),
    ],
)
def test_words_in_common_are_counted_in_any_script(summary: str, reference: str, recall: float) -> None:
    assert score_rouge(summary, reference)["rouge1"] == pytest.approx(recall)


def test_words_of_latin_letters_keep_their_stems_beside_others() -> None:
    assert score_rouge("the cities of Zürich", "the city of Zurich")["rouge1"] == 1.0
