"""Flower as `gistmill up` starts it, in a browser: who works, and what was run."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Local

NOTES = "The pump stopped on Monday and started again on Tuesday. " * 5


@pytest.fixture(scope="module")
def worked(local: Local, tmp_path_factory: pytest.TempPathFactory) -> Local:
    """A cluster that has run a job to its end."""
    notes = tmp_path_factory.mktemp("notes") / "notes.txt"
    notes.write_text(NOTES)
    done = local.run("submit", str(notes), "--strategy", "stuff", "--batch", "seen", "--max-new-tokens", "8", "--wait")
    assert done.returncode in (0, 3), done.stderr
    return local


@pytest.fixture
def page(worked: Local, chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(30_000)
    yield page
    page.close()


def test_the_worker_is_there_under_its_readable_name(worked: Local, page: Page) -> None:
    page.goto(f"{worked.servers['flower_url']}/workers")

    row = page.locator("#workers-table tbody tr").filter(has_text=f"cpu0@{socket.gethostname()}")
    expect(row).to_contain_text("Online")


def test_the_tasks_of_a_job_are_there_by_kind_with_state_and_runtime(worked: Local, page: Page) -> None:
    page.goto(f"{worked.servers['flower_url']}/tasks")

    for kind in ("plan", "stuff"):
        row = page.locator("#tasks-table tbody tr").filter(has_text=f"gistmill.{kind}").first
        expect(row).to_contain_text("SUCCESS")
        expect(row).to_contain_text("notes.txt, batch seen, step ")
        expect(row).to_contain_text(f"cpu0@{socket.gethostname()}")


def test_the_messages_of_every_queue_are_counted(worked: Local, page: Page) -> None:
    page.goto(f"{worked.servers['flower_url']}/broker")

    for queue in ("reduce", "map", "plan", "evaluate"):
        expect(page.locator("#queue-table tbody tr").filter(has_text=f"{queue}.default")).to_have_count(1)


def test_its_pages_ask_for_nothing_from_elsewhere(worked: Local, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    for path in ("workers", "tasks", "broker"):
        page.goto(f"{worked.servers['flower_url']}/{path}", wait_until="networkidle")

    assert asked
    assert [url for url in asked if not url.startswith(worked.servers["flower_url"])] == []
