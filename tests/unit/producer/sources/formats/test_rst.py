"""reStructuredText: structure as Markdown, and the text of directives and roles that docutils does not know."""

from pathlib import Path

import pytest

from producer.sources.formats.rst import read_rst

PAGE = """\
.. _start:

Ferry
=====

It runs :ref:`every day <days>` by :meth:`~harbour.Ferry.run` and `a link <http://x.example>`__.

Fees
----

.. toctree::
   :maxdepth: 2

   other

.. versionadded:: 2.0
   The fee of berth four.

.. admonition:: Mind

   The gap.

.. code-block:: python

   run()

.. sphinx-tabs::

   .. group-tab:: North

      The pier.

=====  ===
Berth  Fee
=====  ===
Four   90
=====  ===

- one
- two [#f]_

.. [#f] A footnote.

.. a remark for authors
"""


def test_a_page_is_read_with_its_structure() -> None:
    content = read_rst(PAGE)
    text = content.text
    assert (content.title, content.format) == ("Ferry", "markdown")
    for part in (
        "It runs every day by run and a link.",
        "The fee of berth four.",
        "The gap.",
        "The pier.",
        "A footnote.",
    ):
        assert part in text
    assert "```\nrun()\n```" in text
    assert "| Four | 90 |" in text
    assert "# Fees" in text
    for markup in ("::", "toctree", "maxdepth", ":ref:", "remark for authors", "other"):
        assert markup not in text


def test_files_and_raw_markup_are_not_taken_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    files = f".. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n\n.. csv-table::\n   :file: {secret}\n\n"
    page = f"Ferry\n=====\n\n{files}It runs.\n"
    content = read_rst(page)
    assert "secret" not in content.text
    assert "It runs." in content.text
    assert content.notes == ("includes 3 other files, which are left out",)
    assert read_rst("Text.\n\n.. include:: a.rst\n").notes == ("includes 1 other file, which is left out",)


def test_broken_markup_is_read_as_text() -> None:
    text = read_rst("Ferry\n==\n\n*It runs `every* |day_ :x:`y\n\n  indented\nnot\n\n+--+\n|a\n").text
    for word in ("Ferry", "runs", "indented"):
        assert word in text


@pytest.mark.parametrize(
    ("directive", "kept"),
    [
        (".. code-block:: python\n   :linenos:\n   :emphasize-lines: 1\n\n   run()\n", "run()"),
        (".. math::\n   :label: law\n   :nowrap:\n\n   a\n", "a"),
        (".. note::\n   :collapsible:\n\n   It rained.\n", "Note It rained."),
        (".. figure:: x.png\n   :loading: lazy\n\n   It rained.\n", "It rained."),
        (".. automodule:: harbour\n   :members:\n", "harbour"),
        (".. only:: html\n\n   It rained.\n", "It rained."),
    ],
)
def test_options_of_sphinx_cost_no_text_and_are_none(directive: str, kept: str) -> None:
    text = read_rst(f"Start.\n\n{directive}\nEnd.\n").text
    assert text.replace("```", "").split() == ["Start.", *kept.split(), "End."]


def test_a_text_without_a_title_has_none() -> None:
    assert read_rst("It rained.\n").title == ""


def test_fields_of_the_file_hide_no_title() -> None:
    content = read_rst(":orphan:\n:author: A. Writer\n\n.. _start:\n\nFerry\n=====\n\nIt runs.\n")
    assert (content.title, content.text) == ("Ferry", "# Ferry\n\nIt runs.")
