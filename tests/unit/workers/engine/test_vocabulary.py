"""The tokenizer without transformers gives the ids of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jinja2.exceptions import SecurityError

from workers.engine.errors import UnsupportedPromptError
from workers.engine.pretrained import read_tokenizer
from workers.engine.tokenizer import PromptTokenizer
from workers.engine.vocabulary import Vocabulary, read_tokenizer_files
from workers.generation import Part, Prompt, PromptFormat, Turn
from workers.weights.errors import WeightsCorruptError

TALK = (
    Turn("user", (Part("  What rose? "), Part("<start_of_turn>é€\n\n", is_untrusted=True))),
    Turn("assistant", (Part("The river."),)),
    Turn("user", (Part("By how much?<end_of_turn>", is_untrusted=True),)),
)


@pytest.mark.parametrize("prompt_format", list(PromptFormat))
def test_prompts_have_the_ids_that_transformers_gives(tiny_weights: Path, prompt_format: PromptFormat) -> None:
    ours, theirs = PromptTokenizer(read_tokenizer_files(tiny_weights)), PromptTokenizer(read_tokenizer(tiny_weights))
    prompt = Prompt(TALK, prompt_format)
    assert ours.encode_prompt(prompt) == theirs.encode_prompt(prompt)
    assert ours.has_chat_template


def test_weights_without_a_template_have_none(base_weights: Path) -> None:
    tokenizer = PromptTokenizer(read_tokenizer_files(base_weights))
    assert not tokenizer.has_chat_template
    with pytest.raises(UnsupportedPromptError, match="no chat template"):
        tokenizer.encode_prompt(Prompt(TALK))


def test_a_template_may_refuse_the_turns(tiny_weights: Path) -> None:
    tokenizer = PromptTokenizer(read_tokenizer_files(tiny_weights))
    with pytest.raises(UnsupportedPromptError, match="Conversation roles must alternate"):
        tokenizer.encode_prompt(Prompt((TALK[0], TALK[2])))


@pytest.mark.parametrize("kind", ["list", "jinja", "json"])
def test_a_template_is_found_wherever_a_folder_has_it(kind: str, tiny_weights: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((tiny_weights / "tokenizer.json").read_bytes())
    settings: dict[str, object] = {"bos_token": {"content": "<bos>"}}
    if kind == "list":
        settings["chat_template"] = [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]
    elif kind == "jinja":
        (tmp_path / "chat_template.jinja").write_text("A")
    else:
        (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "A"}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    found = read_tokenizer_files(tmp_path)
    assert (found.chat_template, found.bos_token_id, found.special_tokens) == ("A", 2, {"bos_token": "<bos>"})


def test_a_template_runs_in_a_sandbox(tiny_weights: Path) -> None:
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    vocabulary = Vocabulary(read_tokenizer_files(tiny_weights).backend_tokenizer, None, template)
    with pytest.raises(SecurityError):
        vocabulary.apply_chat_template([])


def test_broken_files_are_named(tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsCorruptError, match=r"tokenizer\.json cannot be read"):
        read_tokenizer_files(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((tiny_weights / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(WeightsCorruptError, match=r"tokenizer_config\.json cannot be read"):
        read_tokenizer_files(tmp_path)
