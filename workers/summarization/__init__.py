"""The pure summarization core: splitting, prompts, planning, strategies and guards."""
