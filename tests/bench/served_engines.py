"""Servers of engines as rows of ``make bench``: what Gistmill makes of each, and each by itself.

vLLM is compared with its offline interface, which computes in its own process, and with its server, which on a CPU has
three processes that wait for one another without sleep. llama-cpp-python's server has no slots, so it is compared with
itself alone. Servers alone get the same prompts from threads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.peer_process import PeerError
from tests.bench.peers.protocol import CONTEXT_TOKENS, VLLM_VARIABLES, Work
from workers.local.home import free_ports
from workers.local.vllm import MODULE
from workers.summarization.wording import OUTPUT_SEPARATOR

HOST = "127.0.0.1"
START_SECONDS = 600
Run = Callable[[], tuple[float, int]]


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A kind of server.

    Args:
        environment: of its libraries.
        module: that is started.
        options: of its command line besides its address.
        variables: environment variables.
        reset_path: forgets the prompts of the round before; None where nothing is remembered.
    """

    environment: str
    module: str
    options: Callable[[Work], Sequence[str]]
    variables: Mapping[str, str]
    reset_path: str | None = None


def list_vllm_options(work: Work) -> list[str]:
    """Return the options of ``peers/vllm_offline.py``."""
    sizes = ("--max-model-len", str(CONTEXT_TOKENS), "--max-num-seqs", str(work.slots))
    return ["--model", work.weights, "--dtype", "float32", *sizes, "--seed", "0", "--disable-uvicorn-access-log"]


def list_llamacpp_options(work: Work) -> list[str]:
    """Return options for all threads."""
    threads = str(work.threads)
    sizes = ("--n_ctx", str(CONTEXT_TOKENS), "--n_threads", threads, "--n_threads_batch", threads)
    return ["--model", work.gguf, *sizes]


KINDS = {
    "vllm": ServerKind(
        "vllm",
        MODULE,
        list_vllm_options,
        # Such a server has the path that empties the prefix cache.
        {**VLLM_VARIABLES, "VLLM_SERVER_DEV_MODE": "1"},
        "/reset_prefix_cache",
    ),
    "llamacpp": ServerKind("llamacpp", "llama_cpp.server", list_llamacpp_options, {}),
}


class BenchServer:
    """A server that is frozen while others are measured.

    Args:
        kind: of the server.
        python: of its environment.
        work: names the weights, and the number of slots and threads.
        log: file for its output.

    Raises:
        PeerError: it did not start.
    """

    def __init__(self, kind: ServerKind, python: Path, work: Work, *, log: Path) -> None:
        self._kind = kind
        (port,) = free_ports(1)
        self._root = f"http://{HOST}:{port}"
        command = [str(python), "-m", kind.module, *kind.options(work), "--host", HOST, "--port", str(port)]
        variables = {"OMP_NUM_THREADS": str(work.threads), "PYTHONPATH": "", **kind.variables}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **variables},
                start_new_session=True,
            )
        self._wait_until_ready(log)

    @property
    def url(self) -> str:
        """Base of its paths."""
        return f"{self._root}/v1"

    @contextmanager
    def freeze(self) -> Iterator[None]:
        """Stop it for the length of a block."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def wrap(self, run: Run) -> Run:
        """Return a run for which it is woken, and forgets the round before."""

        def run_awake() -> tuple[float, int]:
            self._signal(signal.SIGCONT)
            if self._kind.reset_path is not None:
                httpx.post(self._root + self._kind.reset_path, trust_env=False).raise_for_status()
            outcome = run()
            self._signal(signal.SIGSTOP)
            return outcome

        return run_awake

    def close(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _wait_until_ready(self, log: Path) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/models", trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.5)
        self.close()
        said = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise PeerError(f"did not start: {''.join(said)[:200]}")

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


class BareRun:
    """Sends the prompts to a server as text: all map prompts, then all reduce prompts.

    Args:
        url: base of its paths.
        work: the prompts.
    """

    def __init__(self, url: str, work: Work) -> None:
        self._url = url
        self._work = work

    def __call__(self) -> tuple[float, int]:
        """Do all of the work once and return its seconds and new tokens."""
        started, work = time.monotonic(), self._work
        with httpx.Client(trust_env=False, timeout=None) as client, ThreadPoolExecutor(work.slots) as pool:

            def generate(prompts: Sequence[str]) -> list[tuple[str, int]]:
                return list(pool.map(lambda prompt: self._complete(client, prompt), prompts))

            answers = generate([work.map_template.format(text=text) for texts in work.texts for text in texts])
            waiting = iter(answers)
            joined = [OUTPUT_SEPARATOR.join(next(waiting)[0] for _ in texts) for texts in work.texts]
            answers += generate([work.reduce_template.format(text=text) for text in joined])
        return time.monotonic() - started, sum(tokens for _, tokens in answers)

    def _complete(self, client: httpx.Client, prompt: str) -> tuple[str, int]:
        new_tokens = self._work.new_tokens
        body = {"prompt": prompt, "max_tokens": new_tokens, "min_tokens": new_tokens, "temperature": 0.0}
        answer = client.post(f"{self._url}/completions", json=body).raise_for_status().json()
        return answer["choices"][0]["text"], answer["usage"]["completion_tokens"]
