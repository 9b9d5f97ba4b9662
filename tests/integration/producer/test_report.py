from __future__ import annotations

import re
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page
from sqlalchemy import insert
from sqlalchemy.orm import Session

from models.tables import Evaluation
from models.views import JobSummary
from tests.conftest import Cluster, wait_until
from tests.hand_driven import Driver
from tests.integration.conftest import Gistmill
from tests.integration.producer.evidence import DOUBTED, add_evidence
from tests.sentences import SENTENCES, SUMMARY, make_sentence

HOSTILE = '<script>alert(1)</script> "quoted" \'& {{ 7 * 7 }} <img src=x onerror=alert(2)> ${jndi}'


@pytest.fixture
def page_file(gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]) -> Path:
    """A report of a batch with every kind of end, measures, and a hostile document."""
    Path(f"{'x' * 60}.md").write_text(f"# {HOSTILE}\n\n{HOSTILE} and more of it. " * 5)
    gistmill("submit", f"{'x' * 60}.md", "--batch", "pile", "--language", "German")
    driver.run(submitted[0].job_id, words="What it says.")
    driver.run(submitted[1].job_id, strategy="refine", words=HOSTILE)
    driver.run(submitted[2].job_id, strategy="stuff", chunks=1, words=DOUBTED)
    driver.fail(submitted[3].job_id, "plan", message=HOSTILE)
    with Session(cluster.engine) as session, session.begin():
        session.execute(insert(Evaluation).values(job_id=submitted[0].job_id, metric="rouge1", value=0.4))
        session.execute(insert(Evaluation).values(job_id=submitted[1].job_id, metric="rouge1", reason=HOSTILE))
        add_evidence(session, submitted[2].job_id)
    done = gistmill("report", "pile", "--output", "out.html")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("batch pile in out.html (")
    return Path("out.html").resolve()


@pytest.fixture
def cited_file(gistmill: Gistmill, cluster: Cluster, driver: Driver, submitted: list[JobSummary]) -> Path:
    """A report of a batch with a sentence of every kind, hostile ones among them, and a check that doubts one."""
    driver.run(submitted[0].job_id, words=SUMMARY, sentences=SENTENCES)
    Path("hostile.md").write_text(f"# {HOSTILE}\n\n" + f"{HOSTILE} " * 9)
    gistmill("submit", "hostile.md", "--batch", "pile", "--weights", "gemma-3-4b-it-with-a-long-name")
    [hostile] = (job for job in gistmill("results", "pile", "--json").json if job["source"] == "hostile.md")
    flagged = make_sentence(HOSTILE, HOSTILE, "flagged", (2, 2 + len(HOSTILE)), reason=HOSTILE)
    driver.run(UUID(hostile["job_id"]), strategy="stuff", chunks=1, words=HOSTILE, sentences=[flagged])
    driver.run(submitted[2].job_id, words=DOUBTED, sentences=[make_sentence(DOUBTED, DOUBTED.strip(), "verified")])
    driver.run(submitted[1].job_id, strategy="refine")
    with Session(cluster.engine) as session, session.begin():
        add_evidence(session, submitted[2].job_id)
    assert gistmill("report", "pile", "--output", "cited.html").err == ""
    return Path("cited.html").resolve()


@pytest.fixture
def soup(page_file: Path) -> BeautifulSoup:
    return BeautifulSoup(page_file.read_text(encoding="utf-8"), "lxml")


def open_page(browser: Browser, file: Path, width: int) -> tuple[Page, list[str]]:
    """Open a page without a network, and note whatever it complains about or asks for."""
    page = browser.new_context(viewport={"width": width, "height": 900}, offline=True).new_page()
    noted: list[str] = []
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.on("request", lambda request: None if request.url == file.as_uri() else noted.append(request.url))
    page.goto(file.as_uri())
    return page, noted


def test_every_document_is_there_with_its_summary_beside_its_source(soup: BeautifulSoup) -> None:
    articles = soup.find_all("article")

    assert len(articles) == 5
    first = articles[0].get_text()
    assert "What it says." in first
    assert "Document a says something." in first


