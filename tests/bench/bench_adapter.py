"""Is the shipped adapter better than its base? ROUGE on news articles that no training has seen.

Every row gets the same articles, cut at the same number of tokens, the same length cap and greedy decoding, and is cut
at the first empty line as it is when it serves. "Stops" counts summaries that ended by the weights' own end token.
Summaries are kept in a folder, so that an interrupted run goes on where it was.

Run: ``python -m tests.bench.bench_adapter --base WEIGHTS [--rows 100]``.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

from rouge_score.rouge_scorer import RougeScorer
from transformers import AutoTokenizer

from gistmill.cli.training_data import make_row_reader
from tests.tiny_gemma import CHAT_TEMPLATE
from workers.engine.config import EngineConfig
from workers.engine.engine import Engine, load_engine
from workers.finetuning.dataset import PairEncoder
from workers.finetuning.pairs import Pair, read_pairs
from workers.finetuning.scoring import GeneratedSummary
from workers.generation import FinishReason, GenerationParams, Part, Prompt, PromptFormat, Turn
from workers.summarization.prompts import PromptSet

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "cnn_dailymail_eval.csv"
ADAPTER = ROOT / "workers" / "weights" / "adapters" / "gemma-3-270m-summaries"
METRICS = ("rouge1", "rouge2", "rougeL")
ADAPTED = "adapter"
LEAD = "lead-3"
# Requests in one batch of the engine.
SLOTS = 16
# Resamples of the articles; 95 % intervals are stable to a tenth of a point with this many.
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class System:
    """A way to make summaries out of weights."""

    name: str
    build_prompt: Callable[[str], Prompt]
    adapter: Path | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ROUGE values are (mean, low, high) in percent."""

    system: str
    rouge: dict[str, tuple[float, float, float]]
    stopped_share: float | None
    mean_words: float


def list_systems(adapter: Path) -> list[System]:
    """Return the base under three prompts, and the adapter under the one it was trained with."""
    chat = PromptSet(style="news", format=PromptFormat.CHAT)
    completion = PromptSet(style="news", format=PromptFormat.COMPLETION)

    def ask_tldr(text: str) -> Prompt:
        parts = (Part(text, is_untrusted=True), Part("\n\nTL;DR:"))
        return Prompt(turns=(Turn("user", parts),), format=PromptFormat.COMPLETION)

    def ask_chat(text: str) -> Prompt:
        return chat.render("map", text=text)

    def ask_same(text: str) -> Prompt:
        return completion.render("map", text=text)

    return [
        System("base, chat prompt", ask_chat),
        System("base, TL;DR prompt", ask_tldr),
        System("base, the adapter's prompt", ask_same),
        System(ADAPTED, ask_same, adapter),
    ]


