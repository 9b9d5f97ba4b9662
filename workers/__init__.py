"""What the GPUs run: the engine, the summarization core and the flow that ties them to the database."""
