"""Whatever bytes a file holds, reading gives sources and problems and never another exception."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.sources import ReadLimits, Source, SourceDuplicate, SourceNote, SourceProblem, read_sources
from producer.sources.kinds import SUFFIXES, FileKind
from producer.sources.sandbox import Sandbox
from tests.unit.producer.sources.made_files import PNG, make_docx, make_epub, make_pdf, make_xlsx
from tests.unit.producer.sources.made_slides import make_pptx, shape

SEEDS = {
    ".html": b"<html><h1>a</h1><table><tr><td>b</td></tr></table><pre>c</pre></html>",
    ".md": b"---\ntitle: a\n---\n# b\n",
    ".txt": "caf\u00e9".encode(),
    ".pdf": make_pdf("a"),
    ".docx": make_docx(),
    ".epub": make_epub(),
    ".eml": b"Subject: a\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nb\n"
    b"--B\nContent-Type: text/html\n\n<p>c</p>\n",
    ".pptx": make_pptx(shape("a", kind="title")),
    ".xlsx": make_xlsx([["id", "text"], [1, "a"]]),
    ".png": PNG,
    ".srt": b"1\n00:00:01,000 --> 00:00:02,000\na\n",
    ".ipynb": b'{"cells": [{"cell_type": "code", "source": ["a"], "outputs": []}]}',
    ".rst": b"a\n=\n\n.. note::\n\n   b\n",
    ".csv": b'id,text\n1,"a"\n2,b\n',
    ".jsonl": b'{"id": 1, "text": "a"}\n"b"\n',
    ".json": b'[{"text": "a"}, "b"]',
    ".parquet": b"PAR1\x15\x04\x15\x00PAR1",
    ".tsv": b"id\ttext\n1\ta\n",
    "": b"text",
}


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """A real document with a piece cut out and some bytes put in."""
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 50)))
    return seed[:start] + draw(st.binary(max_size=20)) + seed[end:]


def contents(suffix: str) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=300) | damaged(SEEDS[suffix])


@pytest.mark.parametrize("suffix", sorted(SEEDS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_give_sources_or_problems(
    suffix: str, data: st.DataObject, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One child process for all examples: starting one for each would take most of the time.
    monkeypatch.setattr("producer.sources.reading.Sandbox", lambda _limits: _Kept(sandbox))
    path = tmp_path / f"file{suffix}"
    path.write_bytes(data.draw(contents(suffix)))
    for event in read_sources([path], text_column="text"):
        assert isinstance(event, Source | SourceProblem | SourceDuplicate | SourceNote)
        if isinstance(event, Source):
            assert event.text.strip()
            for text in (event.name, event.text, event.title, *event.metadata, *event.metadata.values()):
                assert "\0" not in text
                text.encode()


def test_every_kind_is_tried() -> None:
    assert {SUFFIXES.get(suffix) for suffix in SEEDS} >= set(FileKind)


@dataclasses.dataclass
class _Kept:
    """The shared sandbox as a context manager that does not end it."""

    sandbox: Sandbox

    def __enter__(self) -> Sandbox:
        return self.sandbox

    def __exit__(self, *_: object) -> None: ...


def test_limits_are_the_default_ones(sandbox: Sandbox) -> None:
    assert sandbox._limits == ReadLimits()
