"""Submits a table of generated documents, once and once again: ``python -m tests.bench.bench_submit``.

Each submission is a process of its own, as a user starts it, on servers of its own without a worker. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from migrations.run import upgrade
from models.session import open_database
from tests.conftest import answers, wait_until
from tests.processes import run_server
from workers.local.home import Home, open_home

WORDS = ("pump", "stopped", "valve", "Monday", "pressure", "river", "inspection", "because", "slowly", "again")
# Characters of a document: the length of a short article.
SHORTEST, LONGEST = 1_000, 4_000


def main() -> int:
    """Measure by the command line's numbers and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="gistmill-bench-") as folder, ExitStack() as stack:
        home = start_servers(Path(folder), stack)
        table = Path(folder) / "rows.csv"
        write_table(table, rows)
        first, again = (submit(home, table) for _ in range(2))
    figures = {
        "rows": rows,
        "rows_per_second": round(rows / first["seconds"]),
        "again_rows_per_second": round(rows / again["seconds"]),
        "peak_mb": round(first["peak_mb"]),
        "again_peak_mb": round(again["peak_mb"]),
        "new": first["new"],
        "again_new": again["new"],
    }
    show = Table("submission", "rows/s", "peak MB", "new jobs")
    show.add_row("first", str(figures["rows_per_second"]), str(figures["peak_mb"]), f"{first['new']:,}")
    show.add_row("again", str(figures["again_rows_per_second"]), str(figures["again_peak_mb"]), f"{again['new']:,}")
    Console().print(show)
    print(json.dumps(figures))
    return 0


def start_servers(folder: Path, stack: ExitStack) -> Home:
    """Run Postgres and Valkey until the stack ends, with the tables made."""
    home = open_home(folder / "home")
    home.postgres.initialize()
    home.valkey.initialize()
    stack.enter_context(run_server(home.postgres.command, home.logs / "postgres.log", user=home.postgres.system_user))
    stack.enter_context(run_server(home.valkey.command, home.logs / "valkey.log"))
    wait_until(lambda: answers(home), "the servers answer")
    with open_database(home.postgres.url.replace("postgresql://", "postgresql+psycopg://")) as engine:
        upgrade(engine)
    return home


def write_table(path: Path, rows: int) -> None:
    """Write documents of random words, every one different."""
    chance = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text"))
        for number in range(rows):
            length = chance.randint(SHORTEST, LONGEST)
            writer.writerow((number, f"Document {number}. " + " ".join(chance.choices(WORDS, k=length // 7))[:length]))


def submit(home: Home, table: Path) -> dict[str, float]:
    """Submit a table in a process of its own; return what is new, seconds and MB."""
    settings = {"GISTMILL_DATABASE_URL": home.postgres.url, "GISTMILL_BROKER_URL": home.valkey.url}
    words = ["submit", str(table), "--text-column", "text", "--id-column", "id", "--batch", "bench", "--json"]
    began = time.monotonic()
    output = table.with_suffix(".json")
    with output.open("w") as file:
        process = subprocess.Popen([sys.executable, "-m", "gistmill", *words], env=os.environ | settings, stdout=file)
        # Of this process alone: RUSAGE_CHILDREN would hold the largest of all.
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"the submission ended with {process.returncode}")
    return {"new": json.loads(output.read_text())["new"], "seconds": seconds, "peak_mb": usage.ru_maxrss / 1024}


if __name__ == "__main__":
    sys.exit(main())
