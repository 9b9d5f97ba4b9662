"""How weights say that they want to be asked."""

from __future__ import annotations

from pathlib import Path

from workers.generation import PromptFormat
from workers.weights.metadata import AdapterMetadata
from workers.weights.packaged import require_packaged_adapter
from workers.weights.trained_prompt import TrainedPrompt, read_trained_prompt


def write_metadata(folder: Path, style: str, template: str | None = None) -> None:
    metadata = AdapterMetadata(PromptFormat.CHAT, style, "base", "fingerprint", prompt_template=template)
    metadata.write(folder)


def test_the_adapter_says_before_its_base_how_to_ask(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    assert read_trained_prompt(base, adapter) == TrainedPrompt("technical")
    write_metadata(base, "eli5")
    assert read_trained_prompt(base, adapter) == TrainedPrompt("eli5")
    write_metadata(adapter, "custom", "In short: {text}")
    assert read_trained_prompt(base, adapter) == TrainedPrompt("custom", "In short: {text}")


def test_metadata_may_say_how_often_sentences_passed_their_check(tmp_path: Path) -> None:
    metadata = AdapterMetadata(PromptFormat.CHAT, "news", "base", "fingerprint", check_rate=0.4)
    metadata.write(tmp_path)
    assert AdapterMetadata.read(tmp_path) == metadata
    assert read_trained_prompt(tmp_path, None) == TrainedPrompt("news", check_rate=0.4)


def test_the_packaged_adapter_wants_to_be_asked_for_news(tmp_path: Path) -> None:
    assert read_trained_prompt(tmp_path, require_packaged_adapter()) == TrainedPrompt("news")
