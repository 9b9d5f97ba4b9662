"""Everything that touches weights: loading, chat template, continuous batching, LangChain chat model."""