def test_steps_open_to_the_chunks_they_came_from(soup: BeautifulSoup) -> None:
    article = soup.find_all("article")[0]
    tree = article.find("details")

    assert tree is not None
    assert tree.summary is not None
    assert tree.summary.get_text().startswith("reduce")
    maps = [each for each in tree.find_all("details") if each.find("details")]
    assert [each.find("summary").get_text().split()[:2] for each in maps] == [["map", str(i)] for i in range(3)]
    assert "Chunk 0: Part 0" in maps[0].get_text()
    assert "# Title a" in maps[0].get_text()


def test_a_refine_chain_is_in_order(soup: BeautifulSoup) -> None:
    steps = soup.find_all("article")[1].find_all("details", recursive=False)

    assert [step.find("summary").get_text().split()[:2] for step in steps] == [["refine", str(i)] for i in range(3)]


def test_failures_are_listed_with_their_reason_and_a_link(soup: BeautifulSoup) -> None:
    failures = soup.find(id="failures")

    assert failures is not None
    assert HOSTILE in failures.get_text()
    link = failures.find("a")
    assert link is not None
    assert soup.find(id=str(link["href"]).removeprefix("#")) is not None


def test_every_link_leads_somewhere_on_the_page(soup: BeautifulSoup) -> None:
    targets = {str(element["id"]) for element in soup.find_all(id=True)}

    assert {str(link["href"]).removeprefix("#") for link in soup.find_all("a")} <= targets


def test_nothing_of_a_document_becomes_markup(soup: BeautifulSoup) -> None:
    assert soup.find_all(["script", "img", "iframe", "link", "object"]) == []
    assert HOSTILE in soup.find_all("article")[1].get_text()


def test_the_page_asks_for_nothing_from_elsewhere(soup: BeautifulSoup) -> None:
    assert list(soup.find_all(src=True)) == []
    assert "url(http" not in str(soup)
    assert "@import" not in str(soup)
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert policy is not None
    assert str(policy["content"]).startswith("default-src 'none'")


def test_measures_and_their_absence_are_said(soup: BeautifulSoup) -> None:
    assert "rouge1: 0.400" in soup.find_all("article")[0].get_text()
    assert f"rouge1: not measurable, {HOSTILE}" in soup.find_all("article")[1].get_text()
    plots = soup.find(id="plots")
    assert plots is not None
    assert "rouge1 could not be measured for 1 of 2 summaries." in plots.get_text()


def test_doubtful_sentences_and_questions_are_shown_with_their_reasons(soup: BeautifulSoup) -> None:
    article = soup.find_all("article")[2]

    assert [mark.get_text() for mark in article.find_all("mark")] == ["Boris saved 70 people."]
    text = article.get_text()
    assert "Needs review: its least supported sentence has a support of 0.200, below the gate of 0.5" in text
    assert "Marked as a likely hallucination: “Boris saved 70 people.”" in text
    assert "“70”: only the summary has it (there: 40)" in text
    cells = [cell.get_text() for cell in article.find("table").find_all("td")]
    assert cells == ["Boris saved ____ people.", "70", "40", "0.00"]


def test_sentences_have_their_verdicts_as_words_and_link_to_their_passages(cited_file: Path) -> None:
    article = BeautifulSoup(cited_file.read_text(encoding="utf-8"), "lxml").find_all("article")[0]

    shown = article.find(class_="text").get_text()
    assert shown == (
        "It says much. [1] verified Document a says something. [2] quoted "
        "Boris saved 70 people. [3] flagged It goes on."
    )
    kinds = [sentence["class"][1] for sentence in article.find_all(class_="sentence")]
    assert kinds == ["v-verified", "v-quoted", "v-flagged", "v-unchecked"]
    cited = [article.find(id=str(link["href"])[1:]).get_text(" ", strip=True) for link in article.select("a.cite")]
    assert cited == [
        "[1] verified “Title a” Part 0 “Document a says something.” Part 0",
        "[2] quoted “Document a says something.” Part 0",
        "[3] flagged : 70 is nowhere in the document",
    ]
    assert "1 sentence verified, 1 quoted, 1 flagged" in article.get_text()


