"""The pages of the server in a browser: what they show, what they do, on a phone and a desktop, light and dark."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import structlog
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text
from starlette.testclient import TestClient

from models.session import connect
from tests.conftest import Cluster, create_database
from tests.integration.gistmill.http.live_site import HOSTILE, LiveSite, open_site
from tests.integration.gistmill.http_client import TOKEN, open_server
from workers.local.home import Home

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
SIZES = ((400, "light"), (400, "dark"), (1400, "dark"), (1400, "light"))
PAGES = ("/", "batch", "a.md", "c.md", HOSTILE, "/login", "/docs")
# Rules of axe whose findings depend on the size of the screen and on its colours.
VARYING_RULES = ("color-contrast", "scrollable-region-focusable", "target-size")
# A loaded machine may need long for what takes a moment.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def module_cluster(home: Home, template_database: str) -> Iterator[Cluster]:
    """A database that the tests of this module share."""
    url = create_database(home, f"test_{uuid4().hex[:12]}", template_database)
    engine = connect(url, pool_size=20)
    yield Cluster(url, home.valkey.url, engine)
    engine.dispose()


@pytest.fixture(scope="module")
def site(module_cluster: Cluster) -> Iterator[LiveSite]:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    with open_site(module_cluster) as site:
        yield site
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def browser_page(site: LiveSite, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(browser_page: Page) -> Page:
    """The one page of the module, as wide as a desktop."""
    browser_page.set_viewport_size({"width": 1400, "height": 900})
    return browser_page


@pytest.fixture
def plain_page(site: LiveSite, chromium: Browser) -> Iterator[Page]:
    """A page of a browser that runs no scripts."""
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 400, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def address(site: LiveSite, name: str) -> str:
    """Return the address of a page: a path, the batch, or the job of a document."""
    if name in site.jobs:
        return f"{site.url}/jobs/{site.jobs[name]}"
    return site.url + (site.batch + name.removeprefix("batch") if name.startswith("batch") else name)


def read_soup(site: LiveSite, name: str) -> BeautifulSoup:
    return BeautifulSoup(httpx.get(address(site, name), timeout=120).text, "lxml")


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_screen_and_axe_finds_nothing(name: str, site: LiveSite, page: Page) -> None:
    noted: list[str] = []
    listeners = {
        "console": lambda message: noted.append(message.text),
        "pageerror": lambda error: noted.append(str(error)),
        "request": lambda request: None if request.url.startswith(site.url) else noted.append(request.url),
    }
    for event, listener in listeners.items():
        page.on(event, listener)  # type: ignore[call-overload]
    page.goto(address(site, name))
    for details in page.locator("#steps details").all()[:3]:
        details.evaluate("element => element.open = true")
    page.evaluate(AXE)
    rules = None
    # The documentation is long: axe takes seconds for it.
    for width, scheme in SIZES[1::2] if name == "/docs" else SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        violations = page.evaluate("rules => axe.run(rules ? {runOnly: rules} : {})", rules)["violations"]
        rules = VARYING_RULES
        assert [(found["id"], found["nodes"][0]["target"]) for found in violations] == []
    assert noted == []
    for event, listener in listeners.items():
        page.remove_listener(event, listener)


def test_the_newest_batch_comes_first_with_its_progress(site: LiveSite) -> None:
    site.submit("newer", "n.md")

    cards = read_soup(site, "/").select(".cards .card")
    names = [card.h2.get_text() for card in cards]
    assert names.index("newer") < names.index("pile")
    pile = cards[names.index("pile")]
    assert pile.svg["aria-label"] == "4 succeeded, 1 failed, 1 queued"
    assert "1 need review" in pile.get_text()


def test_a_batch_lists_its_documents_with_the_reasons(site: LiveSite) -> None:
    rows = {row.a.get_text(): row.get_text(" ", strip=True) for row in read_soup(site, "batch").select(".rows li")}

    assert list(rows) == list(site.jobs)
    assert "Needs review: its least supported sentence has a support of 0.200" in rows["c.md"]
    assert "1 sentence verified, 1 quoted, 1 flagged" in rows["a.md"]
    assert HOSTILE in rows["d.md"]
    assert "queued" in rows["e.md"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=failed", ["d.md"]),
        ("state=&review=1&q=", ["c.md"]),
        ("q=B.M", ["b.md"]),
        ("q=%25", []),
        ("q=%3Cscript", [HOSTILE]),
        ("state=queued&q=a.md", []),
    ],
)
def test_filters_choose_documents(query: str, names: list[str], site: LiveSite) -> None:
    assert [link.get_text() for link in read_soup(site, f"batch?{query}").select(".row-name a")] == names


def test_nothing_of_a_document_becomes_markup(site: LiveSite, page: Page) -> None:
    for name in ("batch", "d.md", HOSTILE):
        page.goto(address(site, name))
        assert page.locator("img, iframe, object").count() == 0
        assert page.locator("script").count() == 1
        assert HOSTILE in page.locator("main").inner_text()
    assert page.title().startswith(HOSTILE)


def test_no_page_has_a_script_or_a_style_written_into_it(site: LiveSite) -> None:
    for name in PAGES:
        answer = httpx.get(address(site, name), timeout=120)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        soup = BeautifulSoup(answer.text, "lxml")
        assert soup.find_all(["style"]) == []
        assert [script for script in soup("script") if not script.get("src")] == []
        assert soup.find_all(style=True) == []
        assert not [key for element in soup.find_all(True) for key in element.attrs if key.startswith("on")]


def test_files_of_the_pages_are_kept_under_the_hash_of_their_content(site: LiveSite) -> None:
    soup = read_soup(site, "/")
    paths = [str(link["href"]) for link in soup("link")] + [str(script["src"]) for script in soup("script")]

    assert len(paths) == 4
    for path in paths:
        answer = httpx.get(site.url + path)
        assert re.search(r"-[0-9a-f]{12}\.", path)
        assert "immutable" in answer.headers["cache-control"]
    assert httpx.get(f"{site.url}/static/style-000000000000.css").status_code == 404
    assert httpx.get(f"{site.url}/static/..%2f..%2fapp.py").status_code == 404


def test_pointing_at_a_sentence_lights_up_its_passages(site: LiveSite, page: Page) -> None:
    page.goto(address(site, "a.md"))
    page.locator(".sentence.v-verified").hover()

    expect(page.locator(".passage.lit")).to_have_text(["Title a", "Document a says something."])
    page.locator("h1").hover()
    expect(page.locator(".lit")).to_have_count(0)


def test_citations_are_followed_by_keyboard_and_back(site: LiveSite, page: Page) -> None:
    page.goto(address(site, "a.md"))
    mark = page.locator("a.cite").nth(1)
    mark.focus()
    expect(page.locator(".passage.lit")).to_have_text(["Document a says something."])

    page.keyboard.press("Enter")
    expect(page.locator(".passage:focus")).to_have_text("Document a says something.")
    page.keyboard.press("Enter")
    expect(mark).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".lit")).to_have_count(0)


def test_on_a_phone_a_sentence_leads_to_its_passage(site: LiveSite, page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 700})
    page.goto(address(site, "a.md"))
    page.locator(".sentence.v-quoted").click()

    expect(page.locator(".passage.lit").first).to_be_in_viewport()


def test_the_tree_of_steps_opens_to_the_chunks(site: LiveSite, page: Page) -> None:
    page.goto(address(site, "a.md"))
    page.locator("#steps > details > summary").press("Enter")
    page.locator("#steps > details > details > summary").first.press("Enter")

    assert "part 0 of It says much." in page.locator("#steps").inner_text()
    assert page.locator("#steps details details details > summary").first.inner_text().startswith("Chunk 0: Part 0")


def test_progress_moves_without_a_reload(site: LiveSite, page: Page) -> None:
    jobs = site.submit("moving", "m.md", "o.md")
    page.goto(site.url)
    front = page.context.new_page()
    page.goto(f"{site.url}/batches/{site.client.batch('moving').id}")
    front.goto(site.url)
    page.evaluate("window.isOld = true")
    page.locator(f"#row-{jobs['m.md']}").focus()
    site.driver.run(jobs["m.md"], words="The river rose.")
    site.driver.run(jobs["o.md"], words="The river fell.")

    page.bring_to_front()
    expect(page.locator("#progress .legend")).to_have_text("2 succeeded")
    expect(page.locator("#rows")).to_contain_text("The river rose.")
    expect(page.locator(f"#row-{jobs['m.md']}")).to_be_focused()
    expect(page.locator("#announcement")).to_have_text("2 succeeded")
    expect(page.locator("#cancel")).to_have_count(0)
    assert page.evaluate("window.isOld")
    front.bring_to_front()
    expect(front.locator(".card", has_text="moving").locator(".legend")).to_have_text("2 succeeded")
    front.close()


def test_a_job_is_followed_to_its_summary_and_what_was_opened_stays_open(site: LiveSite, page: Page) -> None:
    job = site.submit("followed", "p.md")["p.md"]
    site.driver.plan(job)
    site.driver.finish_maps(job)
    page.goto(f"{site.url}/jobs/{job}")
    page.locator("#steps details > summary").first.click()
    site.driver.close(job, words="The end.")

    expect(page.locator("#summary .text")).to_have_text("The end.")
    expect(page.locator("#steps > details[open] > .text")).to_have_text("The end.")


def test_files_are_chosen_and_submitted_with_their_options(site: LiveSite, page: Page, tmp_path: Path) -> None:
    for name in ("one.md", "two.txt"):
        (tmp_path / name).write_text(f"Words about {name}. " * 20)
    page.goto(site.url)
    page.get_by_label("Files").set_input_files([tmp_path / "one.md", tmp_path / "two.txt"])
    expect(page.locator("#chosen li")).to_have_text([re.compile("one.md"), re.compile("two.txt")])
    page.get_by_label("Name of the batch").fill("from the page")
    page.get_by_label("Strategy").select_option("refine")
    page.get_by_label("Style").select_option("news")
    page.get_by_label("Words, about").fill("80")
    page.get_by_role("button", name="Summarize").click()

    expect(page.locator(".notice")).to_have_text("2 new documents.")
    assert [link.inner_text() for link in page.locator(".row-name a").all()] == ["one.md", "two.txt"]
    options = site.client.show(str(next(iter(site.client.summaries("from the page"))).id)).options
    assert (options["strategy"], options["style"], options["words"]) == ("refine", "news", 80)


def test_files_are_dropped_on_the_form(site: LiveSite, page: Page) -> None:
    page.goto(site.url)
    dropped = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["Dropped words. ".repeat(20)], "dropped <b>.md"));
            return transfer;
        }"""
    )
    page.dispatch_event("[data-drop]", "dragover", {"dataTransfer": dropped})
    page.dispatch_event("[data-drop]", "drop", {"dataTransfer": dropped})
    expect(page.locator("#chosen li")).to_have_text(re.compile(re.escape("dropped <b>.md")))
    page.get_by_label("Name of the batch").fill("dropped")
    page.get_by_role("button", name="Summarize").click()

    expect(page.locator(".row-name a")).to_have_text("dropped <b>.md")


