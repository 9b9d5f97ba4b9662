"""LoRA and QLoRA fine-tuning, and merging an adapter into its base weights."""
