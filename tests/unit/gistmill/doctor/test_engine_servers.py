from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gistmill.doctor.engine_servers import examine_engine
from models.settings import Settings
from tests.fake_openai_server import FakeServer
from workers.engine.config import EngineConfig
from workers.engine.engine import Engine, load_engine


@pytest.fixture(scope="module")
def engine(tiny_weights: Path) -> Iterator[Engine]:
    """The tiny Gemma, which the servers of these tests serve."""
    engine = load_engine(EngineConfig(weights=str(tiny_weights), slots=2, context_tokens=512))
    yield engine
    engine.close()


@pytest.mark.parametrize(
    ("takes_ids", "condition", "words"),
    [
        (True, "ok", "serves tiny, takes prompts as token ids, a context of 2,048 tokens"),
        (False, "note", "control tokens in a document are broken by a space"),
    ],
)
def test_the_form_in_which_a_server_takes_prompts_is_told(
    takes_ids: bool, condition: str, words: str, engine: Engine, tiny_weights: Path
) -> None:
    with FakeServer(engine, takes_ids=takes_ids).run() as server:
        [found] = examine_engine(Settings(engine=server.url, weights=str(tiny_weights)))

    assert (found.subject, found.condition) == (f"engine at 127.0.0.1:{server.port}", condition)
    assert words in found.words


def test_a_server_is_named_although_the_tokenizer_is_not_here(engine: Engine, tmp_path: Path) -> None:
    with FakeServer(engine).run() as server:
        [found] = examine_engine(Settings(engine=server.url, home=tmp_path))

    assert found.condition == "note"
    assert "answers and serves tiny" in found.words


def test_a_server_that_is_away_or_refuses_the_key_is_broken(engine: Engine, tiny_weights: Path, tmp_path: Path) -> None:
    away = "http://127.0.0.1:1/v1"
    for settings in (Settings(engine=away, weights=str(tiny_weights)), Settings(engine=away, home=tmp_path)):
        assert [one.condition for one in examine_engine(settings)] == ["broken"]
    with FakeServer(engine, key="secret").run() as server:
        [found] = examine_engine(Settings(engine=server.url, weights=str(tiny_weights)))
    assert (found.condition, "refuses the key" in found.words) == ("broken", True)


def test_an_environment_without_vllm_is_broken_with_how_to_get_it(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)

    [found] = examine_engine(Settings(engine="vllm", vllm=bare))

    assert (found.condition, "pip install vllm" in found.words) == ("broken", True)
    assert list(examine_engine(Settings())) == []
