"""What a user drives: reading sources, submitting, watching and reading results. Never imports torch or workers."""
