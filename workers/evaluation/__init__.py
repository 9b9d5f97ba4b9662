"""Is the summary true, and is it good: ROUGE and QAGS, pure over a text generator."""
