"""Engine in another process: a client of servers that speak OpenAI's API, such as vLLM; imports no torch."""
