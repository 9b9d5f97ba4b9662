"""Execution of a step, from its claim to its stored end.

Where to find:
- a message becoming a claimed step: ``broker.tasks.run_step``, ``executor.Flow.claim``, ``models.claims.CLAIM``;
- the sequence: ``executor`` (run, then complete, fail, retry or release, then publish), over the rows in ``store``;
- one run: ``runner`` renders the prompt, ``attempts`` generates the text, ``checks`` measures a summary, and ``gate``
  isolates a step that is suspected of killing its process;
- a stored result: ``models.results.FINISH``, in one transaction with the next steps of the job (``progression``);
- a partial job: ``summarization.strategies.conclude`` decides it, ``progression._end`` writes it;
- a lost lease: ``leases`` stops the run, ``executor.Flow._stop`` writes nothing, ``FINISH`` refuses a result that comes
  too late, and ``reclaim`` makes the step ready for another worker.
"""