def test_a_file_that_cannot_be_read_is_named(site: LiveSite) -> None:
    given = [("files", ("good.md", b"Good words. " * 9)), ("files", ("<b>.pdf", b"%PDF-1.7"))]
    answer = httpx.post(f"{site.url}/upload", files=given, data={"name": "partly"}, timeout=120)
    nothing = httpx.post(f"{site.url}/upload", files=[("files", ("", b""))], timeout=120)
    wrong = httpx.post(f"{site.url}/upload", files=given, data={"strategy": "guess"}, timeout=120)
    many = httpx.post(f"{site.url}/upload", files=given, data={"words": "many"}, timeout=120)

    assert answer.status_code == 201
    assert "<b>.pdf" in BeautifulSoup(answer.text, "lxml").find("main").get_text()
    assert nothing.status_code == 422
    assert "<h1>That did not work</h1>" in nothing.text
    assert wrong.status_code == 422
    assert "strategy" in wrong.text
    assert (many.status_code, "is no number of words" in many.text) == (422, True)


def test_forms_work_without_scripts(site: LiveSite, plain_page: Page) -> None:
    job = site.submit("by hand", "q.md")["q.md"]
    plain_page.goto(f"{site.url}/jobs/{job}")
    plain_page.get_by_role("button", name="Cancel").click()
    assert plain_page.locator(".notice").inner_text() == "1 document stopped."
    plain_page.get_by_role("button", name="Retry what failed").click()
    assert plain_page.locator(".notice").inner_text() == "1 document started again."
    site.driver.run(job, words="Good.")
    plain_page.reload()
    plain_page.get_by_role("button", name="Approve").click()
    assert plain_page.locator(".notice").inner_text() == "Approved."
    plain_page.get_by_role("button", name="Take the approval back").click()
    assert plain_page.locator(".notice").inner_text() == "The approval is taken back."
    plain_page.get_by_role("link", name="by hand").click()
    plain_page.get_by_role("link", name="q.md").click()
    assert plain_page.locator("h1").inner_text() == "q.md"


