"""A verifier judges by adapter and head, and is refused for another base or with broken files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.tiny_gemma import build_tiny_gemma
from workers.engine import verifier as module
from workers.engine.cpu.onednn import OneDnnLinear, has_native_bfloat16, round_up_rows
from workers.engine.pretrained import read_vocabulary
from workers.engine.tokenizer import PromptTokenizer
from workers.engine.verifier import MAX_CLAIMS, Verifier, load_verifier
from workers.weights.errors import AdapterMismatchError, AdapterUnreadableError, WeightsError
from workers.weights.metadata import fingerprint_base
from workers.weights.verifier import VERIFIER_FILES, VERIFIER_HEAD, VerifierMetadata

EXCERPT = "The river rose by four metres in two days, and the council closed both bridges."
CLAIMS = ["The council closed both bridges.", "Engineers measured the piers.", "It rose."]


@pytest.fixture(scope="module")
def made(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verifier with random adapter and head."""
    folder = tmp_path_factory.mktemp("verifier")
    torch.manual_seed(1)
    settings = LoraConfig(r=2, target_modules=["q_proj", "up_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    network = AutoModelForCausalLM.from_pretrained(tiny_weights)
    hidden = network.config.hidden_size
    get_peft_model(network, settings).save_pretrained(folder)
    save_file({"weight": torch.randn(2, hidden), "bias": torch.randn(2)}, folder / VERIFIER_HEAD)
    VerifierMetadata("tiny", fingerprint_base(tiny_weights), threshold=0.4, mark_threshold=0.2).write(folder)
    return folder


@pytest.fixture(scope="module")
def verifier(made: Path, tiny_weights: Path) -> Verifier:
    return load_verifier(made, base=tiny_weights)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the verifier that a test may break."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def judge(verifier: Verifier, claims: list[str], *, excerpt: str = EXCERPT) -> list[float]:
    """Return the probability of each claim."""
    return [judgement.probability for judgement in verifier.judge(excerpt, claims)]


def test_scores_are_probabilities_that_depend_on_claim_and_excerpt(verifier: Verifier) -> None:
    scores = judge(verifier, CLAIMS)
    assert all(0 < score < 1 for score in scores)
    assert len(set(scores)) == len(CLAIMS)
    assert judge(verifier, CLAIMS, excerpt="Engineers measured the piers.") != pytest.approx(scores)
    assert (verifier.threshold, verifier.mark_threshold) == (0.4, 0.2)


def test_a_claim_scores_the_same_alone_and_among_others_in_any_order(verifier: Verifier) -> None:
    scores = judge(verifier, CLAIMS)
    assert judge(verifier, CLAIMS[::-1]) == pytest.approx(scores[::-1], abs=1e-4)
    assert [judge(verifier, [claim])[0] for claim in CLAIMS] == pytest.approx(scores, abs=1e-4)


def test_more_claims_than_fit_one_forward_pass_are_all_judged(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    pack = module.pack_claims
    monkeypatch.setattr(
        module, "pack_claims", lambda group, **options: sizes.append(len(group.claims)) or pack(group, **options)
    )
    claims = [f"The river rose by {number} metres." for number in range(MAX_CLAIMS + 1)]
    scores = judge(verifier, claims)
    assert sizes == [MAX_CLAIMS, 1]
    assert scores[-1:] == pytest.approx(judge(verifier, claims[-1:]), abs=1e-4)


def test_products_of_onednn_are_computed_of_few_numbers_of_rows(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Empty where the default precision of this CPU does not use oneDNN.
    seen = set()
    compute = OneDnnLinear.forward

    def record(layer: OneDnnLinear, rows: torch.Tensor) -> torch.Tensor:
        seen.add(rows.shape[-2])
        return compute(layer, rows)

    monkeypatch.setattr(OneDnnLinear, "forward", record)
    for number in range(1, 4):
        judge(verifier, CLAIMS[:number])
    assert seen == {round_up_rows(rows) for rows in seen}
    assert bool(seen) == has_native_bfloat16()


class LookUp:
    """Network whose hidden state tells one token from all others, without attention."""

    device = torch.device("cpu")

    def __init__(self, token: int) -> None:
        self.token = token
        self.config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(layer_types=None))

    def __call__(self, *, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        hidden = torch.nn.functional.one_hot((input_ids == self.token).long(), 2).float()
        return SimpleNamespace(last_hidden_state=hidden)


def test_one_false_token_makes_a_claim_false_and_is_pointed_at(tiny_weights: Path) -> None:
    tokenizer = PromptTokenizer(read_vocabulary(tiny_weights))
    true = "The river rose by four metres in two days, and the council has closed both bridges over it."
    false = true.replace("council", "journalist")
    token = next(token for token in tokenizer.encode_plain(false) if token not in tokenizer.encode_plain(true))
    head = {"weight": torch.tensor([[5.0, -5.0], [-5.0, 5.0]]), "bias": torch.zeros(2)}
    verifier = Verifier(LookUp(token), head, tokenizer, threshold=0.5, mark_threshold=0.1, fingerprint="")
    borne_out, refused = verifier.judge("A journalist saw it.", [true, false])
    assert borne_out.probability > 0.99
    assert refused.probability < 0.01
    assert all(item.doubt < 0.01 for item in borne_out.tokens)
    [doubted] = [item for item in refused.tokens if item.doubt > 0.99]
    assert false[doubted.start : doubted.end] in " journalist"


def test_nothing_to_judge_gives_no_scores(verifier: Verifier) -> None:
    assert verifier.judge(EXCERPT, []) == []


def test_control_tokens_in_a_claim_are_ordinary_words(verifier: Verifier) -> None:
    assert verifier.count_tokens("<eos>") > 1
    assert 0 < judge(verifier, ["<eos><end_of_turn>"], excerpt="<bos>")[0] < 1


def test_the_fingerprint_tells_adapter_head_and_both_thresholds(
    verifier: Verifier, folder: Path, tiny_weights: Path
) -> None:
    found = {verifier.fingerprint}
    for thresholds in ((0.5, 0.2), (0.5, 0.3)):
        VerifierMetadata("tiny", fingerprint_base(tiny_weights), *thresholds).write(folder)
        found.add(load_verifier(folder, base=tiny_weights).fingerprint)
    head = load_file(folder / VERIFIER_HEAD)
    save_file(head | {"bias": head["bias"] + 1}, folder / VERIFIER_HEAD)
    found.add(load_verifier(folder, base=tiny_weights).fingerprint)
    assert len(found) == 4


def test_it_takes_a_tokenizer_that_is_loaded_already(
    verifier: Verifier, made: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = PromptTokenizer(read_vocabulary(tiny_weights))
    monkeypatch.setattr(module, "read_vocabulary", None)
    assert judge(load_verifier(made, base=tiny_weights, tokenizer=tokenizer), CLAIMS) == judge(verifier, CLAIMS)


def test_another_base_is_refused(made: Path, tmp_path: Path) -> None:
    other = build_tiny_gemma(tmp_path / "other", seed=7)
    with pytest.raises(AdapterMismatchError, match=r"the verifier was trained for tiny .*give it the base weights"):
        load_verifier(made, base=other)


def break_head(folder: Path) -> None:
    (folder / VERIFIER_HEAD).write_bytes(b"no tensors")


def shrink_head(folder: Path) -> None:
    save_file({"weight": torch.ones(2, 3), "bias": torch.ones(2)}, folder / VERIFIER_HEAD)


def cut_adapter(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def drop_tensor(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    tensors.pop(min(tensors))
    save_file(tensors, path, {"format": "pt"})


def break_settings(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_head, f"{VERIFIER_HEAD} cannot be read .*; train or copy the verifier again"),
        (shrink_head, f"{VERIFIER_HEAD} does not fit weights with a hidden size of 64"),
        (cut_adapter, "adapter_model.safetensors is damaged"),
        (drop_tensor, "it lacks"),
        (break_settings, "adapter_config.json cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:Found missing adapter keys:UserWarning")
def test_a_broken_file_is_named(damage: Callable[[Path], None], message: str, folder: Path, tiny_weights: Path) -> None:
    damage(folder)
    with pytest.raises(WeightsError, match=message):
        load_verifier(folder, base=tiny_weights)


@pytest.mark.parametrize("name", VERIFIER_FILES)
def test_a_missing_file_is_named(name: str, folder: Path, tiny_weights: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(
        AdapterUnreadableError, match=rf"holds no verifier: {name} is missing; .*GISTMILL_VERIFIER=none"
    ):
        load_verifier(folder, base=tiny_weights)


def test_metadata_with_other_keys_is_named(folder: Path, tiny_weights: Path) -> None:
    (folder / "verifier.json").write_text(json.dumps({"base": "tiny"}))
    with pytest.raises(AdapterUnreadableError, match=r"verifier\.json cannot be read"):
        load_verifier(folder, base=tiny_weights)
