"""Batches of chat requests from a file of lines, as OpenAI's batch API has them: each line is a job with one step.

Where to find: ``files`` stores what is uploaded; ``lines`` reads a line and says what is wrong with it; ``intake``
stores lines as jobs; ``progress`` moves a batch from status to status; ``output`` writes the answers.
"""