def test_a_passage_is_marked_in_the_source_and_leads_to_its_sentence(cited_file: Path) -> None:
    article = BeautifulSoup(cited_file.read_text(encoding="utf-8"), "lxml").find_all("article")[0]

    passages = article.select("a.passage")
    assert [passage.get_text() for passage in passages] == [
        "Title a",
        "Document a says something.",
        "Document a says something.",
    ]
    marks = [article.find(id=str(passage["href"])[1:]).get_text() for passage in passages]
    assert marks == ["[1] verified", "[2] quoted", "[1] verified"]
    quotes = [article.find(id=str(quote["href"])[1:]) for quote in article.select(".citations ul a")]
    assert quotes == [passages[0], passages[2], passages[1]]


def test_an_index_leads_to_every_document(soup: BeautifulSoup) -> None:
    entries = soup.select(".index li")

    assert [soup.find(id=str(entry.a["href"])[1:]).h3.get_text() for entry in entries] == [
        "a.md",
        "b.md",
        "c.md",
        "d.md",
        f"{'x' * 60}.md",
    ]
    assert entries[2].get_text(" ", strip=True) == "succeeded c.md needs review"
    assert entries[3].get_text(" ", strip=True) == "failed d.md"


def test_verdicts_are_counted_at_the_head_and_by_strategy(cited_file: Path) -> None:
    progress = BeautifulSoup(cited_file.read_text(encoding="utf-8"), "lxml").find(id="progress")

    numbers = [number.get_text(" ", strip=True) for number in progress.select(".numbers div")]
    assert {"Sentences verified 2", "Sentences quoted 1", "Sentences flagged 2"} <= set(numbers)
    heads = [head.get_text() for head in progress.find_all("th")]
    cells = [[cell.get_text() for cell in row("td")] for row in progress.select("tbody tr")]
    rows = [dict(zip(heads, row, strict=True)) for row in cells]
    by_strategy = {row["Strategy"]: (row["Verified"], row["Quoted"], row["Flagged"]) for row in rows}
    assert by_strategy["map-reduce"] == ("2", "1", "1")
    assert by_strategy["stuff"] == ("0", "0", "1")


def test_a_doubt_of_the_check_is_shown_within_the_sentence(cited_file: Path) -> None:
    soup = BeautifulSoup(cited_file.read_text(encoding="utf-8"), "lxml")

    [mark] = soup.find_all("mark")
    assert mark.get_text() == DOUBTED.strip()
    assert mark.parent["class"] == ["sentence", "v-verified"]


def test_a_passage_and_a_reason_are_text(cited_file: Path) -> None:
    soup = BeautifulSoup(cited_file.read_text(encoding="utf-8"), "lxml")

    assert soup.find_all(["script", "img", "iframe", "link", "object"]) == []
    article = next(each for each in soup.find_all("article") if each.h3.get_text() == "hostile.md")
    assert f"flagged: {HOSTILE}" in article.find(class_="citations").get_text()
    assert f"“{HOSTILE}”" in article.find(class_="citations").get_text()


@pytest.mark.parametrize("width", [1200, 1400])
def test_no_table_is_cut_on_a_desktop(width: int, cited_file: Path, chromium: Browser) -> None:
    page, noted = open_page(chromium, cited_file, width)

    tables = page.locator(".scroll").all()
    assert len(tables) > 1
    for table in tables:
        table.scroll_into_view_if_needed()
        assert table.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
    assert noted == []
    page.context.close()


def test_a_mark_leads_to_its_passages_and_back(cited_file: Path, chromium: Browser) -> None:
    page, _ = open_page(chromium, cited_file, 1400)

    page.locator("a.cite").nth(1).press("Enter")
    assert page.locator(".citations li:target .label").text_content() == "quoted"
    page.locator(".citations li:target > a").press("Enter")
    assert page.locator("a.cite:target").text_content() == "[2] quoted"
    page.context.close()


