"""Execution of a step, from its claim to its stored end.

Where to find:
- the claim of a step on its message: ``broker.tasks.run_step``, ``StepExecutor.claim``, ``models.claims.CLAIM``;
- the sequence: ``executor`` (run, then complete, fail, retry or release, then publish), over the rows in ``store``;
- one run: ``runner`` renders the prompt, ``attempts`` generates the text, ``checks`` measures a summary, and ``gate``
  isolates a step that is suspected of killing its process;
- a stored result: ``models.results.FINISH``, in one transaction with the next steps of the job (``progression``);
- a partial job: ``summarization.strategies.conclude`` decides it; ``progression._end`` writes it, and so does
  ``checks._replace_summary`` if the second try of a check replaces the summary;
- a lost lease: ``leases`` stops the run, ``StepExecutor._stop`` writes nothing, ``FINISH`` rejects a late result, and
  ``reclaim`` makes the step ready for another worker.
"""
