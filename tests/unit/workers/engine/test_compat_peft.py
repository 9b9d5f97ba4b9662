"""peft merges without bitsandbytes, and finds it again afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workers.engine.compat_peft import BITSANDBYTES, hide_bitsandbytes

# In an interpreter of its own: here other tests may have imported it.
MERGE = """
import sys
from pathlib import Path
from transformers import AutoModelForCausalLM
from workers.engine.adapter import merge_adapter
folder, adapter = map(Path, sys.argv[1:])
merge_adapter(AutoModelForCausalLM.from_pretrained(folder), folder=folder, adapter=adapter)
assert "bitsandbytes" not in sys.modules, "imported"
from peft.tuners.lora import Linear4bit
assert "bitsandbytes" in sys.modules, "not found again"
"""


def test_a_merge_does_not_import_bitsandbytes_and_peft_has_its_layers_afterwards(
    tiny_weights: Path, adapter: Path
) -> None:
    command = [sys.executable, "-c", MERGE, str(tiny_weights), str(adapter)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_bitsandbytes_that_is_imported_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    module = object()
    monkeypatch.setitem(sys.modules, BITSANDBYTES, module)
    with hide_bitsandbytes():
        assert sys.modules[BITSANDBYTES] is module
    assert sys.modules[BITSANDBYTES] is module
