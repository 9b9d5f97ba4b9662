"""Renders the architectures of weights that the engine serves, and those that it refuses."""

from __future__ import annotations

from workers.engine.architectures import ARCHITECTURES, REFUSED_KINDS, Architecture

INTRODUCTION = """\
<!-- Written by `make docs` from workers/engine/architectures.py; edit that. -->

# Weights

`GISTMILL_WEIGHTS` names a folder or a hub id with weights as safetensors, in one file or several, and their tokenizer.
Each architecture below is tested, on small random weights of its own layers: greedy tokens equal those of
transformers' `generate` in float32 (alone, in a batch, longer than the window, with speculative tokens or without),
scores and beams equal those of a plain forward pass while other requests run, and prompts have the ids of
`apply_chat_template`.

## Served
"""
FACTS = """
All are served in every quantization of their device ([engine.md](engine.md#loading)). Embeddings and the experts of a
mixture keep the dtype of `GISTMILL_DTYPE`: quantization leaves them out. The embeddings that every layer of Gemma 3n
and of small Gemma 4 adds stay in their file on a CPU, and take no memory of their own.

On a CPU a fused layer of Gemma 3 runs 38 operations for a token, beside its attention's, where transformers' own runs
74. The layers of Gemma 1 and Llama have 34 to 38 as they are; those of Qwen 3 48, of Gemma 2 70, of Gemma 4 82 (96 with
embeddings of their own, 145 with experts) and of Gemma 3n 153. That matters for small weights; of large ones the time
is that of reading them.

- **Multimodal weights** are loaded as their text network alone, by the names of either layout that the hub has.
- **Layers that differ**: the KV cache has a geometry for each kind of layers, and keeps nothing for layers that read
  the keys of an earlier one.
- **The end of a turn** is what the weights' own chat template puts after an answer, beside every end that their
  generation config lists. `suppress_tokens` of that config is kept to.
- **The chat template** comes from `chat_template.jinja`, `tokenizer_config.json` or `chat_template.json`. Weights
  without one are served as `completion`.
- **A system message** keeps its role where the template has one, and begins the user's turn elsewhere.
- **Control tokens** in a document are plain text: the special ones, those that the template writes, and the marks of a
  thought.
- **Thoughts** are turned off by the template's `enable_thinking`; one that comes all the same is cut from the answer.

## Refused

A worker ends with one sentence that says what to use, and code 78, after which nothing starts it again; `gistmill up`,
which waits for it, ends with the same sentence and code.

| weights | `model_type` | reason |
|---|---|---|"""
OTHERS = """| EmbeddingGemma | `gemma3_text` with `use_bidirectional_attention` | they make embeddings and no text |
| any other architecture | | it is not tested here |
| GGUF files | | only llama.cpp reads them; name the safetensors weights that they were made of |
| weights that are quantized already (GPTQ, AWQ, FP8) | | name those before that and set `GISTMILL_QUANTIZATION` |
| a folder without `tokenizer.json` or `tokenizer.model` | | its text could be neither read nor written |
| pickles (`.bin`, `.pt`) | | loading them can run code |
"""


def render_architectures() -> str:
    """Return docs/weights.md."""
    served = [
        "| family | `model_type` | for example | on a CPU | |",
        "|---|---|---|---|---|",
        *map(_render, ARCHITECTURES),
    ]
    refused = [f"| {kind.name} | {_join(kind.kinds)} | {kind.reason.split(' ', 1)[1]} |" for kind in REFUSED_KINDS]
    return "\n".join([INTRODUCTION, *served, FACTS, *refused, OTHERS])


def _render(known: Architecture) -> str:
    return f"| {known.name} | {_join(known.kinds)} | `{known.example}` | {known.speed} | {known.notes} |"


def _join(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"`{kind}`" for kind in kinds)
