"""The table of the producer's commands; ``gistmill`` adds the workers' to it."""

from __future__ import annotations

from producer.cli.front import EXIT_CODES
from producer.cli.lazy import Entry, LazyGroup

HELP = "Summarize piles of documents on your own machines, with every step kept as evidence."
WORK = "Work"
READ = "Read"

COMMANDS = {
    "submit": Entry("producer.cli.submit:submit", "Put documents on the queue.", WORK),
    "retry": Entry("producer.cli.retry:retry", "Run failed and cancelled steps again.", WORK),
    "cancel": Entry("producer.cli.cancel:cancel", "Stop jobs; what is finished stays.", WORK),
    "approve": Entry("producer.cli.approve:approve", "Say that summaries are good enough to learn from.", WORK),
    "status": Entry("producer.cli.status:status", "How far batches and jobs are.", READ),
    "watch": Entry("producer.cli.watch:watch", "Follow a batch until it ends.", READ),
    "show": Entry("producer.cli.show:show", "One summary and how it came about.", READ),
    "results": Entry("producer.cli.results:results", "List the jobs of a batch and their summaries.", READ),
    "export": Entry("producer.cli.export:export", "Write summaries to CSV, JSONL, Parquet or Markdown.", READ),
    "query": Entry("producer.cli.query:query", "Ask the results in SQL, read-only.", READ),
    "report": Entry("producer.cli.report:report", "Write one page about a batch, to read and to send.", READ),
    "completion": Entry("producer.cli.completion:completion", "Print a completion script for your shell.", READ),
}


def make_producer_group() -> LazyGroup:
    """Return the commands that need no worker code."""
    return LazyGroup(COMMANDS, help=HELP, epilog=EXIT_CODES)
