"""Whole summaries on a terminal, each in a panel with its figures."""

from __future__ import annotations


def print_summaries(database_url: str, batch: str) -> bool:
    """Print every summary of a batch with its figures, and tell whether every document got one."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text
    from sqlalchemy.orm import Session

    from models.reading import JobFilter, find_target, list_jobs
    from models.session import connect

    console = Console()
    with Session(connect(database_url, pool_size=1, longest_silence=None)) as session:
        target = find_target(session, batch)
        jobs = list(list_jobs(session, JobFilter(batch_id=target.batch_id)))
        for job in jobs:
            figures = (
                f"{job.strategy}, {job.chunks} chunk{'s' if job.chunks != 1 else ''}, {job.steps} steps, "
                f"{job.prompt_tokens:,} tokens read, {job.completion_tokens:,} written, {job.seconds or 0:.0f} s"
            )
            text = Text(job.summary or job.reason or "")
            console.print(Panel(text, title=f"{job.source}: {job.state}", subtitle=figures, title_align="left"))
            console.print(f"  gistmill show {str(job.job_id)[:8]}", highlight=False)
    return all(job.summary for job in jobs)
