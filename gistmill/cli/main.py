"""Console command ``gistmill``: the table of its subcommands."""

from __future__ import annotations

import sys

from gistmill.cli.edge import EXIT_CODES, run, warn_of_names
from gistmill.cli.lazy import Entry, LazyGroup

HELP = "Summarize piles of documents on your own machines, with every step kept as evidence."
WORK = "Work"
READ = "Read"
CLUSTER = "Cluster"
QUALITY = "Quality"

COMMANDS = {
    "submit": Entry("gistmill.cli.submit:submit", "Put documents on the queue.", WORK),
    "watch-folder": Entry("gistmill.cli.watch_folder:watch_folder", "Submit the files of a folder as they come.", WORK),
    "retry": Entry("gistmill.cli.retry:retry", "Run failed and cancelled steps again.", WORK),
    "cancel": Entry("gistmill.cli.cancel:cancel", "Stop jobs; what is finished stays.", WORK),
    "delete": Entry("gistmill.cli.delete:delete", "Forget jobs with their documents and summaries.", WORK),
    "approve": Entry("gistmill.cli.approve:approve", "Say that summaries are good enough to learn from.", WORK),
    "status": Entry("gistmill.cli.status:status", "How far batches and jobs are.", READ),
    "watch": Entry("gistmill.cli.watch:watch", "Follow a batch until it ends.", READ),
    "show": Entry("gistmill.cli.show:show", "One summary and how it came about.", READ),
    "results": Entry("gistmill.cli.results:results", "List the jobs of a batch and their summaries.", READ),
    "export": Entry("gistmill.cli.export:export", "Write summaries to CSV, JSONL, Parquet or Markdown.", READ),
    "text": Entry("gistmill.cli.text:text", "What is read from a document, and what is left out.", READ),
    "query": Entry("gistmill.cli.query:query", "Ask the results in SQL, read-only.", READ),
    "report": Entry("gistmill.cli.report:report", "Write one page about a batch, to read and to send.", READ),
    "completion": Entry("gistmill.cli.completion:completion", "Print a completion script for your shell.", READ),
}

CLUSTER_COMMANDS = {
    "demo": Entry("gistmill.cli.demo:demo", "Three documents to three summaries, from nothing.", CLUSTER),
    "plan": Entry("gistmill.cli.plan:plan", "What a job would do, without running it.", CLUSTER),
    "up": Entry("gistmill.cli.up:up", "Start the whole cluster on this machine.", CLUSTER),
    "serve": Entry("gistmill.cli.serve:serve", "Serve the cluster over HTTP.", CLUSTER),
    "down": Entry("gistmill.cli.down:down", "Stop the cluster of this machine.", CLUSTER),
    "url": Entry("gistmill.cli.url:url", "Addresses of this machine's servers, for other programs.", CLUSTER),
    "logs": Entry("gistmill.cli.logs:logs", "What the programs of this machine have logged.", CLUSTER),
    "backup": Entry("gistmill.cli.backup:backup", "Write the results database to one file.", CLUSTER),
    "restore": Entry("gistmill.cli.backup:restore", "Fill an empty results database from such a file.", CLUSTER),
    "worker": Entry("gistmill.cli.worker:worker", "Serve jobs on this machine's GPUs or CPU.", CLUSTER),
    "finetune": Entry("gistmill.cli.finetune:finetune", "Train an adapter on pairs of your own.", CLUSTER),
    "weights": Entry("gistmill.cli.main:weights", "Weights and adapters that the cluster knows by name.", CLUSTER),
    "doctor": Entry("gistmill.cli.doctor:doctor", "What is reachable, what fits, what is missing.", CLUSTER),
    "migrate": Entry("gistmill.cli.migrate:migrate", "Create or upgrade the tables.", CLUSTER),
    "rescue": Entry("gistmill.cli.rescue:rescue", "Find lost steps once and send them again.", CLUSTER),
    "evaluate": Entry(
        "gistmill.cli.evaluate:evaluate", "Measure summaries: truth, or ROUGE against references.", QUALITY
    ),
    "compare": Entry("gistmill.cli.compare:compare", "Two batches over the same documents, side by side.", QUALITY),
}

WEIGHTS_COMMANDS = {
    "list": Entry("gistmill.cli.weights:list_all", "List them, and which are served.", "Read"),
    "show": Entry("gistmill.cli.weights:show", "What one was made of, and how good it was.", "Read"),
    "add": Entry("gistmill.cli.weights:add", "Register a folder or a hub id.", "Change"),
    "merge": Entry("gistmill.cli.weights:merge", "Fold an adapter into its base.", "Change"),
    "remove": Entry("gistmill.cli.weights:remove", "Forget one; its files stay.", "Change"),
}


def make_group() -> LazyGroup:
    """Return the group of all commands."""
    return LazyGroup({**COMMANDS, **CLUSTER_COMMANDS}, help=HELP, epilog=EXIT_CODES)


weights = LazyGroup(
    WEIGHTS_COMMANDS,
    help="""Weights and adapters that the cluster knows by name.

    \b
    Examples:
      gistmill weights list
      gistmill weights add reports adapters/reports
    """,
    epilog=EXIT_CODES,
)


def main() -> None:
    """Run the command line and exit with its code."""
    warn_of_names(sys.argv[1:])
    sys.exit(run(make_group(), name="gistmill"))
