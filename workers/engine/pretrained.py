"""Config, tokenizer and network of a weights folder, loaded by transformers; errors name the folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from workers.engine.architectures import check_kind
from workers.engine.compat_transformers import forget_renamings, hide_load_report
from workers.engine.errors import UnsupportedSettingError
from workers.weights.errors import WeightsCorruptError
from workers.weights.folder import name_some

# Holds the chat template of older multimodal weights, whose tokenizer has none.
TEMPLATE_FILE = "chat_template.json"
# Names of the text network's tensors, with and without towers beside it, in both layouts that the hub has.
TEXT_KEYS = {r"^language_model\.lm_head\.": "lm_head.", r"^(model\.)?language_model\.(model\.)?": "model."}


def read_config(folder: Path) -> Any:
    """Return the transformers config of weights, of the text network alone where there are towers for images or sound.

    Raises:
        WeightsCorruptError: it is broken.
        UnsupportedSettingError: the weights need code of their own, or are quantized already.
        UnsupportedWeightsError: they are of a kind that cannot be served.
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, KeyError) as error:
        raise UnsupportedSettingError(
            f"{folder} is of a kind that transformers cannot serve without running its code: {error}"
        ) from error
    except (OSError, AttributeError, TypeError, StrictDataclassError) as error:
        raise _explain(folder / "config.json", error) from error
    if getattr(config, "quantization_config", None):
        raise UnsupportedSettingError(
            f"{folder} holds weights that are quantized already; name the ones before that and set quantization"
        )
    check_kind(config, folder)
    return select_text_config(config)


def select_text_config(config: Any) -> Any:
    """Return the config of the text network, with the ends of generation that the whole config names."""
    text_config = config.get_text_config()
    eos = getattr(config, "eos_token_id", None)
    if eos is not None:
        text_config.eos_token_id = eos
    return text_config


def read_tokenizer(folder: Path) -> Any:
    """Return the transformers tokenizer of weights.

    Raises:
        WeightsCorruptError: its files are broken or missing.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    # The library raises no narrower type for broken files.
    except Exception as error:
        raise _explain(folder / "tokenizer.json", error) from error
    if tokenizer.chat_template is None and (folder / TEMPLATE_FILE).is_file():
        tokenizer.chat_template = read_template(folder / TEMPLATE_FILE)
    return tokenizer


def read_template(path: Path) -> str:
    """Return the chat template of a file that holds nothing else.

    Raises:
        WeightsCorruptError: it is broken.
    """
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["chat_template"])
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise _explain(path, error) from error


def read_vocabulary(folder: Path) -> Any:
    """Return the tokenizer of weights, without transformers' wrapper if they have no chat template.

    The wrapper, which renders the template, takes most of the load: it parses a large vocabulary several times.

    Raises:
        WeightsCorruptError: its files are broken or missing.
    """
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        bos = settings.get("bos_token")
        has_template = settings.get("chat_template") is not None or any(folder.glob("chat_template*"))
    except (OSError, ValueError, AttributeError):
        return read_tokenizer(folder)
    if has_template or not isinstance(bos, str | None):
        return read_tokenizer(folder)
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The library raises no narrower type.
    except Exception as error:
        raise _explain(folder / "tokenizer.json", error) from error
    return Vocabulary(tokenizer, None if bos is None else tokenizer.token_to_id(bos))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokenizer without a chat template, with the attributes that ``PromptTokenizer`` uses.

    Args:
        backend_tokenizer: the tokenizer itself.
        bos_token_id: begins every prompt; None for no such token.
    """

    backend_tokenizer: Tokenizer
    bos_token_id: int | None
    is_fast = True
    chat_template = None


def read_network(folder: Path, **options: Any) -> Any:
    """Return the text network of weights in evaluation mode, with every tensor of it from the files.

    Args:
        folder: the weights.
        options: of transformers' ``from_pretrained``.

    Raises:
        WeightsCorruptError: a file is broken, or a tensor is missing or of another shape than the config asks for;
            transformers would fill it with random numbers.
    """
    try:
        with hide_load_report():
            network, found = AutoModelForCausalLM.from_pretrained(
                folder,
                config=read_config(folder),
                key_mapping=TEXT_KEYS,
                use_safetensors=True,
                trust_remote_code=False,
                # Refused below, with their names.
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **options,
            )
    except (OSError, TypeError, SafetensorError) as error:
        raise _explain(folder, error) from error
    forget_renamings(network, TEXT_KEYS)
    unfit = {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])}
    if unfit:
        raise WeightsCorruptError(
            f"{folder} lacks tensors that its config.json asks for, or has them in another shape ({name_some(unfit)}); "
            "download or save it again"
        )
    return network.eval()


def _explain(path: Path, error: Exception) -> WeightsCorruptError:
    return WeightsCorruptError(f"{path} cannot be read ({error}); download or save the weights again")