def test_a_batch_is_cancelled_after_a_question_and_retried(site: LiveSite, page: Page) -> None:
    site.submit("stopped", "r.md", "s.md")
    address = f"{site.url}/batches/{site.client.batch('stopped').id}"
    page.goto(address)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Cancel what is open").click()
    expect(page.locator("#progress .legend")).to_have_text("2 queued")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel what is open").click()
    expect(page.locator(".notice")).to_have_text("2 documents stopped.")
    page.get_by_role("button", name="Retry what is not whole").click()

    expect(page.locator(".notice")).to_have_text("2 documents started again.")
    # Without the notice, which a reload would show again.
    expect(page).to_have_url(address)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_form_of_another_origin_is_refused(origin: str, site: LiveSite) -> None:
    for path in (f"/jobs/{site.jobs['a.md']}/approve", f"{site.batch}/cancel", "/upload"):
        assert httpx.post(site.url + path, headers={"Origin": origin}).status_code == 403


def test_an_unknown_id_is_an_error_page(site: LiveSite) -> None:
    answer = httpx.get(f"{site.url}/jobs/{uuid4()}")

    assert answer.status_code == 404
    assert "there is no job" in BeautifulSoup(answer.text, "lxml").find(role="alert").get_text()
    assert httpx.get(f"{site.url}/batches/nonsense").headers["content-type"].startswith("text/html")
    assert httpx.get(f"{site.url}{site.batch}?notice=<b>").text.count("notice") == 0


