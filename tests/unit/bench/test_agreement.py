from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.bench.agreement import measure_area, measure_file, measure_marks
from tests.bench.judgements import name_data_set, read_judged_files

SOURCE = "The council met on Monday in Leeds. Engineers found rust in nine cables of the bridge."
TRUE, FALSE = "The council met on Monday in Leeds.", "Engineers found rust in forty cables in Boston."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of each layout, and one of another."""
    answers = [
        {"worker_id": 1, "response": "yes"},
        {"worker_id": 2, "response": "no"},
        {"worker_id": 3, "response": "yes"},
    ]
    no = [{**answer, "response": "no"} for answer in answers]
    judged = [
        {"article": SOURCE, "summary_sentences": [{"sentence": text, "responses": votes}]}
        for text, votes in ((TRUE, answers), (FALSE, no), ("Rust was found in nine cables.", answers))
    ]
    spans = [{"start": FALSE.index("Boston"), "end": len(FALSE) - 1, "text": "Boston"}]
    marked = [{"source": SOURCE, "summaries": [{"text": TRUE, "spans": []}, {"text": FALSE, "spans": spans}]}]
    for name, rows in (("qags_mturk_cnndm", judged), ("ragtruth_summaries_dev", marked), ("claims", [{"source": ""}])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def test_files_are_read_by_their_layout_and_named_after_their_data_set(folder: Path) -> None:
    cnndm, ragtruth = read_judged_files(folder)

    assert (cnndm.name, [item.judgement for item in cnndm.judged]) == ("cnndm", [1.0, 0.0, 1.0])
    assert (ragtruth.name, [len(item.spans) for item in ragtruth.marked]) == ("ragtruth", [0, 1])
    assert name_data_set(Path("faithbench.jsonl")) == "faithbench"


def test_every_file_gives_its_figures(folder: Path) -> None:
    cnndm, ragtruth = read_judged_files(folder)

    assert measure_file(cnndm, None)["pearson_cnndm"] > 0.5
    assert measure_file(ragtruth, None) == {
        "auc_ragtruth": 1.0,
        "flag_precision_ragtruth": 1.0,
        "flag_recall_ragtruth": 1.0,
    }


def test_marks_are_right_if_people_found_the_sentence_unsupported() -> None:
    precision, recall, base = measure_marks([(True, True), (True, False), (False, True), (False, False)])

    assert (precision, recall, base) == (0.5, 0.5, 0.5)
    assert measure_marks([]) == (0.0, 0.0, 0.0)


def test_the_area_counts_the_pairs_in_which_the_faithful_summary_scores_higher() -> None:
    faithful = np.array([True, True, False, False])

    assert measure_area(np.array([0.9, 0.5, 0.5, 0.1]), faithful) == pytest.approx(0.875)
    assert np.isnan(measure_area(np.array([0.9]), np.array([True])))
