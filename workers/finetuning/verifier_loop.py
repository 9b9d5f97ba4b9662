"""Training loop of a verifier: one step is a few texts, each with its claims in one forward pass.

Every choice of a step follows from the seed and the step's number, so a resumed run ends as one that was not stopped.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch
from transformers import get_scheduler

from workers.engine.claim_packing import pool_tokens
from workers.evaluation.lexical import read_words, split_sentences
from workers.evaluation.passages import PassageIndex
from workers.finetuning.checkpoints import name_checkpoints
from workers.finetuning.claim_groups import ClaimGroup, TrainingClaim
from workers.finetuning.config import MAX_GRADIENT_NORM
from workers.finetuning.progress import ProgressListener, TrainingProgress
from workers.finetuning.verifier_config import MAX_STEP_CLAIMS, VerifierConfig
from workers.finetuning.verifier_loss import compute_claim_loss, compute_token_loss, label_tokens
from workers.finetuning.verifier_network import VerifierNetwork
from workers.finetuning.verifier_scores import JudgedClaim

STATE_NAME = "state.pt"
# Written last: a checkpoint without it is incomplete.
COMPLETE_NAME = "trainer_state.json"
# The last checkpoint, and one more in case the machine fails during its writing.
KEPT_CHECKPOINTS = 2
# The second moment adapts within 50 steps, as runs have a few hundred.
BETAS = (0.9, 0.98)


class VerifierTrainer:
    """Trainer of a verifier.

    Args:
        config: configuration of the run.
        network: network with its adapter and head.
        groups: groups of claims to train on.
    """

    def __init__(self, config: VerifierConfig, network: VerifierNetwork, groups: Sequence[ClaimGroup]) -> None:
        self._config = config
        self._network = network
        self._groups = groups
        settings = config.training
        self._steps_per_epoch = math.ceil(len(groups) / settings.accumulation)
        self.steps = settings.max_steps or math.ceil(settings.epochs * self._steps_per_epoch)
        rates = (
            (network.list_adapter_parameters(), settings.learning_rate),
            (network.list_head_parameters(), config.head_learning_rate),
        )
        self._parameters = [parameter for parameters, _ in rates for parameter in parameters]
        self._optimizer = torch.optim.AdamW(
            [{"params": parameters, "lr": rate} for parameters, rate in rates], betas=BETAS, weight_decay=0.0
        )
        self._scheduler = get_scheduler(
            settings.schedule.value,
            self._optimizer,
            num_warmup_steps=settings.warmup_steps,
            num_training_steps=self.steps,
        )

    def train(self, listener: ProgressListener, *, checkpoint: Path | None) -> None:
        """Train all steps, from a checkpoint on if there is one."""
        first = 0 if checkpoint is None else self._load_checkpoint(checkpoint)
        started = time.monotonic()
        for step in range(first, self.steps):
            loss = self._train_step(step)
            done = step + 1
            seconds_left = (self.steps - done) * (time.monotonic() - started) / (done - first)
            listener(TrainingProgress(done, self.steps, loss, None, seconds_left))
            if done % self._config.training.checkpoint_steps == 0 and done < self.steps:
                self._save_checkpoint(done)

    def judge(self, groups: Sequence[ClaimGroup]) -> Iterator[JudgedClaim]:
        """Yield the claims of held-out groups with their scores, by excerpts of the largest size."""
        for group in groups:
            texts = [claim.text for claim in group.claims]
            excerpt = self._pick_excerpt(group.source, texts, budget_tokens=self._config.budget.most)
            for claim, score in zip(group.claims, self._network.score(excerpt, texts), strict=True):
                yield JudgedClaim(score, claim.is_supported, claim.origin)

    def _train_step(self, step: int) -> float:
        """Train one step and return its mean loss."""
        torch.manual_seed(self._config.training.seed + step)  # of dropout
        self._optimizer.zero_grad()
        batch = self._list_batch(step)
        total = 0.0
        for place in batch:
            generator = random.Random(f"{self._config.training.seed} {step} {place}")  # noqa: S311 - reproducible
            group = self._groups[place]
            claims = generator.sample(group.claims, min(MAX_STEP_CLAIMS, len(group.claims)))
            loss = self._compute_loss(group.source, claims, self._config.budget.draw(generator)) / len(batch)
            torch.autograd.backward(loss)
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT_NORM)
        self._optimizer.step()
        self._scheduler.step()
        return total

    def _list_batch(self, step: int) -> list[int]:
        """Return the indices of the groups of a step."""
        epoch, place = divmod(step, self._steps_per_epoch)
        generator = random.Random(f"{self._config.training.seed} {epoch}")  # noqa: S311 - reproducible
        order = generator.sample(range(len(self._groups)), len(self._groups))
        size = self._config.training.accumulation
        return order[place * size : (place + 1) * size]

    def _pick_excerpt(self, source: str, claims: Sequence[str], *, budget_tokens: int) -> str:
        index = PassageIndex(split_sentences(source))
        return index.pick_excerpt(claims, count_tokens=self._network.count_tokens, budget_tokens=budget_tokens)

    def _compute_loss(self, source: str, claims: Sequence[TrainingClaim], budget_tokens: int) -> torch.Tensor:
        """Return the loss of claims on a text, and of their tokens."""
        texts = [claim.text for claim in claims]
        excerpt = self._pick_excerpt(source, texts, budget_tokens=budget_tokens)
        logits = self._network.compute_logits(excerpt, texts)
        known = {word.key for word in read_words(excerpt)}
        labels = [label_tokens(claim, self._network.list_offsets(claim.text), known) for claim in claims]
        # The wording after a claim has no label.
        own = torch.cat([logit[: len(label)] for logit, label in zip(logits, labels, strict=True)])
        pooled = torch.stack([pool_tokens(logit) for logit in logits])  # [claims]
        return compute_claim_loss(pooled, claims) + compute_token_loss(own, list(chain.from_iterable(labels)))

    def _save_checkpoint(self, step: int) -> None:
        folder = name_checkpoints(self._config.output) / f"checkpoint-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        state = {"network": self._network.get_state(), "optimizer": self._optimizer.state_dict()}
        torch.save({**state, "scheduler": self._scheduler.state_dict()}, folder / STATE_NAME)
        (folder / COMPLETE_NAME).write_text(json.dumps({"global_step": step}), encoding="utf-8")
        found = sorted(folder.parent.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        for old in found[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)

    def _load_checkpoint(self, folder: Path) -> int:
        """Load a checkpoint and return the number of its finished steps."""
        state = torch.load(folder / STATE_NAME, weights_only=True)
        self._network.set_state(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scheduler.load_state_dict(state["scheduler"])
        return int(json.loads((folder / COMPLETE_NAME).read_text(encoding="utf-8"))["global_step"])
