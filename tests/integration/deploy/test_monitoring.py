"""The dashboard, the alerts and what feeds them: every query runs, every metric exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text

from models.session import connect
from tests.conftest import Cluster
from tests.jobs import add_jobs
from tests.roles import apply_roles
from workers.engine.batching.loop import LoopState
from workers.engine.batching.metrics import EngineMetrics

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/gistmill.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text())
SOURCES = yaml.safe_load((FOLDER / "grafana/datasources/gistmill.yml").read_text())["datasources"]
# Read from the driver, so only a process on a GPU has it.
GPU_METRICS = {"gistmill_gpu_memory_bytes"}


def targets(key: str) -> list[str]:
    return [target[key] for panel in DASHBOARD["panels"] for target in panel["targets"] if key in target]


def list_metrics() -> set[str]:
    state = LoopState(waiting=0, running=0, batch_size=0, cache_used=0.0, age=0.0)
    metrics = EngineMetrics(lambda: state, device="cpu")
    named = {name for metric in metrics.collect() for name in (metric.name, *(each.name for each in metric.samples))}
    return named | {f"gistmill_request_seconds_{part}" for part in ("bucket", "sum", "count")}


def test_every_query_of_the_dashboard_runs_as_an_analyst(cluster: Cluster) -> None:
    add_jobs(cluster.engine, ["A text to summarize."])
    engine = connect(apply_roles(cluster.database_url)["analyst"], pool_size=1)
    queries, found = targets("rawSql"), []
    with engine.connect() as connection:
        for query in queries:
            query = query.replace("$__timeFrom()", "now() - interval '1 day'").replace("$__timeTo()", "now()")
            found.append(connection.execute(text(query)).all())
    engine.dispose()
    assert any(found), "no panel shows the job that there is"


def test_every_metric_that_is_drawn_or_alerted_on_is_measured() -> None:
    rules = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    lines = (FOLDER.parent / "monitoring.md").read_text().splitlines()
    table = [line.split("|")[1] for line in lines if line.startswith("| `gistmill_")]
    named = {name for query in (*targets("expr"), *rules, *table) for name in re.findall(r"gistmill_\w+", query)}
    assert named
    assert named - GPU_METRICS <= list_metrics()
    source = FOLDER.parents[1] / "workers/engine/batching/metrics.py"
    assert all(name in source.read_text() for name in named & GPU_METRICS)


def test_every_panel_has_a_source_that_is_provisioned_and_says_what_it_shows() -> None:
    known = {source["uid"]: source["type"] for source in SOURCES}
    for panel in DASHBOARD["panels"]:
        assert known[panel["datasource"]["uid"]] == panel["datasource"]["type"]
        assert panel["description"], panel["title"]


def test_panels_lie_side_by_side() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(x, y) for place in places for x in _span(place, "x", "w") for y in _span(place, "y", "h")]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def _span(place: dict[str, Any], start: str, size: str) -> range:
    return range(place[start], place[start] + place[size])


def test_grafana_reads_as_an_analyst_with_a_password_of_the_environment() -> None:
    [results] = [source for source in SOURCES if "postgres" in source["type"]]
    assert results["user"] == "gistmill_analyst"
    assert results["secureJsonData"] == {"password": "$GISTMILL_ANALYST_PASSWORD"}


def test_workers_are_scraped_where_compose_runs_them() -> None:
    scraped = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]["dns_sd_configs"]
    root = FOLDER.parents[1]
    services = set(yaml.safe_load((root / "docker-compose.yml").read_text())["services"])
    services |= set(re.findall(r"^  ([\w-]+):$", (root / "docs/compose/per-gpu.yml").read_text(), re.M))
    assert {name for each in scraped for name in each["names"]} == {n for n in services if n.startswith("worker")}
    assert [each["port"] for each in scraped] == list(range(9464, 9472))
