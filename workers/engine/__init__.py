"""The engine: loading, chat template, continuous batching and LangChain chat model of one set of weights."""
