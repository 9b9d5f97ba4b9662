"""One call from a file of claims to a verifier that has learned to tell them apart."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Gemma2Config, LlamaConfig, PreTrainedConfig

from tests.claims import FALSE, TRUE, write_claims
from tests.pairs import train_verifier
from tests.tiny_gemma import build_tiny_family
from workers.engine import verifier as serving
from workers.engine.verifier import load_verifier
from workers.evaluation.lexical import split_sentences
from workers.finetuning.claim_files import read_claim_file
from workers.finetuning.claim_groups import ClaimGroup, ClaimSet, TrainingClaim
from workers.finetuning.config import Schedule, SourceBudget, TrainingSettings
from workers.finetuning.errors import OutputInUseError, TooFewClaimsError, TrainingSettingsError
from workers.finetuning.lora import LoraSettings
from workers.finetuning.progress import TrainingProgress
from workers.finetuning.verifier_config import VerifierConfig
from workers.finetuning.verifier_loop import VerifierTrainer
from workers.finetuning.verifier_loss import label_tokens
from workers.finetuning.verifier_network import VerifierNetwork
from workers.finetuning.verifier_training import VerifierResult, build_network, prepare_placement
from workers.weights.metadata import fingerprint_base
from workers.weights.verifier import VERIFIER_FILES, VerifierMetadata


def build_config(folder: Path, base: Path, *, steps: int = 20, texts: int = 12, **changes: object) -> VerifierConfig:
    """Return a config of a run that takes seconds."""
    training = {"accumulation": 4, "learning_rate": 1e-2, "warmup_steps": 1, "max_steps": steps, "checkpoint_steps": 2}
    values: dict[str, object] = {
        "data": (write_claims(folder / "claims.jsonl", texts),),
        "base": base,
        "output": folder / "verifier",
        "budget": SourceBudget(most=64, least=48),
        "lora": LoraSettings(r=4, alpha=8),
        "held_out": 4,
        "head_learning_rate": 3e-2,
        "training": TrainingSettings(**training),  # type: ignore[arg-type]
    }
    return VerifierConfig(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, base_weights: Path) -> VerifierConfig:
    return build_config(tmp_path_factory.mktemp("verifier"), base_weights)


@pytest.fixture(scope="module")
def news() -> list[TrainingProgress]:
    """Progress of the finished run."""
    return []


@pytest.fixture(scope="module")
def result(config: VerifierConfig, news: list[TrainingProgress]) -> VerifierResult:
    """A verifier of a dozen texts."""
    return train_verifier(config, listener=news.append)


@pytest.fixture
def as_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linear layers in the dtype of the training; a CPU serves them in 16 bits."""
    monkeypatch.setattr(serving, "choose_linears", lambda *_: lambda _module: None)


def test_the_verifier_learns_to_tell_true_from_false_claims(
    result: VerifierResult, news: list[TrainingProgress]
) -> None:
    scores = result.metadata.metrics["verifier"]
    assert (scores["auc"], scores["balanced_accuracy"], scores["claims"]) == (1.0, 1.0, 16)
    assert scores["origins"]["false: written"] | {"mean_score": 0} == {
        "claims": 8,
        "mean_score": 0,
        "accepted_share": 0.0,
    }
    assert 0 < result.metadata.threshold < 1
    losses = [progress.loss or 0.0 for progress in news]
    assert len(losses) == 20
    assert losses[-1] < 0.5 * losses[0]
    assert news[-1].seconds_left == 0


@pytest.mark.usefixtures("as_trained")
def test_a_saved_verifier_serves_the_scores_of_its_training(config: VerifierConfig, result: VerifierResult) -> None:
    groups = read_claim_file(config.data[0], seed=config.training.seed).groups
    network = build_network(config, prepare_placement(config))
    trainer = VerifierTrainer(config, network, groups)
    network.set_state(read_trained(result.folder))
    verifier = load_verifier(result.folder, base=config.base)
    assert verifier.threshold == result.metadata.threshold
    judged = list(trainer.judge(groups[:2]))
    served = [score for group in groups[:2] for score in judge(verifier, group)]
    assert served == pytest.approx([claim.score for claim in judged], abs=1e-4)
    assert {claim.is_supported for claim in judged} == {claim.score > verifier.threshold for claim in judged}


def read_trained(folder: Path) -> dict[str, torch.Tensor]:
    """Return the trained tensors of a saved verifier, as the network names them."""
    head = {f"head.{name}": tensor for name, tensor in load_file(folder / "head.safetensors").items()}
    return load_file(folder / "adapter_model.safetensors") | head


