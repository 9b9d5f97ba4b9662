"""TRL's trainer with logits at completion positions only.

Gemma's head has 262,144 outputs; logits at prompt positions would take most of a step on a CPU. The loss is equal,
because prompt positions have no label.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl import SFTConfig, SFTTrainer

from workers.engine.device import Placement
from workers.finetuning.checkpoints import name_checkpoints
from workers.finetuning.config import MAX_GRADIENT_NORM, FinetuneConfig, Optimizer
from workers.finetuning.dataset import IGNORED

# The last checkpoint, and one more in case the machine fails during its writing.
KEPT_CHECKPOINTS = 2


class CompletionTrainer(SFTTrainer):
    """``SFTTrainer`` that computes logits only at positions with a label."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the mean cross-entropy per completion token, and the outputs if requested."""
        labels = inputs["labels"][:, 1:]  # [batch, length - 1]: position i predicts token i + 1
        kept = (labels != IGNORED).any(dim=0).nonzero().squeeze(1)  # positions where any row has a label
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs.get("attention_mask"),
            use_cache=False,
            logits_to_keep=kept,
        )
        logits = outputs.logits.flatten(0, 1).float()  # [batch * kept, vocabulary]
        targets = labels[:, kept].flatten()
        total = cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        loss = total / self.count_tokens(targets, num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

    def count_tokens(self, targets: torch.Tensor, num_items_in_batch: Any) -> torch.Tensor:
        """Return the number of tokens that divides the summed loss, across accumulation steps and devices."""
        if num_items_in_batch is None:
            return (targets != IGNORED).sum().clamp(min=1)
        devices = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
        return torch.as_tensor(num_items_in_batch).clamp(min=1) / devices


def build_arguments(config: FinetuneConfig, placement: Placement) -> SFTConfig:
    """Translate the run's settings to TRL's; rows are already tokenized and truncated, so TRL's truncation is off."""
    settings = config.training
    return SFTConfig(
        output_dir=str(name_checkpoints(config.output)),
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule.value,
        warmup_steps=settings.warmup_steps,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        max_grad_norm=MAX_GRADIENT_NORM,
        optim=choose_optimizer(settings.optimizer, placement).value,
        save_steps=settings.checkpoint_steps,
        save_total_limit=KEPT_CHECKPOINTS,
        eval_strategy="steps" if settings.evaluation_steps else "no",
        eval_steps=settings.evaluation_steps,
        logging_steps=1,
        seed=settings.seed,
        data_seed=settings.seed,
        activation_checkpointing=settings.gradient_checkpointing,
        gradient_checkpointing=None,
        max_length=None,
        use_cpu=placement.device == "cpu",
        bf16=placement.dtype is torch.bfloat16,
        fp16=placement.dtype is torch.float16,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=placement.device == "cuda",
    )


def choose_optimizer(wanted: Optimizer, placement: Placement) -> Optimizer:
    """Return the optimizer of a device: on a CPU, the unpaged variant of a paged optimizer."""
    is_paged = wanted is Optimizer.PAGED_ADAMW_8BIT
    return Optimizer.ADAMW_8BIT if is_paged and placement.device == "cpu" else wanted
