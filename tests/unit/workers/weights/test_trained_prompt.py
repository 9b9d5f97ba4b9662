"""How weights say that they want to be asked."""

from __future__ import annotations

from pathlib import Path

from workers.generation import PromptFormat
from workers.weights.metadata import AdapterNote
from workers.weights.packaged import require_packaged_adapter
from workers.weights.trained_prompt import Manner, read_manner


def write_card(folder: Path, style: str, template: str | None = None) -> None:
    note = AdapterNote(PromptFormat.CHAT, style, "base", "fingerprint", prompt_template=template)
    note.write(folder)


def test_the_adapter_says_before_its_base_how_to_ask(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    assert read_manner(base, adapter) == Manner("technical")
    write_card(base, "eli5")
    assert read_manner(base, adapter) == Manner("eli5")
    write_card(adapter, "custom", "In short: {text}")
    assert read_manner(base, adapter) == Manner("custom", "In short: {text}")


def test_the_packaged_adapter_wants_to_be_asked_for_news(tmp_path: Path) -> None:
    assert read_manner(tmp_path, require_packaged_adapter()) == Manner("news")