def summarize_all(
    system: System, pairs: Sequence[Pair], *, base: Path, folder: Path, source_tokens: int, new_tokens: int
) -> list[GeneratedSummary]:
    """Return a system's summaries, made now or by an earlier run."""
    file = folder / f"{re.sub(r'[^a-z0-9]+', '-', system.name.lower())}.jsonl"
    done = [GeneratedSummary(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
    if len(done) >= len(pairs):
        return done[: len(pairs)]
    params = GenerationParams(do_sample=False, max_new_tokens=new_tokens)
    cutter = PairEncoder(AutoTokenizer.from_pretrained(base), prompts=PromptSet("news", PromptFormat.COMPLETION))

    def summarize(pair: Pair) -> GeneratedSummary:
        source, _ = cutter.truncate_source(pair.source, limit=source_tokens)
        # Without the strings that end a completion when it serves: what counts is whether the weights end it.
        generation = engine.generate(replace(system.build_prompt(source), stop=()), params)
        return GeneratedSummary(
            generation.text, generation.completion_tokens, generation.finish_reason is FinishReason.STOP
        )

    with serve(base, system.adapter) as engine, ThreadPoolExecutor(SLOTS) as pool, file.open("a") as out:
        for summary in pool.map(summarize, pairs[len(done) :]):
            out.write(json.dumps(asdict(summary)) + "\n")
            out.flush()
            done.append(summary)
            print(f"{system.name}: {len(done)}/{len(pairs)}", flush=True)
    return done


@contextmanager
def serve(base: Path, adapter: Path | None) -> Iterator[Engine]:
    """Serve weights as by default, with Gemma's chat template, which the packaged base lacks."""
    with tempfile.TemporaryDirectory() as name:
        for file in base.resolve().iterdir():
            (Path(name) / file.name).symlink_to(file)
        template = Path(name) / "chat_template.jinja"
        if not template.exists():
            template.write_text(CHAT_TEMPLATE, encoding="utf-8")
        config = EngineConfig(weights=name, adapter=None if adapter is None else str(adapter), slots=SLOTS)
        with closing(load_engine(config)) as engine:
            yield engine


def take_lead(text: str, *, sentences: int = 3) -> str:
    """Return the first sentences of an article, after the "(CNN)" that many begin with."""
    body = re.sub(r"^\s*(\([A-Z]+\)|By\s*\.)\s*", "", text)
    return " ".join(re.split(r"(?<=[.!?])[\"']?\s+(?=[\"'A-Z0-9])", body)[:sentences])


def score_system(system: str, texts: Sequence[str], pairs: Sequence[Pair], stopped: float | None) -> Row:
    """Score a system's texts with bootstrap intervals."""
    scores = score_texts(texts, pairs)
    rouge = {metric: bootstrap_mean([score[metric] for score in scores]) for metric in METRICS}
    return Row(system, rouge, stopped, fmean(len(text.split()) for text in texts))


def score_texts(texts: Sequence[str], pairs: Sequence[Pair]) -> list[dict[str, float]]:
    """Return each text's ROUGE F1 values in percent."""
    scorer = RougeScorer(list(METRICS), use_stemmer=True)
    scored = [scorer.score(pair.target, text) for text, pair in zip(texts, pairs, strict=True)]
    return [{metric: 100 * row[metric].fmeasure for metric in METRICS} for row in scored]


def bootstrap_mean(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean and its 95 % bootstrap interval over articles."""
    generator = random.Random(seed)
    means = sorted(fmean(generator.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return fmean(values), means[round(0.025 * RESAMPLES)], means[round(0.975 * RESAMPLES) - 1]


def compare_rows(
    texts: dict[str, list[str]], pairs: Sequence[Pair]
) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Yield how much more ROUGE-L the adapter has than each other system, article by article."""
    scores = {name: [row["rougeL"] for row in score_texts(rows, pairs)] for name, rows in texts.items()}
    for name, values in scores.items():
        if name != ADAPTED:
            differences = [ours - theirs for ours, theirs in zip(scores[ADAPTED], values, strict=True)]
            yield name, bootstrap_mean(differences)


def cut_at_empty_line(text: str) -> str:
    """Return what serving keeps of a completion."""
    return text.strip().partition("\n\n")[0]


def print_table(rows: Sequence[Row]) -> None:
    """Print the rows as Markdown."""
    print("\n| | ROUGE-1 | ROUGE-2 | ROUGE-L | stops by itself | words |\n|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{mean:.1f} ({low:.1f} to {high:.1f})" for mean, low, high in row.rouge.values()]
        stopped = "-" if row.stopped_share is None else f"{row.stopped_share:.0%}"
        print(f"| {row.system} | {' | '.join(cells)} | {stopped} | {row.mean_words:.0f} |")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of the packaged Gemma 3 270M")
    parser.add_argument("--adapter", type=Path, default=ADAPTER)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--only", nargs="*", help="names of systems; lead-3 is always there")
    parser.add_argument("--source-tokens", type=int, default=420, help="article tokens in every prompt")
    parser.add_argument("--new-tokens", type=int, default=96, help="length cap of every summary")
    parser.add_argument("--outputs", type=Path, default=Path("build/bench-adapter"))
    return parser.parse_args()


def main() -> None:
    """Summarize, score, print the table and one line of JSON."""
    options = parse_arguments()
    options.outputs.mkdir(parents=True, exist_ok=True)
    pairs = read_pairs([options.data], read_rows=make_row_reader(source_column=None, target_column=None)).pairs
    pairs = pairs[: options.rows]
    texts, rows = {}, []
    for system in list_systems(options.adapter):
        if options.only and system.name not in options.only:
            continue
        summaries = summarize_all(
            system,
            pairs,
            base=options.base,
            folder=options.outputs,
            source_tokens=options.source_tokens,
            new_tokens=options.new_tokens,
        )
        texts[system.name] = [cut_at_empty_line(summary.text) for summary in summaries]
        stopped = fmean(summary.has_stopped for summary in summaries)
        rows.append(score_system(system.name, texts[system.name], pairs, stopped))
    texts[LEAD] = [take_lead(pair.source) for pair in pairs]
    rows.append(score_system(LEAD, texts[LEAD], pairs, None))
    print_table(rows)
    differences = dict(compare_rows(texts, pairs)) if ADAPTED in texts else {}
    for name, (mean, low, high) in differences.items():
        print(f"adapter minus {name}: ROUGE-L {mean:+.1f} ({low:+.1f} to {high:+.1f})")
    print(json.dumps({"rows": [asdict(row) for row in rows], "rouge_l_gain": differences}))


if __name__ == "__main__":
    main()
