"""Summarization core, free of I/O: splitting, prompts, planning, strategies and guards."""
