"""Evaluation of summaries: consistency with the source, QAGS and ROUGE, free of I/O over a text generator."""
