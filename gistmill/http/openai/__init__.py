"""OpenAI's endpoints for files and batches, so that a client of that API works unchanged with another address."""
