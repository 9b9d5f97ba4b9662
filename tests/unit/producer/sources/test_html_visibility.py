"""Hidden parts of pages are dropped, unless a script would show them as the page."""

import pytest

from producer.sources import normalize_html
from producer.sources.html_visibility import NOTE

ARTICLE = "<p>The lock at Elmsford closes on the ninth of June for six weeks, and both pairs of gates go.</p>"
MENU = "<ul>" + "<li><a href='/'>An entry of the menu of this site</a></li>" * 20 + "</ul>"


@pytest.mark.parametrize(
    "hiding", ["hidden", 'style="display:none"', 'style="opacity:0; visibility : hidden"', 'aria-hidden="true"']
)
def test_a_page_that_is_hidden_until_a_script_runs_is_read_and_said(hiding: str) -> None:
    content = normalize_html(f"<h1>The lock</h1><p>Posted.</p><div {hiding}>{ARTICLE}</div>")
    assert "closes on the ninth" in content.text
    assert content.notes == (NOTE,)
    assert "closes on the ninth" in normalize_html(f"<body {hiding}><h1>The lock</h1>{ARTICLE}</body>").text


@pytest.mark.parametrize(
    "hidden",
    [
        "<div hidden><p>Share this page.</p></div>",
        f"<div style='display:none'>{MENU}</div>",
        f"<dialog>{ARTICLE * 3}</dialog>",
        f"<div role='dialog' style='display:none'>{ARTICLE * 3}</div>",
        "<span aria-hidden='true'>★★★★☆</span>",
    ],
)
def test_other_hidden_parts_are_dropped(hidden: str) -> None:
    content = normalize_html(f"<h1>The lock</h1>{ARTICLE}{hidden}")
    assert content.text.startswith("# The lock\n\nThe lock at Elmsford")
    assert content.text.endswith("both pairs of gates go.")
    assert content.notes == ()


def test_what_is_hidden_within_a_hidden_page_stays_hidden() -> None:
    text = normalize_html(f"<div hidden>{ARTICLE}<p hidden>A template.</p></div>").text
    assert "closes" in text
    assert "template" not in text


def test_the_content_of_a_component_is_read_and_a_template_is_not() -> None:
    page = f"<x-page><template shadowrootmode='open'>{ARTICLE}</template></x-page><template><p>never</p></template>"
    assert "closes" in (text := normalize_html(page).text)
    assert "never" not in text
