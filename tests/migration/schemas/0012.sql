CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.batches (
    id uuid NOT NULL,
    name character varying NOT NULL,
    options jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    retention_days integer,
    CONSTRAINT ck_batches_name_is_not_empty CHECK (((name)::text <> ''::text)),
    CONSTRAINT ck_batches_retention_days_is_positive CHECK ((retention_days > 0))
);
CREATE TABLE public.jobs (
    id uuid NOT NULL,
    batch_id uuid NOT NULL,
    identity character varying NOT NULL,
    document_sha256 character varying NOT NULL,
    source character varying NOT NULL,
    options jsonb NOT NULL,
    weights character varying NOT NULL,
    priority integer NOT NULL,
    state character varying NOT NULL,
    strategy character varying,
    plan jsonb,
    pending integer NOT NULL,
    summary character varying,
    reason character varying,
    cancel_requested_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    round integer DEFAULT 0 NOT NULL,
    review character varying,
    verified integer,
    quoted integer,
    flagged integer,
    headings jsonb,
    "position" integer DEFAULT 0 NOT NULL,
    data jsonb,
    CONSTRAINT ck_jobs_data_of_a_summary CHECK (((data IS NULL) OR (summary IS NOT NULL))),
    CONSTRAINT ck_jobs_finished_at_when_final CHECK ((((state)::text = ANY ((ARRAY['succeeded'::character varying, 'partial'::character varying, 'failed'::character varying, 'cancelled'::character varying])::text[])) = (finished_at IS NOT NULL))),
    CONSTRAINT ck_jobs_pending_is_not_negative CHECK ((pending >= 0)),
    CONSTRAINT ck_jobs_reason_when_not_whole CHECK ((((state)::text <> ALL ((ARRAY['partial'::character varying, 'failed'::character varying])::text[])) OR (reason IS NOT NULL))),
    CONSTRAINT ck_jobs_review_of_a_summary CHECK (((review IS NULL) OR (summary IS NOT NULL))),
    CONSTRAINT ck_jobs_state_is_known CHECK (((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying, 'succeeded'::character varying, 'partial'::character varying, 'failed'::character varying, 'cancelled'::character varying])::text[]))),
    CONSTRAINT ck_jobs_summary_is_not_blank CHECK ((((state)::text <> 'succeeded'::text) OR ((summary)::text ~ '\S'::text))),
    CONSTRAINT ck_jobs_summary_when_done CHECK ((((state)::text = ANY ((ARRAY['succeeded'::character varying, 'partial'::character varying])::text[])) = (summary IS NOT NULL)))
);
CREATE TABLE public.steps (
    id uuid NOT NULL,
    job_id uuid NOT NULL,
    kind character varying NOT NULL,
    level integer NOT NULL,
    index integer NOT NULL,
    inputs jsonb DEFAULT '[]'::jsonb NOT NULL,
    state character varying NOT NULL,
    queue character varying NOT NULL,
    priority integer NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL,
    dispatched_at timestamp with time zone,
    dispatches integer DEFAULT 0 NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    errors integer DEFAULT 0 NOT NULL,
    crashes integer DEFAULT 0 NOT NULL,
    is_solo boolean DEFAULT false NOT NULL,
    lease_token uuid,
    lease_owner character varying,
    lease_until timestamp with time zone,
    done_token uuid,
    identity character varying,
    cached_from uuid,
    prompt_fingerprint character varying,
    weights_fingerprint character varying,
    params jsonb,
    output character varying,
    output_tokens integer,
    prompt_tokens integer,
    completion_tokens integer,
    finish_reason character varying,
    seconds double precision,
    worker character varying,
    guards jsonb DEFAULT '[]'::jsonb NOT NULL,
    error jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    round integer DEFAULT 0 NOT NULL,
    sentences jsonb DEFAULT '[]'::jsonb NOT NULL,
    CONSTRAINT ck_steps_error_when_failed CHECK ((((state)::text = 'failed'::text) = (error IS NOT NULL))),
    CONSTRAINT ck_steps_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['plan'::character varying, 'stuff'::character varying, 'map'::character varying, 'collapse'::character varying, 'reduce'::character varying, 'refine'::character varying, 'extract'::character varying, 'evaluate'::character varying, 'chat'::character varying])::text[]))),
    CONSTRAINT ck_steps_lease_end_while_running CHECK ((((state)::text = 'running'::text) = (lease_until IS NOT NULL))),
    CONSTRAINT ck_steps_lease_while_running CHECK ((((state)::text = 'running'::text) = (lease_token IS NOT NULL))),
    CONSTRAINT ck_steps_output_when_done CHECK ((((state)::text = 'done'::text) = (output IS NOT NULL))),
    CONSTRAINT ck_steps_place_is_not_negative CHECK (((level >= 0) AND (index >= 0) AND (round >= 0))),
    CONSTRAINT ck_steps_state_is_known CHECK (((state)::text = ANY ((ARRAY['ready'::character varying, 'running'::character varying, 'done'::character varying, 'failed'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE VIEW public.batch_progress AS
 SELECT batches.id AS batch_id,
    batches.name AS batch,
    batches.created_at,
    counted.started_at,
        CASE
            WHEN ((counted.queued + counted.running) = 0) THEN counted.finished_at
            ELSE NULL::timestamp with time zone
        END AS finished_at,
    counted.jobs,
    counted.queued,
    counted.running,
    counted.succeeded,
    counted.partial,
    counted.failed,
    counted.cancelled,
    work.steps,
    work.steps_ready,
    work.steps_running,
    work.steps_done,
    work.steps_failed,
    work.prompt_tokens,
    work.completion_tokens,
    work.cached_steps,
    work.being_checked,
    counted.need_review,
    counted.verified,
    counted.quoted,
    counted.flagged
   FROM ((public.batches
     CROSS JOIN LATERAL ( SELECT count(*) AS jobs,
            count(*) FILTER (WHERE ((jobs.state)::text = 'queued'::text)) AS queued,
            count(*) FILTER (WHERE ((jobs.state)::text = 'running'::text)) AS running,
            count(*) FILTER (WHERE ((jobs.state)::text = 'succeeded'::text)) AS succeeded,
            count(*) FILTER (WHERE ((jobs.state)::text = 'partial'::text)) AS partial,
            count(*) FILTER (WHERE ((jobs.state)::text = 'failed'::text)) AS failed,
            count(*) FILTER (WHERE ((jobs.state)::text = 'cancelled'::text)) AS cancelled,
            count(jobs.review) AS need_review,
            COALESCE(sum(jobs.verified), (0)::bigint) AS verified,
            COALESCE(sum(jobs.quoted), (0)::bigint) AS quoted,
            COALESCE(sum(jobs.flagged), (0)::bigint) AS flagged,
            min(jobs.started_at) AS started_at,
            max(jobs.finished_at) AS finished_at
           FROM public.jobs
          WHERE (jobs.batch_id = batches.id)) counted)
     CROSS JOIN LATERAL ( SELECT count(*) AS steps,
            count(*) FILTER (WHERE ((steps.state)::text = 'ready'::text)) AS steps_ready,
            count(*) FILTER (WHERE ((steps.state)::text = 'running'::text)) AS steps_running,
            count(*) FILTER (WHERE ((steps.state)::text = 'done'::text)) AS steps_done,
            count(*) FILTER (WHERE ((steps.state)::text = 'failed'::text)) AS steps_failed,
            COALESCE(sum(steps.prompt_tokens) FILTER (WHERE (steps.cached_from IS NULL)), (0)::bigint) AS prompt_tokens,
            COALESCE(sum(steps.completion_tokens) FILTER (WHERE (steps.cached_from IS NULL)), (0)::bigint) AS completion_tokens,
            count(steps.cached_from) AS cached_steps,
            count(DISTINCT steps.job_id) FILTER (WHERE (((steps.state)::text = ANY ((ARRAY['ready'::character varying, 'running'::character varying])::text[])) AND ((jobs.state)::text = ANY ((ARRAY['succeeded'::character varying, 'partial'::character varying])::text[])))) AS being_checked
           FROM (public.jobs
             JOIN public.steps ON ((steps.job_id = jobs.id)))
          WHERE (jobs.batch_id = batches.id)) work);
COMMENT ON VIEW public.batch_progress IS 'One row per batch: its jobs by state, its steps by state and its tokens.';
CREATE TABLE public.chat_batches (
    id uuid NOT NULL,
    input_file uuid NOT NULL,
    endpoint character varying NOT NULL,
    completion_window character varying NOT NULL,
    labels jsonb,
    status character varying NOT NULL,
    errors jsonb,
    lines integer,
    stored integer DEFAULT 0 NOT NULL,
    output_file uuid,
    error_file uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    in_progress_at timestamp with time zone,
    finalizing_at timestamp with time zone,
    cancelling_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT ck_chat_batches_status_is_known CHECK (((status)::text = ANY ((ARRAY['validating'::character varying, 'in_progress'::character varying, 'finalizing'::character varying, 'cancelling'::character varying, 'completed'::character varying, 'failed'::character varying, 'expired'::character varying, 'cancelled'::character varying])::text[]))),
    CONSTRAINT ck_chat_batches_stored_is_a_part CHECK (((0 <= stored) AND (stored <= COALESCE(lines, 0))))
);
CREATE TABLE public.chunks (
    job_id uuid NOT NULL,
    index integer NOT NULL,
    start_at integer NOT NULL,
    end_at integer NOT NULL,
    headings jsonb NOT NULL,
    tokens integer NOT NULL,
    CONSTRAINT ck_chunks_span_is_not_empty CHECK (((0 <= start_at) AND (start_at < end_at))),
    CONSTRAINT ck_chunks_tokens_is_positive CHECK ((tokens > 0))
);
CREATE TABLE public.documents (
    sha256 character varying NOT NULL,
    format character varying NOT NULL,
    text character varying NOT NULL,
    characters integer GENERATED ALWAYS AS (char_length((text)::text)) STORED NOT NULL,
    title character varying,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_documents_format_is_known CHECK (((format)::text = ANY ((ARRAY['markdown'::character varying, 'text'::character varying])::text[]))),
    CONSTRAINT ck_documents_sha256_is_hex CHECK ((length((sha256)::text) = 64)),
    CONSTRAINT ck_documents_text_is_not_blank CHECK (((text)::text ~ '\S'::text))
);
CREATE VIEW public.chunk_texts AS
 SELECT chunks.job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    chunks.index,
    chunks.start_at,
    chunks.end_at,
    chunks.headings,
    chunks.tokens,
    substr((documents.text)::text, (chunks.start_at + 1), (chunks.end_at - chunks.start_at)) AS text
   FROM (((public.chunks
     JOIN public.jobs ON ((jobs.id = chunks.job_id)))
     JOIN public.batches ON ((batches.id = jobs.batch_id)))
     JOIN public.documents ON (((documents.sha256)::text = (jobs.document_sha256)::text)));
COMMENT ON VIEW public.chunk_texts IS 'One row per chunk of a job: its span, its headings and its text.';
CREATE TABLE public.citations (
    job_id uuid NOT NULL,
    sentence integer NOT NULL,
    index integer NOT NULL,
    start_at integer NOT NULL,
    end_at integer NOT NULL,
    CONSTRAINT ck_citations_span_is_not_empty CHECK (((0 <= start_at) AND (start_at < end_at)))
);
CREATE TABLE public.cluster_facts (
    name character varying NOT NULL,
    value character varying NOT NULL
);
CREATE TABLE public.deletions (
    id uuid NOT NULL,
    kind character varying NOT NULL,
    subject character varying NOT NULL,
    requested_by character varying NOT NULL,
    database_role character varying DEFAULT CURRENT_USER NOT NULL,
    jobs integer DEFAULT 0 NOT NULL,
    steps integer DEFAULT 0 NOT NULL,
    documents integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT ck_deletions_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['batch'::character varying, 'job'::character varying, 'document'::character varying, 'age'::character varying, 'retention'::character varying])::text[])))
);
CREATE TABLE public.digest_parts (
    digest_id uuid NOT NULL,
    index integer NOT NULL,
    job_id uuid NOT NULL,
    start_at integer NOT NULL,
    end_at integer NOT NULL,
    sentences jsonb NOT NULL,
    CONSTRAINT ck_digest_parts_span_is_not_empty CHECK (((0 <= start_at) AND (start_at < end_at)))
);
CREATE TABLE public.evaluations (
    job_id uuid NOT NULL,
    metric character varying NOT NULL,
    value double precision,
    reason character varying,
    evidence jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_evaluations_reason_when_not_measurable CHECK (((value IS NULL) = (reason IS NOT NULL)))
);
CREATE TABLE public.file_parts (
    file_id uuid NOT NULL,
    index integer NOT NULL,
    data bytea NOT NULL
);
CREATE TABLE public.files (
    id uuid NOT NULL,
    purpose character varying NOT NULL,
    filename character varying NOT NULL,
    bytes bigint NOT NULL,
    batch_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_files_batch_of_what_was_written CHECK ((((purpose)::text = 'batch'::text) = (batch_id IS NULL))),
    CONSTRAINT ck_files_bytes_is_not_negative CHECK ((bytes >= 0)),
    CONSTRAINT ck_files_purpose_is_known CHECK (((purpose)::text = ANY ((ARRAY['batch'::character varying, 'batch_output'::character varying, 'batch_errors'::character varying])::text[])))
);
CREATE TABLE public.idempotency_keys (
    key character varying NOT NULL,
    request character varying NOT NULL,
    answer jsonb,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE VIEW public.job_summaries AS
 SELECT jobs.id AS job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    documents.title,
    jobs.document_sha256,
    jobs.state,
    COALESCE(jobs.strategy, ((jobs.options ->> 'strategy'::text))::character varying) AS strategy,
    (jobs.options ->> 'style'::text) AS style,
    jobs.weights,
    jobs.priority,
    jobs.summary,
    jobs.reason,
    jobs.created_at,
    jobs.started_at,
    jobs.finished_at,
    (EXTRACT(epoch FROM (jobs.finished_at - jobs.started_at)))::double precision AS seconds,
    documents.characters AS document_characters,
    char_length((jobs.summary)::text) AS summary_characters,
    ((char_length((jobs.summary)::text))::double precision / (documents.characters)::double precision) AS compression,
    chunked.chunks,
    chunked.document_tokens,
    work.steps,
    work.steps_done,
    work.steps_failed,
    work.prompt_tokens,
    work.completion_tokens,
    work.generation_seconds,
    work.retries,
    work.cached_steps,
    work.guards,
    measured.metrics,
    (jobs.review IS NOT NULL) AS needs_review,
    jobs.review,
    measured.consistency,
    (((jobs.state)::text = ANY ((ARRAY['succeeded'::character varying, 'partial'::character varying])::text[])) AND work.is_at_work) AS is_being_checked,
    jobs.round,
    jobs.verified,
    jobs.quoted,
    jobs.flagged,
    jobs."position",
    jobs.data
   FROM (((((public.jobs
     JOIN public.batches ON ((batches.id = jobs.batch_id)))
     JOIN public.documents ON (((documents.sha256)::text = (jobs.document_sha256)::text)))
     CROSS JOIN LATERAL ( SELECT count(*) AS chunks,
            sum(chunks.tokens) AS document_tokens
           FROM public.chunks
          WHERE (chunks.job_id = jobs.id)) chunked)
     CROSS JOIN LATERAL ( SELECT count(*) AS steps,
            count(*) FILTER (WHERE ((steps.state)::text = 'done'::text)) AS steps_done,
            count(*) FILTER (WHERE ((steps.state)::text = 'failed'::text)) AS steps_failed,
            COALESCE(sum(steps.prompt_tokens) FILTER (WHERE (steps.cached_from IS NULL)), (0)::bigint) AS prompt_tokens,
            COALESCE(sum(steps.completion_tokens) FILTER (WHERE (steps.cached_from IS NULL)), (0)::bigint) AS completion_tokens,
            COALESCE(sum(steps.seconds) FILTER (WHERE ((steps.kind)::text <> 'evaluate'::text)), (0)::double precision) AS generation_seconds,
            COALESCE(sum(GREATEST((steps.attempt - 1), 0)), (0)::bigint) AS retries,
            count(steps.cached_from) AS cached_steps,
            COALESCE(sum(jsonb_array_length(steps.guards)), (0)::bigint) AS guards,
            COALESCE(bool_or(((steps.state)::text = ANY ((ARRAY['ready'::character varying, 'running'::character varying])::text[]))), false) AS is_at_work
           FROM public.steps
          WHERE (steps.job_id = jobs.id)) work)
     CROSS JOIN LATERAL ( SELECT COALESCE(jsonb_object_agg(evaluations.metric, evaluations.value), '{}'::jsonb) AS metrics,
            max(evaluations.value) FILTER (WHERE ((evaluations.metric)::text = 'consistency'::text)) AS consistency
           FROM public.evaluations
          WHERE (evaluations.job_id = jobs.id)) measured);
COMMENT ON VIEW public.job_summaries IS 'One row per job: the document, how it was summarized, the summary and what it took.';
CREATE TABLE public.sentences (
    job_id uuid NOT NULL,
    index integer NOT NULL,
    start_at integer NOT NULL,
    end_at integer NOT NULL,
    kind character varying NOT NULL,
    score double precision,
    reason character varying,
    CONSTRAINT ck_sentences_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['verified'::character varying, 'quoted'::character varying, 'flagged'::character varying, 'unchecked'::character varying])::text[]))),
    CONSTRAINT ck_sentences_reason_when_flagged CHECK ((((kind)::text = 'flagged'::text) = (reason IS NOT NULL))),
    CONSTRAINT ck_sentences_span_is_not_empty CHECK (((0 <= start_at) AND (start_at < end_at)))
);
CREATE TABLE public.step_attempts (
    step_id uuid NOT NULL,
    attempt integer NOT NULL,
    worker character varying,
    started_at timestamp with time zone,
    ended_at timestamp with time zone DEFAULT now() NOT NULL,
    outcome character varying NOT NULL,
    error jsonb,
    CONSTRAINT ck_step_attempts_outcome_is_known CHECK (((outcome)::text = ANY ((ARRAY['done'::character varying, 'error'::character varying, 'lost'::character varying, 'released'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE VIEW public.step_timeline AS
 SELECT steps.id AS step_id,
    steps.job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    steps.kind,
    steps.level,
    steps.index,
    steps.state,
    split_part((COALESCE(steps.worker, steps.lease_owner))::text, '#'::text, 1) AS worker,
    steps.created_at,
    steps.started_at,
    steps.finished_at,
    (EXTRACT(epoch FROM (steps.started_at - steps.created_at)))::double precision AS waited_seconds,
    (EXTRACT(epoch FROM (steps.finished_at - steps.started_at)))::double precision AS ran_seconds,
    steps.seconds AS generation_seconds,
    steps.prompt_tokens,
    steps.completion_tokens,
    ((steps.completion_tokens)::double precision / NULLIF(steps.seconds, (0)::double precision)) AS tokens_per_second,
    steps.attempt AS attempts,
    steps.errors,
    steps.crashes,
    (steps.cached_from IS NOT NULL) AS is_cached,
    steps.finish_reason,
    steps.guards,
    (steps.error ->> 'message'::text) AS error,
    steps.round
   FROM ((public.steps
     JOIN public.jobs ON ((jobs.id = steps.job_id)))
     JOIN public.batches ON ((batches.id = jobs.batch_id)));
COMMENT ON VIEW public.step_timeline IS 'One row per step: who ran it when, how fast and with how many tries.';
CREATE VIEW public.summary_sentences AS
 SELECT sentences.job_id,
    jobs.batch_id,
    batches.name AS batch,
    jobs.source,
    sentences.index,
    sentences.start_at,
    sentences.end_at,
    substr((jobs.summary)::text, (sentences.start_at + 1), (sentences.end_at - sentences.start_at)) AS text,
    sentences.kind,
    sentences.score,
    sentences.reason,
    cited.citations
   FROM ((((public.sentences
     JOIN public.jobs ON ((jobs.id = sentences.job_id)))
     JOIN public.batches ON ((batches.id = jobs.batch_id)))
     JOIN public.documents ON (((documents.sha256)::text = (jobs.document_sha256)::text)))
     CROSS JOIN LATERAL ( SELECT COALESCE(jsonb_agg(jsonb_build_object('start', citations.start_at, 'end', citations.end_at, 'text', substr((documents.text)::text, (citations.start_at + 1), (citations.end_at - citations.start_at)), 'headings', COALESCE(
                CASE
                    WHEN (jobs.headings IS NULL) THEN around.headings
                    ELSE above.headings
                END, '[]'::jsonb)) ORDER BY citations.index), '[]'::jsonb) AS citations
           FROM ((public.citations
             LEFT JOIN LATERAL ( SELECT (heading.value -> 1) AS headings
                   FROM jsonb_array_elements(jobs.headings) heading(value)
                  WHERE (((heading.value ->> 0))::integer <= citations.start_at)
                  ORDER BY ((heading.value ->> 0))::integer DESC
                 LIMIT 1) above ON (true))
             LEFT JOIN LATERAL ( SELECT chunks.headings
                   FROM public.chunks
                  WHERE ((chunks.job_id = citations.job_id) AND (chunks.start_at <= citations.start_at) AND (chunks.end_at > citations.start_at))
                  ORDER BY chunks.index DESC
                 LIMIT 1) around ON (true))
          WHERE ((citations.job_id = sentences.job_id) AND (citations.sentence = sentences.index))) cited);
COMMENT ON VIEW public.summary_sentences IS 'One row per sentence of a summary: its text, its verdict and the passages that bear it out.';
CREATE TABLE public.webhooks (
    id uuid NOT NULL,
    batch_id uuid NOT NULL,
    url character varying NOT NULL,
    state character varying NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL,
    error character varying,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_at timestamp with time zone,
    CONSTRAINT ck_webhooks_state_is_known CHECK (((state)::text = ANY ((ARRAY['waiting'::character varying, 'delivered'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.weights (
    name character varying NOT NULL,
    kind character varying NOT NULL,
    location character varying NOT NULL,
    base character varying,
    fingerprint character varying NOT NULL,
    training jsonb DEFAULT '{}'::jsonb NOT NULL,
    data_sha256 character varying,
    metrics jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ck_weights_base_of_what_was_trained CHECK ((((kind)::text = 'base'::text) = (base IS NULL))),
    CONSTRAINT ck_weights_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['base'::character varying, 'adapter'::character varying, 'merged'::character varying])::text[])))
);
CREATE VIEW public.weights_comparison AS
 WITH measured AS (
         SELECT job_summaries_1.weights,
            job_summaries_1.strategy,
            job_summaries_1.style,
            evaluations.metric,
            avg(evaluations.value) AS mean
           FROM (public.job_summaries job_summaries_1
             JOIN public.evaluations USING (job_id))
          WHERE (evaluations.value IS NOT NULL)
          GROUP BY job_summaries_1.weights, job_summaries_1.strategy, job_summaries_1.style, evaluations.metric
        )
 SELECT weights,
    strategy,
    style,
    count(*) AS jobs,
    count(*) FILTER (WHERE ((state)::text = 'succeeded'::text)) AS succeeded,
    count(*) FILTER (WHERE ((state)::text = 'partial'::text)) AS partial,
    count(*) FILTER (WHERE ((state)::text = 'failed'::text)) AS failed,
    avg(seconds) AS mean_seconds,
    (avg(summary_characters))::double precision AS mean_summary_characters,
    avg(compression) AS mean_compression,
    ((sum(completion_tokens))::double precision / NULLIF(sum(generation_seconds), (0)::double precision)) AS tokens_per_second,
    (avg(guards))::double precision AS mean_guards,
    COALESCE(( SELECT jsonb_object_agg(measured.metric, measured.mean) AS jsonb_object_agg
           FROM measured
          WHERE (((measured.weights)::text = (job_summaries.weights)::text) AND ((measured.strategy)::text = (job_summaries.strategy)::text) AND (measured.style = job_summaries.style))), '{}'::jsonb) AS mean_metrics,
    count(*) FILTER (WHERE needs_review) AS need_review,
    avg(((verified)::double precision / (((verified + quoted) + flagged))::double precision)) AS mean_verified,
    avg(((quoted)::double precision / (((verified + quoted) + flagged))::double precision)) AS mean_quoted,
    avg(((flagged)::double precision / (((verified + quoted) + flagged))::double precision)) AS mean_flagged
   FROM public.job_summaries
  GROUP BY weights, strategy, style;
COMMENT ON VIEW public.weights_comparison IS 'One row per weights, strategy and style: outcomes, speed, compression, mean metrics and shares of sentences.';
CREATE TABLE public.workers (
    id character varying NOT NULL,
    node character varying NOT NULL,
    host character varying NOT NULL,
    pid integer NOT NULL,
    device character varying NOT NULL,
    weights character varying NOT NULL,
    weights_fingerprint character varying NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    stopped_at timestamp with time zone
);
INSERT INTO public.alembic_version VALUES ('0012');
INSERT INTO public.batches VALUES ('2ea0d0d9-0af1-5b4a-beaa-4cf65da0df23', 'reports', '{"paths": ["a.md", "b.md", "c.md", "d.md"], "style": "news", "strategy": "map-reduce", "chunk_tokens": 64, "overlap_tokens": 0}', '2026-11-29 17:54:33.08732+00', NULL);
INSERT INTO public.chunks VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 0, 0, 241, '["Report a", "Part 0"]', 49);
INSERT INTO public.chunks VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 1, 243, 472, '["Report a", "Part 1"]', 49);
INSERT INTO public.chunks VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 2, 474, 703, '["Report a", "Part 2"]', 49);
INSERT INTO public.chunks VALUES ('69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 0, 0, 241, '["Report b", "Part 0"]', 49);
INSERT INTO public.chunks VALUES ('69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 1, 243, 472, '["Report b", "Part 1"]', 49);
INSERT INTO public.chunks VALUES ('69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 2, 474, 703, '["Report b", "Part 2"]', 49);
INSERT INTO public.citations VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 0, 0, 23, 78);
INSERT INTO public.citations VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 1, 0, 190, 241);
INSERT INTO public.citations VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 2, 0, 254, 309);
INSERT INTO public.citations VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 3, 0, 485, 540);
INSERT INTO public.documents VALUES ('0857036aa80c23c5894f98edf156ebc234523bcecf1f9194403cebea97f5fbba', 'markdown', '# Report b

## Part 0

The river rose by four metres in two days of week b 00. The council closed both bridges on Friday of week b 01. Engineers measured the piers from a boat of week b 02. The ferry carried nine hundred people of week b 03.

## Part 1

The river rose by four metres in two days of week b 10. The council closed both bridges on Friday of week b 11. Engineers measured the piers from a boat of week b 12. The ferry carried nine hundred people of week b 13.

## Part 2

The river rose by four metres in two days of week b 20. The council closed both bridges on Friday of week b 21. Engineers measured the piers from a boat of week b 22. The ferry carried nine hundred people of week b 23.
', DEFAULT, 'Report b', '{}', '2026-11-29 17:54:33.08732+00');
INSERT INTO public.documents VALUES ('2431ecf9915c7d2a27ea19109b86e5cbf4f1c47d44e0bca745b987b1b1b73005', 'markdown', '# Report c

## Part 0

The river rose by four metres in two days of week c 00. The council closed both bridges on Friday of week c 01. Engineers measured the piers from a boat of week c 02. The ferry carried nine hundred people of week c 03.

## Part 1

The river rose by four metres in two days of week c 10. The council closed both bridges on Friday of week c 11. Engineers measured the piers from a boat of week c 12. The ferry carried nine hundred people of week c 13.

## Part 2

The river rose by four metres in two days of week c 20. The council closed both bridges on Friday of week c 21. Engineers measured the piers from a boat of week c 22. The ferry carried nine hundred people of week c 23.
', DEFAULT, 'Report c', '{}', '2026-11-29 17:54:33.08732+00');
INSERT INTO public.documents VALUES ('48b134600c44402c50969dc3b7efc7cc6ab3b3ae8ebceddba78ecf5450340311', 'markdown', '# Report a

## Part 0

The river rose by four metres in two days of week a 00. The council closed both bridges on Friday of week a 01. Engineers measured the piers from a boat of week a 02. The ferry carried nine hundred people of week a 03.

## Part 1

The river rose by four metres in two days of week a 10. The council closed both bridges on Friday of week a 11. Engineers measured the piers from a boat of week a 12. The ferry carried nine hundred people of week a 13.

## Part 2

The river rose by four metres in two days of week a 20. The council closed both bridges on Friday of week a 21. Engineers measured the piers from a boat of week a 22. The ferry carried nine hundred people of week a 23.
', DEFAULT, 'Report a', '{}', '2026-11-29 17:54:33.08732+00');
INSERT INTO public.documents VALUES ('f57f3f83c823a96df277d94ecdacdaee9f1225cb340372ff80f025ac5e7fd69e', 'markdown', '# Report d

## Part 0

The river rose by four metres in two days of week d 00. The council closed both bridges on Friday of week d 01. Engineers measured the piers from a boat of week d 02. The ferry carried nine hundred people of week d 03.

## Part 1

The river rose by four metres in two days of week d 10. The council closed both bridges on Friday of week d 11. Engineers measured the piers from a boat of week d 12. The ferry carried nine hundred people of week d 13.

## Part 2

The river rose by four metres in two days of week d 20. The council closed both bridges on Friday of week d 21. Engineers measured the piers from a boat of week d 22. The ferry carried nine hundred people of week d 23.
', DEFAULT, 'Report d', '{}', '2026-11-29 17:54:33.08732+00');
INSERT INTO public.evaluations VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 'rouge1', 0.41, NULL, '{}', '2026-11-29 17:54:34.522536+00');
INSERT INTO public.jobs VALUES ('e0d5689e-e49e-586e-a3dc-b4fd3bddcc66', '2ea0d0d9-0af1-5b4a-beaa-4cf65da0df23', 'fd215224b4eb041661d285f1ad007f1855927f1bb6747aa15d118bf504ef7fc8', '2431ecf9915c7d2a27ea19109b86e5cbf4f1c47d44e0bca745b987b1b1b73005', 'c.md', '{"gate": null, "cache": null, "check": false, "style": "news", "words": null, "digest": false, "weights": "default", "examples": [], "language": null, "splitter": "auto", "strategy": "map-reduce", "template": null, "grounding": "strict", "separator": null, "candidates": 1, "generation": {"seed": null, "top_k": 20, "top_p": 0.3, "do_sample": true, "num_beams": 1, "temperature": 0.1, "max_new_tokens": 512, "repetition_penalty": 1.0}, "chunk_tokens": 64, "stuff_tokens": null, "output_schema": null, "overlap_tokens": 0}', 'default', 3, 'queued', NULL, NULL, 1, NULL, NULL, NULL, '2026-11-29 17:54:33.08732+00', NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 2, NULL);
INSERT INTO public.jobs VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', '2ea0d0d9-0af1-5b4a-beaa-4cf65da0df23', 'ec721525f6f0183e65dc71f41e8ae237d24a7ca60f7e8398ea8c00faf5814027', '48b134600c44402c50969dc3b7efc7cc6ab3b3ae8ebceddba78ecf5450340311', 'a.md', '{"gate": null, "cache": null, "check": false, "style": "news", "words": null, "digest": false, "weights": "default", "examples": [], "language": null, "splitter": "auto", "strategy": "map-reduce", "template": null, "grounding": "strict", "separator": null, "candidates": 1, "generation": {"seed": null, "top_k": 20, "top_p": 0.3, "do_sample": true, "num_beams": 1, "temperature": 0.1, "max_new_tokens": 512, "repetition_penalty": 1.0}, "chunk_tokens": 64, "stuff_tokens": null, "output_schema": null, "overlap_tokens": 0}', 'default', 3, 'succeeded', 'map-reduce', '{"chunks": 3, "limits": {"map_frame": 61, "refine_frame": 106, "combine_frame": 82, "output_tokens": 1024, "context_tokens": 8192, "max_new_tokens": 512}, "reason": "map-reduce was asked for", "totals": {"calls": 4, "depth": 2, "prompt_tokens": 1960, "completion_tokens": 2048}, "splitter": "headers", "split_reason": "3 sections under headings: small neighbours share a chunk, a long one is cut"}', 0, 'The river rose by four metres in two days of week a 00. The ferry carried nine hundred people of week a 03. The river rose by four metres in two days of week a 10. The river rose by four metres in two days of week a 20.', NULL, NULL, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:33.787179+00', '2026-11-29 17:54:34.280854+00', 0, NULL, 2, 2, 0, '[[0, ["Report a"]], [12, ["Report a", "Part 0"]], [243, ["Report a", "Part 1"]], [474, ["Report a", "Part 2"]]]', 0, NULL);
INSERT INTO public.jobs VALUES ('69b0a2fe-b3c0-5576-a9d7-e23145330b5c', '2ea0d0d9-0af1-5b4a-beaa-4cf65da0df23', '95395a0f994f428a0a838d1f3460750de11626ffd3f1384e8ac0ca90d0e01bb7', '0857036aa80c23c5894f98edf156ebc234523bcecf1f9194403cebea97f5fbba', 'b.md', '{"gate": null, "cache": null, "check": false, "style": "news", "words": null, "digest": false, "weights": "default", "examples": [], "language": null, "splitter": "auto", "strategy": "map-reduce", "template": null, "grounding": "strict", "separator": null, "candidates": 1, "generation": {"seed": null, "top_k": 20, "top_p": 0.3, "do_sample": true, "num_beams": 1, "temperature": 0.1, "max_new_tokens": 512, "repetition_penalty": 1.0}, "chunk_tokens": 64, "stuff_tokens": null, "output_schema": null, "overlap_tokens": 0}', 'default', 3, 'running', 'map-reduce', '{"chunks": 3, "limits": {"map_frame": 61, "refine_frame": 106, "combine_frame": 82, "output_tokens": 1024, "context_tokens": 8192, "max_new_tokens": 512}, "reason": "map-reduce was asked for", "totals": {"calls": 4, "depth": 2, "prompt_tokens": 1960, "completion_tokens": 2048}, "splitter": "headers", "split_reason": "3 sections under headings: small neighbours share a chunk, a long one is cut"}', 2, NULL, NULL, NULL, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:34.393329+00', NULL, 0, NULL, NULL, NULL, NULL, '[[0, ["Report b"]], [12, ["Report b", "Part 0"]], [243, ["Report b", "Part 1"]], [474, ["Report b", "Part 2"]]]', 1, NULL);
INSERT INTO public.jobs VALUES ('d4c70bd0-992b-5cb7-8f16-7e09442b7571', '2ea0d0d9-0af1-5b4a-beaa-4cf65da0df23', '5afbf1b9dd9882caeee4c3497ee62ff6fbabe32ba18475a5ac4a6592ff74d291', 'f57f3f83c823a96df277d94ecdacdaee9f1225cb340372ff80f025ac5e7fd69e', 'd.md', '{"gate": null, "cache": null, "check": false, "style": "news", "words": null, "digest": false, "weights": "default", "examples": [], "language": null, "splitter": "auto", "strategy": "map-reduce", "template": null, "grounding": "strict", "separator": null, "candidates": 1, "generation": {"seed": null, "top_k": 20, "top_p": 0.3, "do_sample": true, "num_beams": 1, "temperature": 0.1, "max_new_tokens": 512, "repetition_penalty": 1.0}, "chunk_tokens": 64, "stuff_tokens": null, "output_schema": null, "overlap_tokens": 0}', 'default', 3, 'failed', NULL, NULL, 0, NULL, 'it broke', NULL, '2026-11-29 17:54:33.08732+00', NULL, '2026-11-29 17:54:34.518297+00', 0, NULL, NULL, NULL, NULL, NULL, 3, NULL);
INSERT INTO public.sentences VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 0, 0, 55, 'quoted', 1, NULL);
INSERT INTO public.sentences VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 1, 56, 107, 'quoted', 1, NULL);
INSERT INTO public.sentences VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 2, 108, 163, 'verified', 1, NULL);
INSERT INTO public.sentences VALUES ('131d4979-0cde-5e85-9248-233e7b539e7e', 3, 164, 219, 'verified', 1, NULL);
INSERT INTO public.step_attempts VALUES ('d7839701-0aa2-53a3-a82c-3bdeabc3de1b', 1, 'cpu@test#1', '2026-11-29 17:54:33.68957+00', '2026-11-29 17:54:33.733986+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('e540aeb3-f146-5ef9-b4ff-d8e33aa5df3f', 1, 'cpu@test#1', '2026-11-29 17:54:33.816865+00', '2026-11-29 17:54:33.840667+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('15ee7eb3-05f3-5750-96f4-761eee8300b6', 1, 'cpu@test#1', '2026-11-29 17:54:33.864077+00', '2026-11-29 17:54:33.87854+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('5e3ea22c-a633-50df-a3ad-85b2f5ae9590', 1, 'cpu@test#1', '2026-11-29 17:54:33.900452+00', '2026-11-29 17:54:33.920794+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('c665a8a7-dde2-5b26-aa05-47155adc435b', 1, 'cpu@test#1', '2026-11-29 17:54:33.980324+00', '2026-11-29 17:54:34.234824+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('1dc5968a-752c-5707-b5c8-6c0e8e9a535a', 1, 'cpu@test#1', '2026-11-29 17:54:34.34889+00', '2026-11-29 17:54:34.366336+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('4b2db251-d2b2-5a07-9fe6-5263e3608261', 1, 'cpu@test#1', '2026-11-29 17:54:34.407548+00', '2026-11-29 17:54:34.421739+00', 'done', NULL);
INSERT INTO public.step_attempts VALUES ('4f35790b-df83-574b-a681-36807367406d', 1, 'cpu@test#1', '2026-11-29 17:54:34.473038+00', '2026-11-29 17:54:34.511942+00', 'error', '{"type": "PermanentError", "message": "it broke"}');
INSERT INTO public.steps VALUES ('71f0f428-d89c-5a24-98fd-2bd927d515e7', 'e0d5689e-e49e-586e-a3dc-b4fd3bddcc66', 'plan', 0, 0, '[]', 'ready', 'plan.default', 3, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:33.08732+00', 1, 0, 0, 0, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]', NULL, '2026-11-29 17:54:33.08732+00', NULL, NULL, 0, '[]');
INSERT INTO public.steps VALUES ('d7839701-0aa2-53a3-a82c-3bdeabc3de1b', '131d4979-0cde-5e85-9248-233e7b539e7e', 'plan', 0, 0, '[]', 'done', 'plan.default', 3, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:33.08732+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, '96dfb4a7-3309-41b0-83c2-cf8d8baf34f6', NULL, NULL, NULL, NULL, NULL, 'map-reduce: map-reduce was asked for', NULL, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', NULL, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:33.68957+00', '2026-11-29 17:54:33.734936+00', 0, '[]');
INSERT INTO public.steps VALUES ('e540aeb3-f146-5ef9-b4ff-d8e33aa5df3f', '131d4979-0cde-5e85-9248-233e7b539e7e', 'map', 0, 0, '[{"chunk": 0}]', 'done', 'map.default', 3, '2026-11-29 17:54:33.774851+00', '2026-11-29 17:54:33.774851+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, '970987d7-c1c2-4a4e-a90e-21157cacce4d', NULL, NULL, NULL, NULL, NULL, 'The river rose by four metres in two days of week a 00. The council closed both bridges on Friday of week a 01. Engineers measured the piers from a boat of week a 02. The ferry carried nine hundred people of week a 03.', 45, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', NULL, '2026-11-29 17:54:33.774851+00', '2026-11-29 17:54:33.816865+00', '2026-11-29 17:54:33.841529+00', 0, '[{"end": 55, "kind": "quoted", "score": null, "spans": [[23, 78]], "start": 0, "reason": null}, {"end": 111, "kind": "quoted", "score": null, "spans": [[79, 134]], "start": 56, "reason": null}, {"end": 166, "kind": "quoted", "score": null, "spans": [[135, 189]], "start": 112, "reason": null}, {"end": 218, "kind": "quoted", "score": null, "spans": [[190, 241]], "start": 167, "reason": null}]');
INSERT INTO public.steps VALUES ('15ee7eb3-05f3-5750-96f4-761eee8300b6', '131d4979-0cde-5e85-9248-233e7b539e7e', 'map', 0, 1, '[{"chunk": 1}]', 'done', 'map.default', 3, '2026-11-29 17:54:33.774851+00', '2026-11-29 17:54:33.774851+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, '95616951-3203-419b-9a61-0025dc6494f0', NULL, NULL, NULL, NULL, NULL, 'The river rose by four metres in two days of week a 10. The council closed both bridges on Friday of week a 11. Engineers measured the piers from a boat of week a 12. The ferry carried nine hundred people of week a 13.', 45, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', NULL, '2026-11-29 17:54:33.774851+00', '2026-11-29 17:54:33.864077+00', '2026-11-29 17:54:33.879333+00', 0, '[{"end": 55, "kind": "quoted", "score": null, "spans": [[254, 309]], "start": 0, "reason": null}, {"end": 111, "kind": "quoted", "score": null, "spans": [[310, 365]], "start": 56, "reason": null}, {"end": 166, "kind": "quoted", "score": null, "spans": [[366, 420]], "start": 112, "reason": null}, {"end": 218, "kind": "quoted", "score": null, "spans": [[421, 472]], "start": 167, "reason": null}]');
INSERT INTO public.steps VALUES ('5e3ea22c-a633-50df-a3ad-85b2f5ae9590', '131d4979-0cde-5e85-9248-233e7b539e7e', 'map', 0, 2, '[{"chunk": 2}]', 'done', 'map.default', 3, '2026-11-29 17:54:33.774851+00', '2026-11-29 17:54:33.774851+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, 'a88335cd-a9c4-4eba-a2a5-489785c35834', NULL, NULL, NULL, NULL, NULL, 'The river rose by four metres in two days of week a 20. The council closed both bridges on Friday of week a 21. Engineers measured the piers from a boat of week a 22. The ferry carried nine hundred people of week a 23.', 45, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', NULL, '2026-11-29 17:54:33.774851+00', '2026-11-29 17:54:33.900452+00', '2026-11-29 17:54:33.921339+00', 0, '[{"end": 55, "kind": "quoted", "score": null, "spans": [[485, 540]], "start": 0, "reason": null}, {"end": 111, "kind": "quoted", "score": null, "spans": [[541, 596]], "start": 56, "reason": null}, {"end": 166, "kind": "quoted", "score": null, "spans": [[597, 651]], "start": 112, "reason": null}, {"end": 218, "kind": "quoted", "score": null, "spans": [[652, 703]], "start": 167, "reason": null}]');
INSERT INTO public.steps VALUES ('1dc5968a-752c-5707-b5c8-6c0e8e9a535a', '69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 'plan', 0, 0, '[]', 'done', 'plan.default', 3, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:33.08732+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, 'e7e0f109-403c-4c10-9049-d62e5336c293', NULL, NULL, NULL, NULL, NULL, 'map-reduce: map-reduce was asked for', NULL, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', NULL, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:34.34889+00', '2026-11-29 17:54:34.366992+00', 0, '[]');
INSERT INTO public.steps VALUES ('4f35790b-df83-574b-a681-36807367406d', 'd4c70bd0-992b-5cb7-8f16-7e09442b7571', 'plan', 0, 0, '[]', 'failed', 'plan.default', 3, '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:33.08732+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', '{"type": "PermanentError", "message": "it broke"}', '2026-11-29 17:54:33.08732+00', '2026-11-29 17:54:34.473038+00', '2026-11-29 17:54:34.49044+00', 0, '[]');
INSERT INTO public.steps VALUES ('c665a8a7-dde2-5b26-aa05-47155adc435b', '131d4979-0cde-5e85-9248-233e7b539e7e', 'reduce', 1, 0, '[{"kind": "map", "index": 0, "level": 0}, {"kind": "map", "index": 1, "level": 0}, {"kind": "map", "index": 2, "level": 0}]', 'done', 'reduce.default', 3, '2026-11-29 17:54:33.958994+00', '2026-11-29 17:54:33.958994+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, '6b47b791-3fc1-4141-be60-838081b97ac7', '9cf6742690f632144a34c7d58ff4e4ddbe5d1b9dc56f0e609a1b6158b162ca40', NULL, '02fe81f88a92b8a514c134f87594bd9ab3da677fc64f5eb74c25a9ee9f007515', 'fake', '{"seed": null, "top_k": 20, "top_p": 0.3, "do_sample": true, "num_beams": 1, "temperature": 0.1, "max_new_tokens": 512, "repetition_penalty": 1.0}', 'The river rose by four metres in two days of week a 00. The ferry carried nine hundred people of week a 03. The river rose by four metres in two days of week a 10. The river rose by four metres in two days of week a 20.', 49, 209, 7, 'stop', 7.465100497938693e-05, 'cpu@test#1', '[{"try": 0, "name": "ungrounded", "words": "1 of 4 sentences were not borne out by the source and are quoted or dropped instead", "stands": false, "is_note": true}]', NULL, '2026-11-29 17:54:33.958994+00', '2026-11-29 17:54:33.980324+00', '2026-11-29 17:54:34.23577+00', 0, '[{"end": 55, "kind": "quoted", "score": 1.0, "spans": [[23, 78]], "start": 0, "reason": null}, {"end": 107, "kind": "quoted", "score": 1.0, "spans": [[190, 241]], "start": 56, "reason": null}, {"end": 163, "kind": "verified", "score": 1.0, "spans": [[254, 309]], "start": 108, "reason": null}, {"end": 219, "kind": "verified", "score": 1.0, "spans": [[485, 540]], "start": 164, "reason": null}]');
INSERT INTO public.steps VALUES ('c4f0a833-8b2b-50ee-9c83-29339e35a62c', '69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 'map', 0, 2, '[{"chunk": 2}]', 'ready', 'map.default', 3, '2026-11-29 17:54:34.382809+00', '2026-11-29 17:54:34.382809+00', 1, 0, 0, 0, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]', NULL, '2026-11-29 17:54:34.382809+00', NULL, NULL, 0, '[]');
INSERT INTO public.steps VALUES ('4b2db251-d2b2-5a07-9fe6-5263e3608261', '69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 'map', 0, 0, '[{"chunk": 0}]', 'done', 'map.default', 3, '2026-11-29 17:54:34.382809+00', '2026-11-29 17:54:34.382809+00', 1, 1, 0, 0, false, NULL, 'cpu@test#1', NULL, '84d64a91-10ee-4ff5-95b2-35bd603ddb23', NULL, NULL, NULL, NULL, NULL, 'The river rose by four metres in two days of week b 00. The council closed both bridges on Friday of week b 01. Engineers measured the piers from a boat of week b 02. The ferry carried nine hundred people of week b 03.', 45, NULL, NULL, NULL, NULL, 'cpu@test#1', '[]', NULL, '2026-11-29 17:54:34.382809+00', '2026-11-29 17:54:34.407548+00', '2026-11-29 17:54:34.422472+00', 0, '[{"end": 55, "kind": "quoted", "score": null, "spans": [[23, 78]], "start": 0, "reason": null}, {"end": 111, "kind": "quoted", "score": null, "spans": [[79, 134]], "start": 56, "reason": null}, {"end": 166, "kind": "quoted", "score": null, "spans": [[135, 189]], "start": 112, "reason": null}, {"end": 218, "kind": "quoted", "score": null, "spans": [[190, 241]], "start": 167, "reason": null}]');
INSERT INTO public.steps VALUES ('5c177eda-d347-5a0a-b469-892b4f77d628', '69b0a2fe-b3c0-5576-a9d7-e23145330b5c', 'map', 0, 1, '[{"chunk": 1}]', 'running', 'map.default', 3, '2026-11-29 17:54:34.382809+00', '2026-11-29 17:54:34.382809+00', 1, 1, 0, 0, false, 'ccedd74e-d1f4-4083-9d92-b591e67cce41', 'cpu@test#1', '2026-11-29 18:04:34.43145+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '[]', NULL, '2026-11-29 17:54:34.382809+00', '2026-11-29 17:54:34.432303+00', NULL, 0, '[]');
INSERT INTO public.weights VALUES ('gemma-3-270m', 'base', 'packaged', NULL, 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc', '{}', NULL, '{}', '2026-11-29 17:54:33.598831+00');
INSERT INTO public.workers VALUES ('cpu@test#1', 'cpu@test', 'test', 1, 'cpu', 'default', 'f', '{}', '2026-11-29 17:54:33.562362+00', '2026-11-29 17:54:33.562362+00', NULL);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT pk_batches PRIMARY KEY (id);
ALTER TABLE ONLY public.chat_batches
    ADD CONSTRAINT pk_chat_batches PRIMARY KEY (id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT pk_chunks PRIMARY KEY (job_id, index);
ALTER TABLE ONLY public.citations
    ADD CONSTRAINT pk_citations PRIMARY KEY (job_id, sentence, index);
ALTER TABLE ONLY public.cluster_facts
    ADD CONSTRAINT pk_cluster_facts PRIMARY KEY (name);
ALTER TABLE ONLY public.deletions
    ADD CONSTRAINT pk_deletions PRIMARY KEY (id);
ALTER TABLE ONLY public.digest_parts
    ADD CONSTRAINT pk_digest_parts PRIMARY KEY (digest_id, index);
ALTER TABLE ONLY public.documents
    ADD CONSTRAINT pk_documents PRIMARY KEY (sha256);
ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT pk_evaluations PRIMARY KEY (job_id, metric);
ALTER TABLE ONLY public.file_parts
    ADD CONSTRAINT pk_file_parts PRIMARY KEY (file_id, index);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT pk_files PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT pk_idempotency_keys PRIMARY KEY (key);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (id);
ALTER TABLE ONLY public.sentences
    ADD CONSTRAINT pk_sentences PRIMARY KEY (job_id, index);
ALTER TABLE ONLY public.step_attempts
    ADD CONSTRAINT pk_step_attempts PRIMARY KEY (step_id, attempt);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT pk_steps PRIMARY KEY (id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT pk_webhooks PRIMARY KEY (id);
ALTER TABLE ONLY public.weights
    ADD CONSTRAINT pk_weights PRIMARY KEY (name);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT pk_workers PRIMARY KEY (id);
ALTER TABLE ONLY public.batches
    ADD CONSTRAINT uq_batches_name UNIQUE (name);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT uq_jobs_batch_id_identity UNIQUE (batch_id, identity);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT uq_steps_job_id_round_kind_level_index UNIQUE (job_id, round, kind, level, index);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT uq_webhooks_batch_id_url UNIQUE (batch_id, url);
CREATE INDEX ix_chat_batches_created_at ON public.chat_batches USING btree (created_at, id);
CREATE INDEX ix_chat_batches_open ON public.chat_batches USING btree (created_at) WHERE ((status)::text = ANY ((ARRAY['validating'::character varying, 'in_progress'::character varying, 'finalizing'::character varying, 'cancelling'::character varying])::text[]));
CREATE INDEX ix_deletions_unfinished ON public.deletions USING btree (created_at) WHERE (finished_at IS NULL);
CREATE INDEX ix_digest_parts_job_id ON public.digest_parts USING btree (job_id);
CREATE INDEX ix_files_batch_id ON public.files USING btree (batch_id);
CREATE INDEX ix_files_created_at ON public.files USING btree (created_at, id);
CREATE INDEX ix_idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
CREATE INDEX ix_jobs_cancelling ON public.jobs USING btree (cancel_requested_at) WHERE (((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[])) AND (cancel_requested_at IS NOT NULL));
CREATE INDEX ix_jobs_document_sha256 ON public.jobs USING btree (document_sha256);
CREATE INDEX ix_jobs_finished_at ON public.jobs USING btree (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX ix_jobs_open ON public.jobs USING btree (batch_id) WHERE ((state)::text = ANY ((ARRAY['queued'::character varying, 'running'::character varying])::text[]));
CREATE INDEX ix_jobs_position ON public.jobs USING btree (batch_id, "position");
CREATE INDEX ix_steps_identity ON public.steps USING btree (identity) WHERE (((state)::text = 'done'::text) AND (identity IS NOT NULL));
CREATE INDEX ix_steps_lease_owner ON public.steps USING btree (lease_owner) WHERE ((state)::text = 'running'::text);
CREATE INDEX ix_steps_lease_until ON public.steps USING btree (lease_until) WHERE ((state)::text = 'running'::text);
CREATE INDEX ix_steps_ready ON public.steps USING btree (dispatched_at) WHERE ((state)::text = 'ready'::text);
CREATE INDEX ix_steps_ready_queue ON public.steps USING btree (queue, priority, dispatched_at) WHERE ((state)::text = 'ready'::text);
CREATE INDEX ix_webhooks_waiting ON public.webhooks USING btree (available_at) WHERE ((state)::text = 'waiting'::text);
ALTER TABLE ONLY public.chat_batches
    ADD CONSTRAINT fk_chat_batches_id_batches FOREIGN KEY (id) REFERENCES public.batches(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT fk_chunks_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.citations
    ADD CONSTRAINT fk_citations_sentence FOREIGN KEY (job_id, sentence) REFERENCES public.sentences(job_id, index) ON DELETE CASCADE;
ALTER TABLE ONLY public.digest_parts
    ADD CONSTRAINT fk_digest_parts_digest_id_jobs FOREIGN KEY (digest_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.digest_parts
    ADD CONSTRAINT fk_digest_parts_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT fk_evaluations_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.file_parts
    ADD CONSTRAINT fk_file_parts_file_id_files FOREIGN KEY (file_id) REFERENCES public.files(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.files
    ADD CONSTRAINT fk_files_batch_id_batches FOREIGN KEY (batch_id) REFERENCES public.batches(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_batch_id_batches FOREIGN KEY (batch_id) REFERENCES public.batches(id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_document_sha256_documents FOREIGN KEY (document_sha256) REFERENCES public.documents(sha256);
ALTER TABLE ONLY public.sentences
    ADD CONSTRAINT fk_sentences_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.step_attempts
    ADD CONSTRAINT fk_step_attempts_step_id_steps FOREIGN KEY (step_id) REFERENCES public.steps(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT fk_steps_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT fk_webhooks_batch_id_batches FOREIGN KEY (batch_id) REFERENCES public.batches(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.weights
    ADD CONSTRAINT fk_weights_base_weights FOREIGN KEY (base) REFERENCES public.weights(name);