@pytest.mark.slow
def test_a_batch_of_ten_thousand_is_shown_page_by_page(site: LiveSite, module_cluster: Cluster) -> None:
    site.submit("large", "t.md")
    with module_cluster.engine.begin() as connection:
        connection.execute(text(COPY_JOB))
    batch = f"{site.url}/batches/{site.client.batch('large').id}"

    first = httpx.get(batch, timeout=120).text
    assert len(first) < 100_000
    names = [link.get_text() for link in BeautifulSoup(first, "lxml").select(".row-name a")]
    following = BeautifulSoup(first, "lxml").find("a", rel="next")
    second = BeautifulSoup(httpx.get(site.url + str(following["href"]), timeout=120).text, "lxml")
    names += [link.get_text() for link in second.select(".row-name a")]
    assert names == ["t.md", *(f"copy {number}.md" for number in range(1, 100))]
    found = BeautifulSoup(httpx.get(f"{batch}?q=COPY 9999", timeout=120).text, "lxml")
    assert [link.get_text() for link in found.select(".row-name a")] == ["copy 9999.md"]
    assert "1 document of 10,000" in found.get_text()


COPY_JOB = """
INSERT INTO jobs (id, batch_id, identity, document_sha256, source, position, options, weights, priority, state, pending)
SELECT gen_random_uuid(), batch_id, 'copy ' || n, document_sha256, 'copy ' || n || '.md', n, options, weights, priority,
    state, pending
FROM jobs, generate_series(1, 9999) AS n WHERE source = 't.md'
"""


def test_the_token_is_asked_for_once(module_cluster: Cluster) -> None:
    with open_server(module_cluster, serve_token=TOKEN) as client:
        asked = client.get("/", headers={"Accept": "text/html"})
        assert asked.url.path == "/login"
        assert "pages-" in asked.text
        assert client.get(style_of(asked.text)).status_code == 200
        wrong = client.post("/login", data={"token": "wrong", "next": "/"})
        assert (wrong.status_code, "This is not the token." in wrong.text) == (401, True)

        right = client.post("/login", data={"token": TOKEN, "next": "/"}, follow_redirects=False)
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert_signed_in_and_out(client)


def assert_signed_in_and_out(client: TestClient) -> None:
    assert "Sign out" in client.get("/").text
    assert client.post("/logout").url.path == "/login"
    assert client.get("/").status_code == 401


def style_of(page: str) -> str:
    return str(BeautifulSoup(page, "lxml").find("link", rel="stylesheet")["href"])