COPY_ARTICLES = """() => {
    const last = [...document.querySelectorAll("article")].at(-1), link = document.createElement("a");
    for (let number = 0; number < 400; number++) {
        const copy = last.cloneNode(true);
        copy.id = `copy-${number}`;
        last.after(copy);
    }
    link.href = "#copy-20"; link.id = "far"; link.textContent = "far";
    document.querySelector("h1").after(link);
}"""


def test_a_link_leads_to_its_document_however_many_stand_before_it(page_file: Path, chromium: Browser) -> None:
    """Documents that were never on the screen have no height of their own yet."""
    page, _ = open_page(chromium, page_file, 1400)
    page.evaluate(COPY_ARTICLES)

    page.locator("#far").click()

    place = "() => document.querySelector('#copy-20').getBoundingClientRect().top"
    wait_until(lambda: 0 <= page.evaluate(place) < 60, "the document is at the top")
    assert page.url.endswith("#copy-20")
    page.context.close()


def test_headings_go_down_one_level_at_a_time(soup: BeautifulSoup) -> None:
    levels = [int(heading.name[1]) for heading in soup.find_all(re.compile(r"^h[1-6]$"))]

    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_a_limit_keeps_the_page_small_and_says_so(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    gistmill("report", "pile", "--limit", "2")

    soup = BeautifulSoup(Path("report.html").read_text(), "lxml")
    assert len(soup.find_all("article")) == 2
    assert "The first 2 of 4." in soup.get_text()


def test_a_batch_that_has_not_begun_has_a_report(gistmill: Gistmill, submitted: list[JobSummary]) -> None:
    assert gistmill("report").code == 0
    assert "4 queued" in BeautifulSoup(Path("report.html").read_text(), "lxml").get_text()


@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_it_offline_without_a_complaint(width: int, page_file: Path, chromium: Browser) -> None:
    page, noted = open_page(chromium, page_file, width)

    assert noted == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()


def test_axe_finds_nothing(cited_file: Path, chromium: Browser) -> None:
    for width, scheme in ((400, "dark"), (1400, "light")):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.goto(cited_file.as_uri())
        page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
        violations = page.evaluate("axe.run()")["violations"]
        assert [(found["id"], found["nodes"][0]["target"]) for found in violations] == []
        context.close()


@pytest.mark.parametrize(("width", "shown", "hidden"), [(400, "narrow", "wide"), (1400, "wide", "narrow")])
def test_plots_fit_the_width_of_the_screen(
    width: int, shown: str, hidden: str, page_file: Path, chromium: Browser
) -> None:
    page, _ = open_page(chromium, page_file, width)

    assert page.locator(f"figure .{hidden} svg").first.is_hidden()
    boxes = [plot.bounding_box() for plot in page.locator(f"figure .{shown} svg").all()]
    assert len(boxes) == 4
    for box in boxes:
        assert box is not None
        assert box["height"] > 60
        assert 250 < box["width"] <= width
    page.context.close()


@pytest.mark.parametrize("width", [400, 1400])
def test_links_and_steps_work_by_keyboard(width: int, page_file: Path, chromium: Browser) -> None:
    page, _ = open_page(chromium, page_file, width)

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**#documents")
    page.locator("#failures a").first.press("Enter")
    assert page.locator("article:target h3").text_content() == "d.md"
    step = page.locator("article details > summary").first
    step.press("Enter")
    assert page.locator("article details[open] > .text").first.text_content() == "What it says."
    page.context.close()


def test_the_dark_page_is_dark_and_its_plots_follow(page_file: Path, chromium: Browser) -> None:
    context = chromium.new_context(color_scheme="dark", offline=True)
    page = context.new_page()
    page.goto(page_file.as_uri())

    def colour_of(selector: str, name: str) -> list[int]:
        value = page.locator(selector).first.evaluate(f"element => getComputedStyle(element).{name}")
        return [int(number) for number in re.findall(r"\d+", value)[:3]]

    assert max(colour_of("body", "backgroundColor")) < 60
    assert min(colour_of("figure .wide svg text", "fill")) > 180
    context.close()