def judge(verifier: serving.Verifier, group: ClaimGroup) -> list[float]:
    # The texts are shorter than the budget: their excerpt is all their sentences.
    excerpt = " ".join(sentence.text for sentence in split_sentences(group.source))
    return [judgement.probability for judgement in verifier.judge(excerpt, [claim.text for claim in group.claims])]


def test_only_the_upper_two_thirds_of_the_layers_are_adapted_under_the_names_of_the_causal_network(
    result: VerifierResult,
) -> None:
    names = load_file(result.folder / "adapter_model.safetensors")
    assert {name.partition(".layers.")[0] for name in names} == {"base_model.model.model"}
    assert {int(name.split(".layers.")[1].split(".")[0]) for name in names} == {1, 2}
    settings = json.loads((result.folder / "adapter_config.json").read_text())
    assert settings["task_type"] == "CAUSAL_LM"
    assert settings["base_model_name_or_path"] == "gemma"


def test_the_verifier_says_what_it_was_made_for_and_of(config: VerifierConfig, result: VerifierResult) -> None:
    metadata = VerifierMetadata.read(result.folder)
    assert metadata == result.metadata
    assert (metadata.base, metadata.base_fingerprint) == ("gemma", fingerprint_base(config.base))
    assert metadata.training["lora"]["r"] == 4
    assert (metadata.data["texts"], metadata.data["held_out"]) == (8, 4)
    assert metadata.data["origins"] == {"false: written": 16, "true: written": 16}
    files = [path for path in result.folder.iterdir() if path.is_file()]
    assert {path.name for path in files} == set(VERIFIER_FILES)
    assert not any(str(config.base.parent).encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    "family",
    [
        Gemma2Config(
            vocab_size=1024,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            initializer_range=0.3,
        ),
        LlamaConfig(
            vocab_size=1024,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=2,
            num_key_value_heads=1,
            initializer_range=0.3,
            bos_token_id=2,
        ),
    ],
    ids=["gemma2", "llama"],
)
@pytest.mark.usefixtures("as_trained")
def test_other_families_are_trained_and_served_alike(family: PreTrainedConfig, tmp_path: Path) -> None:
    base = build_tiny_family(tmp_path / "base", family)
    made = train_verifier(build_config(tmp_path, base, steps=30))
    assert made.metadata.metrics["verifier"]["auc"] == 1.0
    verifier = load_verifier(made.folder, base=base)
    excerpt = f"Day 5. The river rose by 5 metres in two days. {TRUE[0]}"
    scores = verifier.judge(excerpt, [*TRUE, *FALSE])
    assert [score.probability > verifier.threshold for score in scores] == [True, True, False, False]


def test_an_interrupted_run_resumes_and_ends_as_if_it_had_not_been(base_weights: Path, tmp_path: Path) -> None:
    def interrupt(progress: TrainingProgress) -> None:
        if progress.step == 7:
            raise KeyboardInterrupt

    tensors = []
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
        config = build_config(tmp_path / name, base_weights, steps=8, lora=LoraSettings(r=4, alpha=8, dropout=0.1))
        if name == "broken":
            with pytest.raises(KeyboardInterrupt):
                train_verifier(config, listener=interrupt)
            with pytest.raises(OutputInUseError, match="go on with --resume"):
                train_verifier(config)
            kept = sorted(path.name for path in (config.output / "checkpoints").glob("checkpoint-*"))
            assert kept == ["checkpoint-4", "checkpoint-6"]
            config = replace(config, resume=True)
        tensors.append(read_trained(train_verifier(config).folder))
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_the_same_seed_gives_the_same_verifier_and_another_seed_another(base_weights: Path, tmp_path: Path) -> None:
    heads = []
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        config = build_config(tmp_path / name, base_weights, steps=2)
        config = replace(config, training=replace(config.training, seed=seed))
        heads.append(load_file(train_verifier(config).folder / "head.safetensors")["weight"])
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_held_out_claims_can_be_switched_off(base_weights: Path, tmp_path: Path) -> None:
    metadata = train_verifier(build_config(tmp_path, base_weights, steps=1, held_out=0)).metadata
    assert metadata.metrics["verifier"] == {}
    assert metadata.threshold == 0.5


def test_epochs_count_steps_over_all_texts(base_weights: Path, tmp_path: Path) -> None:
    news: list[TrainingProgress] = []
    config = build_config(tmp_path, base_weights, held_out=2)
    training = replace(config.training, max_steps=None, epochs=1.5)
    train_verifier(replace(config, training=training), listener=news.append)
    assert [progress.step for progress in news] == [1, 2, 3, 4, 5]


