"""Undocumented names of peft, in one place, to check against each new version.

peft
    import_utils.is_bnb_available, is_bnb_4bit_available  cached answers whether bitsandbytes is installed
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

BITSANDBYTES = "bitsandbytes"


@contextmanager
def hide_bitsandbytes() -> Iterator[None]:
    """Let peft do without bitsandbytes for the length of a block, if nothing has imported it yet.

    peft imports it for layers that it has quantized. It imports PyTorch's compiler, which takes longer than merging the
    packaged adapter.
    """
    if sys.modules.get(BITSANDBYTES) is not None:
        yield
        return
    # ``importlib`` finds no module that is None here.
    sys.modules[BITSANDBYTES] = None  # type: ignore[assignment]
    try:
        _forget_answers()
        yield
    finally:
        del sys.modules[BITSANDBYTES]
        _forget_answers()


def _forget_answers() -> None:
    """Have peft look again whether bitsandbytes is there."""
    from peft import import_utils

    import_utils.is_bnb_available.cache_clear()
    import_utils.is_bnb_4bit_available.cache_clear()
