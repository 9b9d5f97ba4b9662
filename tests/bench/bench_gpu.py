"""A GPU in eight minutes: is it right, does it recover, how fast is it, and how fast could it be?

Each section is a process of its own with a limit of time, so that one that hangs or spoils the card's context costs the
others nothing, and every row is on disk before the next is measured. See ``tests/bench/gpu/README.md``.

Examples:
  make bench-gpu
  make bench-gpu DRY=1 GPU_PYTHON=.venv/bin/python
  python3 -m tests.bench.bench_gpu --out results --only correctness
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.gpu.report import ROWS, SUMMARY, TABLES, Recorder, read_rows, write_summary

# Seconds of a whole run.
WHOLE = 470
# And of a dry one, which must come to its end on a busy machine too.
DRY = 4 * WHOLE
# Seconds that a section may take of that, the most telling first: the last ones are what a slow run does without.
SECTIONS = {
    "card": 75,
    "correctness": 90,
    "recovery": 50,
    "steps": 40,
    "throughput-small": 100,
    "settings-loop": 85,
    "throughput-large": 90,
    "settings-batch": 85,
}
# A section that has less than this left is not begun.
MIN_SECONDS = 15
LOG = "log.txt"


def run_sections(names: list[str], folder: Path, *, seconds: float, start: Callable[[str], list[str]]) -> bool:
    """Run sections one after the other, and write the summary after each; return whether all came to their end.

    Args:
        names: of the sections.
        folder: of the results.
        seconds: of all of them together.
        start: returns the command of a section.
    """
    ends = time.monotonic() + seconds
    is_whole = True
    for name in names:
        left = min(SECTIONS[name] * seconds / WHOLE, ends - time.monotonic())
        began = time.monotonic()
        outcome = "not begun, no time was left" if left < MIN_SECONDS else run_process(start(name), folder, left)
        Recorder(folder, "sections").add(name, outcome=outcome, seconds=round(time.monotonic() - began, 1))
        write_summary(folder)
        is_whole = is_whole and outcome == "ended"
    return is_whole


def run_process(command: list[str], folder: Path, seconds: float) -> str:
    """Run a command for so many seconds at most, and return how it ended; what it says goes to the log."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a", encoding="utf-8") as log:
        # A library that looks for something on a network would wait for it.
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(command, stderr=log, start_new_session=True, env=environment)
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"cut after {seconds:.0f} s"
    return "ended" if code == 0 else f"exit code {code}"


def run_section(name: str, folder: Path, *, is_dry: bool) -> None:
    """Do the work of one section in this process."""
    from tests.bench.gpu.compat import adapt_transformers

    adapted = adapt_transformers()
    from tests.bench.gpu import attention, correctness, environment, recovery, step_cost, throughput
    from tests.bench.gpu.plan import make_plan

    plan, recorder = make_plan(is_dry=is_dry), Recorder(folder, name)
    card = throughput.read_card(folder)
    parts: dict[str, list[Callable[[], None]]] = {
        "card": [
            lambda: environment.record_environment(plan, recorder, adapted),
            lambda: throughput.measure_limits(plan, recorder),
            lambda: attention.measure_attention(plan, recorder),
        ],
        "correctness": [
            lambda check=check: check(plan, recorder)
            for check in (correctness.check_tokens, correctness.check_finite, correctness.check_engine)
        ],
        "recovery": [
            lambda check=check: check(plan, recorder)
            for check in (recovery.check_pinning, recovery.check_endings, recovery.check_memory)
        ],
        "steps": [lambda: step_cost.count_steps(plan, recorder)],
        "throughput-small": [lambda: throughput.measure_batches(plan, plan.small, recorder, card)],
        "settings-loop": [lambda: throughput.measure_settings(plan, recorder, card, way="loop")],
        "throughput-large": [lambda: throughput.measure_batches(plan, plan.large, recorder, card)],
        "settings-batch": [lambda: throughput.measure_settings(plan, recorder, card, way="generate_batch")],
    }
    for number, part in enumerate(parts[name]):
        with recorder.catch(f"part {number}"):
            part()


def is_right(folder: Path) -> bool:
    """Return whether no row says that something was wrong."""
    return all(row.get(name, True) for row in read_rows(folder) for name in ("is_right", "is_equal", "is_finite"))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/bench-gpu"), help="folder of the results")
    parser.add_argument("--dry", action="store_true", help="tiny shapes on the CPU, to prove that everything starts")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections alone")
    parser.add_argument("--seconds", type=float, help=f"of the whole run: {WHOLE}, or {DRY} where it is dry")
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run all sections, or one in this process; return 1 if one was cut or something was wrong."""
    given = parse_arguments(arguments)
    if given.section is not None:
        run_section(given.section, given.out, is_dry=given.dry)
        return 0
    if not given.dry and not has_gpu():
        print("bench-gpu needs a CUDA device, and PyTorch sees none; --dry runs without", file=sys.stderr)
        return 1
    for name in (ROWS, SUMMARY, TABLES, LOG):
        (given.out / name).unlink(missing_ok=True)

    def start(name: str) -> list[str]:
        command = [sys.executable, "-m", "tests.bench.bench_gpu", "--section", name, "--out", str(given.out)]
        return [*command, "--dry"] if given.dry else command

    is_whole = run_sections(
        given.only or list(SECTIONS), given.out, seconds=given.seconds or (DRY if given.dry else WHOLE), start=start
    )
    print((given.out / TABLES).read_text(encoding="utf-8"))
    return 0 if is_whole and is_right(given.out) else 1


def has_gpu() -> bool:
    """Return whether PyTorch sees a GPU; asked in a process of its own, so that this one holds no memory there."""
    check = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