def test_a_finished_verifier_is_not_overwritten(config: VerifierConfig, result: VerifierResult) -> None:
    assert result.folder == config.output
    with pytest.raises(OutputInUseError, match="already holds an adapter"):
        train_verifier(config)


def test_too_few_texts_are_said_before_training_starts(base_weights: Path, tmp_path: Path) -> None:
    config = build_config(tmp_path, base_weights, held_out=7)
    with pytest.raises(TooFewClaimsError, match="claims on 12 texts cannot give 7 held-out texts: bring at least 14"):
        train_verifier(config)
    assert not config.output.exists()


def test_several_processes_are_refused(base_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingSettingsError, match="start the command without accelerate"):
        train_verifier(build_config(tmp_path, base_weights))


def test_the_defaults_are_those_of_the_packaged_verifier() -> None:
    config = VerifierConfig(data=(), base=Path(), output=Path())
    training = config.training
    assert (training.learning_rate, config.head_learning_rate) == (3e-4, 2e-3)
    assert (training.schedule, training.warmup_steps, training.accumulation) == (Schedule.COSINE, 20, 2)
    assert (config.lora.r, config.lora.alpha) == (16, 32)


def test_adapter_and_head_have_their_own_learning_rates(base_weights: Path, tmp_path: Path) -> None:
    changes = []
    for name, head_rate in (("slow", 1e-6), ("fast", 1e-1)):
        (tmp_path / name).mkdir()
        config = build_config(tmp_path / name, base_weights, steps=2, head_learning_rate=head_rate)
        changes.append(
            load_file(train_verifier(config).folder / "head.safetensors")["bias"] - torch.tensor([1.0, -1.0])
        )
    assert changes[0].abs().max() < 1e-5
    assert changes[1].abs().max() > 1e-2


def test_a_step_takes_at_most_nine_claims_of_a_text(
    base_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: set[int] = set()
    compute = VerifierNetwork.compute_logits

    def record(network: VerifierNetwork, excerpt: str, claims: Sequence[str]) -> list[torch.Tensor]:
        sizes.add(len(claims))
        return compute(network, excerpt, claims)

    claims = tuple(TrainingClaim(f"The river rose by {place} metres.", place < 5, "given") for place in range(12))
    groups = ClaimSet(tuple(ClaimGroup("The river rose.", claims, str(document)) for document in range(2)))
    monkeypatch.setattr(VerifierNetwork, "compute_logits", record)
    train_verifier(build_config(tmp_path, base_weights, steps=1, held_out=0), claims=groups)
    assert sizes == {9}


def test_labelled_tokens_are_told_apart_within_a_claim(base_weights: Path, tmp_path: Path) -> None:
    # The claims are all false, and each by one of its words: only the labels tell which.
    claims = tuple(
        TrainingClaim(f"The {name} closed both bridges.", False, "another name", ((4, 4 + len(name)),))
        for name in ("network", "engineer", "journalist", "student")
    )
    groups = [ClaimGroup("The council closed both bridges.", claims, "a")]
    config = build_config(tmp_path, base_weights, steps=20)
    network = build_network(config, prepare_placement(config))
    VerifierTrainer(config, network, groups).train(lambda _: None, checkpoint=None)
    with torch.inference_mode():
        logits = network.compute_logits(groups[0].source, [claim.text for claim in claims])
    for claim, tokens in zip(claims, logits, strict=True):
        offsets = network.list_offsets(claim.text)
        labels = torch.tensor(label_tokens(claim, offsets, set()), dtype=torch.bool)
        own = tokens[: len(offsets)]
        assert own[labels].min() > own[~labels].max()


def test_a_batch_is_always_one_text(base_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingSettingsError, match="a batch is one text"):
        build_config(tmp_path, base_weights, training=TrainingSettings(batch_size=2))


def test_judged_claims_come_in_the_order_of_their_texts(config: VerifierConfig) -> None:
    groups = read_claim_file(config.data[0], seed=1).groups
    network = build_network(config, prepare_placement(config))
    judged = list(VerifierTrainer(config, network, groups).judge(groups))
    untrained = pytest.approx(1 / (1 + math.exp(-2)))
    expected = [(untrained, claim.is_supported, claim.origin) for group in groups for claim in group.claims]
    assert [(claim.score, claim.is_supported, claim.origin) for claim in judged] == expected
