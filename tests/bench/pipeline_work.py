"""The work of ``make bench``: the same documents, splits and prompts for everybody."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import producer
from models.options import JobOptions, make_options
from producer.sources.reading import read_sources
from producer.sources.source import Source
from tests.bench.peers.protocol import Work
from workers.engine.prompt_counter import PromptCounter
from workers.execution.job_options import make_prompts, plan_options
from workers.generation import Prompt
from workers.summarization.chunks import join_headings
from workers.summarization.planning import SourceDocument, plan_job
from workers.summarization.wording import OUTPUT_SEPARATOR

SAMPLES = Path(producer.__file__).parent / "samples"
CHUNK_TOKENS = 250
# Stands where a text goes.
MARK = "\ue0ff"


@dataclass(frozen=True, slots=True)
class Task:
    """What is summarized, and how it is asked of Gistmill.

    Args:
        sources: the documents.
        options: of their jobs; whoever runs them adds the name of the weights.
        work: the same for the peers.
    """

    sources: list[Source]
    options: JobOptions
    work: Work


def read_documents(data: Path | None, documents: int, characters: int) -> list[Source]:
    """Return the first documents of a file, cut at a length."""
    found = [source for source in read_sources([str(data or SAMPLES)]) if isinstance(source, Source)]
    if not found:
        raise SystemExit(f"{data or SAMPLES} holds no document that can be read")
    longest = sorted(found, key=lambda source: -len(source.text)) if data is None else found
    return [Source(each.name, each.text[:characters].strip(), each.format) for each in longest[:documents]]


def make_task(sources: list[Source], *, weights: Path, gguf: Path, new_tokens: int, slots: int, threads: int) -> Task:
    """Split the documents as Gistmill does and encode every prompt as it does."""
    options = make_options(
        strategy="map-reduce",
        style="news",
        chunk_tokens=CHUNK_TOKENS,
        overlap_tokens=0,
        generation={"do_sample": False, "max_new_tokens": new_tokens},
        # Every round does all of the work.
        cache=False,
        # As the peers, which combine what the weights have written.
        grounding="off",
    )
    counter = PromptCounter(str(weights))
    prompts = make_prompts(options, counter.prompt_format)
    texts = []
    for source in sources:
        plan = plan_job(
            SourceDocument(source.text, source.format),
            plan_options(options),
            prompts=prompts,
            counter=counter,
            context_tokens=counter.context_tokens,
            max_new_tokens=new_tokens,
        )
        texts.append([join_headings(chunk.read_text(source.text), chunk.headings) for chunk in plan.split.chunks])

    def encode(prompt: Prompt) -> list[int]:
        return counter._tokenizer.encode_prompt(prompt)

    map_words, reduce_words = (prompts.render(kind, text=MARK).text for kind in ("map", "combine"))
    before, after = reduce_words.split(MARK)
    tokenizer = counter._tokenizer
    work = Work(
        weights=str(weights),
        gguf=str(gguf),
        new_tokens=new_tokens,
        slots=slots,
        threads=threads,
        documents=[[encode(prompts.render("map", text=text)) for text in chunks] for chunks in texts],
        before=[*encode(prompts.render("combine", text=""))[:1], *tokenizer.encode_plain(before)],
        separator=tokenizer.encode_plain(OUTPUT_SEPARATOR),
        after=tokenizer.encode_plain(after),
        texts=texts,
        map_template=make_template(map_words),
        reduce_template=make_template(reduce_words),
    )
    return Task(sources, options, work)


def make_template(words: str) -> str:
    """Return a prompt as a template of LangChain."""
    return words.replace("{", "{{").replace("}", "}}").replace(MARK, "{text}")


def write_work(work: Work, path: Path) -> Path:
    """Write the work for the peers."""
    path.write_text(json.dumps(asdict(work)), encoding="utf-8")
    return path
