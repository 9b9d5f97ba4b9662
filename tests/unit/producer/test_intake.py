from __future__ import annotations

from pathlib import Path

import pytest

from producer.intake import batch_id, job_id, name_batch


def test_the_same_submission_gets_the_same_name() -> None:
    assert name_batch(["a.md"], {"style": "news"}) == name_batch(["a.md"], {"style": "news"})


@pytest.mark.parametrize(("paths", "asked"), [(["b.md"], {}), (["a.md", "b.md"], {}), (["a.md"], {"style": "news"})])
def test_another_submission_gets_another_name(paths: list[str], asked: dict[str, object]) -> None:
    assert name_batch(paths, asked) != name_batch(["a.md"], {})


def test_a_name_does_not_depend_on_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").touch()
    name = name_batch([str(tmp_path / "a.md")], {})
    monkeypatch.chdir(tmp_path)

    assert name_batch(["a.md"], {}) == name


@pytest.mark.parametrize(
    ("path", "stem"),
    [("posts.csv", "posts"), ("-", "stdin"), ("https://example.com/some/page.html?x=1", "page"), ("/", "batch")],
)
def test_a_name_begins_with_what_was_submitted(path: str, stem: str) -> None:
    assert name_batch([path], {}).rpartition("-")[0] == stem


def test_a_name_has_no_characters_that_a_shell_would_mind() -> None:
    assert name_batch(["my file (1) & more.md"], {}).rpartition("-")[0] == "my-file-1-more"


def test_ids_follow_from_names() -> None:
    assert batch_id("x") == batch_id("x") != batch_id("y")
    assert job_id(batch_id("x"), "1") != job_id(batch_id("y"), "1")
