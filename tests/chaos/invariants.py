"""What must hold whatever died, asked of Postgres alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import Engine, text

# Each counts rows that must not exist.
RULES = {
    "not_terminal": "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')",
    # A check, or a second try that it has asked for, that has not ended.
    "open_checks": """
        SELECT count(*) FROM steps JOIN jobs ON jobs.id = steps.job_id
        WHERE steps.state IN ('ready', 'running') AND jobs.state IN ('succeeded', 'partial')""",
    # Jobs that ended without what they promise, and steps that a job needed and does not have.
    "jobs_without_result": """
        SELECT count(*) FROM jobs
        WHERE (state IN ('succeeded', 'partial') AND summary IS NULL)
           OR (state IN ('partial', 'failed', 'cancelled') AND reason IS NULL)""",
    "missing_steps": """
        SELECT count(*) FROM jobs
        LEFT JOIN LATERAL (
            SELECT count(*) FILTER (WHERE kind = 'plan') AS plans,
                   count(*) FILTER (WHERE kind = 'map') AS maps,
                   count(*) FILTER (WHERE kind = 'refine') AS refines,
                   count(*) FILTER (WHERE kind = 'extract') AS extracts,
                   count(*) FILTER (WHERE kind IN ('stuff', 'reduce')) AS ends
            FROM steps
            WHERE steps.job_id = jobs.id AND steps.state = 'done' AND (kind = 'plan' OR steps.round = jobs.round)
        ) AS done ON true
        WHERE state = 'succeeded' AND NOT CASE strategy
            WHEN 'stuff' THEN plans = 1 AND ends = 1
            WHEN 'extract' THEN plans = 1 AND extracts = 1
            WHEN 'refine' THEN plans = 1 AND refines = (plan ->> 'chunks')::int
            ELSE plans = 1 AND maps = (plan ->> 'chunks')::int AND (ends = 1 OR maps = 1)
        END""",
    # A job that asked for a check has one, and the check has left a number or the reason why there is none.
    "missing_checks": """
        SELECT count(*) FROM jobs
        WHERE state IN ('succeeded', 'partial')
            AND (options ->> 'check' = 'true' OR options ->> 'gate' IS NOT NULL)
            AND NOT EXISTS (
                SELECT 1 FROM steps
                WHERE steps.job_id = jobs.id AND kind = 'evaluate' AND (
                    steps.state = 'cancelled'
                    OR EXISTS (SELECT 1 FROM evaluations WHERE job_id = jobs.id AND metric = 'consistency')))""",
    # The stored sentences are those of the step that made the summary, and a job without a summary has none.
    "wrong_sentences": """
        SELECT count(*) FROM jobs
        CROSS JOIN LATERAL (SELECT count(*) AS stored FROM sentences WHERE sentences.job_id = jobs.id) AS kept
        CROSS JOIN LATERAL (
            SELECT coalesce(max(jsonb_array_length(steps.sentences)), 0) AS written
            FROM steps
            WHERE steps.job_id = jobs.id AND steps.round = jobs.round AND steps.state = 'done'
                AND steps.output = jobs.summary
        ) AS made
        WHERE kept.stored <> made.written""",
    # A succeeded job has nothing that is neither verified nor quoted, unless it asked for that.
    "ungrounded_sentences": """
        SELECT count(*) FROM jobs LEFT JOIN sentences ON sentences.job_id = jobs.id
        WHERE jobs.state = 'succeeded' AND jobs.options ->> 'grounding' = 'strict'
            AND coalesce(sentences.kind, 'none') NOT IN ('verified', 'quoted')""",
    "uncited_sentences": """
        SELECT count(*) FROM sentences JOIN jobs ON jobs.id = sentences.job_id
        WHERE jobs.state = 'succeeded' AND jobs.options ->> 'grounding' = 'strict' AND NOT EXISTS (
            SELECT 1 FROM citations
            WHERE citations.job_id = sentences.job_id AND citations.sentence = sentences.index)""",
    # The document has a quotation at the place that it cites.
    "false_quotations": r"""
        SELECT count(*) FROM sentences
        JOIN citations ON citations.job_id = sentences.job_id AND citations.sentence = sentences.index
        JOIN jobs ON jobs.id = sentences.job_id
        JOIN documents ON documents.sha256 = jobs.document_sha256
        WHERE sentences.kind = 'quoted' AND position(
            regexp_replace(
                substr(documents.text, citations.start_at + 1, citations.end_at - citations.start_at), '\s+', ' ', 'g')
            IN substr(jobs.summary, sentences.start_at + 1, sentences.end_at - sentences.start_at)) = 0""",
    "wrong_counts": """
        SELECT count(*) FROM jobs
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE kind = 'verified') AS verified,
                   count(*) FILTER (WHERE kind = 'quoted') AS quoted,
                   count(*) FILTER (WHERE kind = 'flagged') AS flagged
            FROM sentences WHERE sentences.job_id = jobs.id
        ) AS found
        WHERE (coalesce(jobs.verified, 0), coalesce(jobs.quoted, 0), coalesce(jobs.flagged, 0))
            <> (found.verified, found.quoted, found.flagged)""",
    "open_steps_of_final_jobs": """
        SELECT count(*) FROM steps JOIN jobs ON jobs.id = steps.job_id
        WHERE steps.state IN ('ready', 'running') AND jobs.state IN ('failed', 'cancelled')""",
    "running_without_lease": "SELECT count(*) FROM steps WHERE state = 'running' AND lease_until < now()",
    "doubled_steps": """
        SELECT count(*) FROM (
            SELECT 1 FROM steps GROUP BY job_id, round, kind, level, index HAVING count(*) > 1) AS doubled""",
    # A second result of one step would have left a second attempt that ended well.
    "doubled_results": """
        SELECT count(*) FROM (
            SELECT 1 FROM step_attempts WHERE outcome = 'done' GROUP BY step_id HAVING count(*) > 1) AS doubled""",
    "done_without_attempt": """
        SELECT count(*) FROM steps WHERE state = 'done' AND NOT EXISTS (
            SELECT 1 FROM step_attempts WHERE step_id = steps.id AND outcome = 'done')""",
    "doubled_jobs": """
        SELECT count(*) FROM (
            SELECT 1 FROM jobs GROUP BY batch_id, identity HAVING count(*) > 1) AS doubled""",
    # More final steps than the barrier let through: a round has one reduce, one stuff, one check, and a job one plan.
    "doubled_ends": """
        SELECT count(*) FROM (
            SELECT 1 FROM steps WHERE kind IN ('plan', 'stuff', 'extract', 'reduce', 'evaluate')
            GROUP BY job_id, CASE WHEN kind <> 'plan' THEN round END, kind
            HAVING count(*) > 1) AS doubled""",
    # There are two tries at most.
    "doubled_rounds": "SELECT count(*) FROM steps WHERE round > 1",
    # Each section of a digest's document is the summary of a job.
    "wrong_digests": """
        SELECT count(*) FROM jobs
        JOIN documents ON documents.sha256 = jobs.document_sha256
        CROSS JOIN LATERAL (SELECT count(*) AS stored FROM digest_parts WHERE digest_id = jobs.id) AS parts
        WHERE jobs.options ->> 'digest' = 'true' AND parts.stored <> regexp_count(documents.text, '^## ', 1, 'n')""",
    # A deletion ends, and leaves no document and no batch without a job.
    "unfinished_deletions": "SELECT count(*) FROM deletions WHERE finished_at IS NULL",
    "left_documents": """
        SELECT count(*) FROM documents WHERE NOT EXISTS (SELECT FROM jobs WHERE document_sha256 = documents.sha256)""",
    "left_batches": """
        SELECT count(*) FROM batches WHERE NOT EXISTS (SELECT FROM jobs WHERE batch_id = batches.id)""",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """How many rows break a promise, by promise; all zero when nothing is lost, nothing doubled and nothing left."""

    not_terminal: int
    lost: int
    doubled: int
    left: int
    details: dict[str, int]


def find_violations(engine: Engine) -> Findings:
    """Count the rows that must not exist."""
    with engine.connect() as connection:
        counts = {name: int(connection.execute(text(rule)).scalar_one()) for name, rule in RULES.items()}
    lost = (
        "jobs_without_result",
        "missing_steps",
        "open_steps_of_final_jobs",
        "running_without_lease",
        "missing_checks",
        "wrong_sentences",
        "ungrounded_sentences",
        "uncited_sentences",
        "false_quotations",
        "wrong_counts",
        "wrong_digests",
    )
    return Findings(
        not_terminal=counts["not_terminal"] + counts["open_checks"],
        lost=sum(counts[name] for name in lost) + counts["done_without_attempt"],
        doubled=sum(count for name, count in counts.items() if name.startswith("doubled")),
        left=counts["unfinished_deletions"] + counts["left_documents"] + counts["left_batches"],
        details={name: count for name, count in counts.items() if count},
    )


def assert_nothing_lost_or_doubled(engine: Engine) -> None:
    """Fail with the broken promises by name."""
    findings = find_violations(engine)
    assert not findings.details, findings.details
    assert [getattr(findings, each.name) for each in fields(findings)] == [0, 0, 0, 0, {}]
