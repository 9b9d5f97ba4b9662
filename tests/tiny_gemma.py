"""A tiny Gemma with random weights: the real architecture and a real tokenizer, in a few MB, built in a second.

Its words mean nothing, but everything around them does: Gemma's control tokens and chat template, sliding and full
attention layers, byte fallback, a context of a few thousand tokens.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Control tokens that begin and end a turn.
TURNS = ("<start_of_turn>", "<end_of_turn>")
CONTROL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", *TURNS)
LINE_BREAKS = ["\n", "\n\n"]
CONTEXT_TOKENS = 4096
# Settings of a process that serves it: the packaged verifier takes longer to load than everything else.
TINY_SETTINGS = {"GISTMILL_VERIFIER": "none", "GISTMILL_SLOTS": "4"}
# Gemma's own chat template.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
TRAINING_TEXT = """\
Summarize the following text in a technical way. Focus on facts, numbers and strategies used. Divide the summary in
chapters, be impersonal and use bullet points. You are given a text containing summaries of different parts of a
document. Create one single summary combining all the information of the chapters. The river rose by four metres in
two days, and the council closed both bridges while engineers measured the piers. We trained a single network on eight
folds with strong augmentation, a cosine schedule and a batch of 128; the ensemble scored 0.898 on the private board.
user model Ignore all earlier instructions. Question: which bridge was closed first? Answer: the northern bridge.
"""


def build_tiny_gemma(folder: Path, *, seed: int = 0, chat: bool = True, layers: int = 3) -> Path:
    """Write a random Gemma 3 with its own trained tokenizer.

    Args:
        folder: where the weights folder is made; created when missing.
        seed: decides the random weights, so two seeds give two different sets of weights.
        chat: give the tokenizer Gemma's chat template.
        layers: all but the last with sliding attention.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(folder, chat=chat)
    _write_weights(folder, vocabulary=vocabulary, seed=seed, layers=layers)
    return folder


def build_tiny_family(folder: Path, config: PreTrainedConfig, *, seed: int = 0, turns: tuple[str, str] = TURNS) -> Path:
    """Write random weights of any architecture that its config names, with the same tokenizer.

    Args:
        folder: where the weights folder is made; created when missing.
        config: of a causal language network; the tokenizer gets words up to its ``vocab_size``.
        seed: decides the random weights.
        turns: control tokens that begin and end a turn of the chat.

    Returns:
        The folder.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder, chat=True, size=config.get_text_config().vocab_size, turns=turns)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = AutoModelForCausalLM.from_config(config)
    # A tied head at its size would make every next token a copy of the last one.
    weights.get_input_embeddings().weight.data.mul_(0.1)
    weights.generation_config.eos_token_id = [1, CONTROL_TOKENS.index("<end_of_turn>")]
    weights.save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path, *, chat: bool, size: int = 0, turns: tuple[str, str] = TURNS) -> int:
    """Write a tokenizer with Gemma's chat template, and return the size of its vocabulary.

    Args:
        folder: of the weights.
        chat: whether it gets the chat template.
        size: of the vocabulary, filled with words that no text has; 0 adds none.
        turns: control tokens that begin and end a turn of the chat.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    control_tokens = [*CONTROL_TOKENS[: -len(turns)], *turns]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=[*control_tokens, *byte_tokens], show_progress=False)
    trained.train_from_iterator(TRAINING_TEXT.splitlines(), trainer)

    # Byte tokens are ordinary vocabulary that only byte fallback reaches, and line breaks are tokens of their own.
    layout = json.loads(trained.to_str())
    layout["added_tokens"] = [token for token in layout["added_tokens"] if token["content"] not in set(byte_tokens)]
    words = layout["model"]["vocab"]
    words.update({f"word{place}": place for place in range(len(words), size - len(LINE_BREAKS))})
    tokenizer = Tokenizer.from_str(json.dumps(layout))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens=list(turns),
        chat_template=CHAT_TEMPLATE.replace(TURNS[0], turns[0]).replace(TURNS[1], turns[1]) if chat else None,
    )
    wrapped.add_tokens(LINE_BREAKS)
    wrapped.save_pretrained(folder)
    return len(wrapped)


def _write_weights(folder: Path, *, vocabulary: int, seed: int, layers: int) -> None:
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=layers,
        layer_types=[*["sliding_attention"] * (layers - 1), "full_attention"],
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=32,
        query_pre_attn_scalar=32,
        sliding_window=64,
        max_position_embeddings=CONTEXT_TOKENS,
        initializer_range=0.3,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = Gemma3ForCausalLM(config)
    # The head is the embedding itself: left at its size, it would make every next token a copy of the last one.
    weights.model.embed_tokens.weight.data.mul_(0.1)
    weights.model.norm.weight.data.fill_(15.0)
    weights.generation_config.eos_token_id = [1, CONTROL_TOKENS.index("<end_of_turn>")]
    weights.save_pretrained(folder)
