"""A running ``gistmill serve`` with a batch in every state, for the tests of a whole module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

import gistmill
from gistmill.client import Client
from models.tables import Evaluation
from producer.sources.given import Document
from tests.conftest import Cluster
from tests.hand_driven import Driver
from tests.integration.gistmill.http_client import listen
from tests.integration.producer.evidence import DOUBTED, add_evidence
from tests.sentences import SENTENCES, SUMMARY, make_sentence

HOSTILE = '<script>alert(1)</script> "quoted" \'& {{ 7 * 7 }} <img src=x onerror=alert(2)>'
NAMES = ("a.md", "b.md", "c.md", "d.md", HOSTILE, "e.md")


@dataclass(frozen=True, slots=True)
class LiveSite:
    """A server in a thread of this process.

    Args:
        url: its address.
        client: client of its cluster.
        driver: worker driven by hand.
        batch: path of the page of the batch "pile".
        jobs: jobs of the batch by name.
    """

    url: str
    client: Client
    driver: Driver
    batch: str
    jobs: dict[str, UUID]

    def submit(self, batch: str, *names: str) -> dict[str, UUID]:
        """Submit documents, and return the jobs of their batch by name."""
        self.client.submit([Document(write_text(name), name) for name in names], name=batch)
        return {summary.source: summary.id for summary in self.client.summaries(batch)}


def write_text(name: str) -> str:
    """Return the text of a document: its sentences stand where those of ``tests.sentences`` cite them."""
    return f"# Title {name[0]}\n\n" + f"Document {name[0]} says something. " * 30 + (name if name == HOSTILE else "")


@contextmanager
def open_site(cluster: Cluster) -> Iterator[LiveSite]:
    """Serve a cluster with a batch of jobs: succeeded, refined, in need of review, failed, hostile and queued."""
    with listen(cluster) as port, gistmill.connect(cluster.database_url, cluster.broker_url) as client:
        client.submit([Document(write_text(name), name) for name in NAMES], name="pile")
        jobs = {summary.source: summary.id for summary in client.summaries("pile")}
        batch = f"/batches/{client.batch('pile').id}"
        site = LiveSite(f"http://127.0.0.1:{port}", client, Driver(cluster.engine), batch, jobs)
        end_jobs(site, cluster)
        yield site


def end_jobs(site: LiveSite, cluster: Cluster) -> None:
    """End all jobs but the last, each in its way."""
    driver, jobs = site.driver, site.jobs
    driver.register()
    driver.run(jobs["a.md"], words=SUMMARY, sentences=SENTENCES)
    driver.run(jobs["b.md"], strategy="refine", words="It goes on.")
    driver.run(jobs["c.md"], strategy="stuff", chunks=1, words=DOUBTED)
    driver.fail(jobs["d.md"], "plan", message=HOSTILE)
    flagged = make_sentence(HOSTILE, HOSTILE, "flagged", (2, 9), reason=HOSTILE)
    driver.run(jobs[HOSTILE], strategy="stuff", chunks=1, words=HOSTILE, sentences=[flagged])
    with Session(cluster.engine) as session, session.begin():
        add_evidence(session, jobs["c.md"])
        session.execute(insert(Evaluation).values(job_id=jobs["b.md"], metric="rouge1", value=0.4))
