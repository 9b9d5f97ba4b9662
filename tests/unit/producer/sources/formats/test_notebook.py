"""Notebooks: prose, code and printed results; no pictures, no metadata."""

import json

import pytest

from producer.errors import UnreadableError
from producer.sources.formats.notebook import MAX_OUTPUT_CHARS, read_notebook


def make_notebook(*cells: object) -> str:
    return json.dumps({"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4})


def make_code(source: object, *outputs: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": outputs}


def test_prose_code_and_results_follow_each_other() -> None:
    text = make_notebook(
        {"cell_type": "markdown", "source": ["# Ferry\n", "It runs. ![plot](attachment:a.png)"]},
        make_code(
            ["print(1)\n", "2"],
            {"output_type": "stream", "text": ["\x1b[31m1\x1b[0m\n"]},
            {"output_type": "execute_result", "data": {"text/plain": ["2"]}},
            {"output_type": "display_data", "data": {"image/png": "iVBOR" * 1000, "text/plain": "<Figure>"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["x" * 9999]},
        ),
        {"cell_type": "raw", "source": "Raw."},
        make_code(""),
    )
    content = read_notebook(text)
    assert content.text == (
        "# Ferry\nIt runs. plot\n\n```python\nprint(1)\n2\n```\n\n```\n1\n```\n\n```\n2\n```\n\n"
        "```\nValueError: no\n```\n\nRaw."
    )
    assert (content.title, content.format) == ("Ferry", "markdown")
    assert content.notes == ("holds 1 picture and 1 traceback, which are left out",)


def test_a_long_output_is_cut_and_said() -> None:
    content = read_notebook(make_notebook(make_code("a", {"output_type": "stream", "text": "x" * 5000})))
    assert content.text.count("x") == MAX_OUTPUT_CHARS
    assert content.notes == ("has 1 long output, of which the first 2,000 characters are read",)


def test_a_notebook_of_version_3_is_read() -> None:
    cells = [{"cell_type": "heading", "level": 2, "source": "Ferry"}, {"cell_type": "code", "input": "1"}]
    assert read_notebook(json.dumps({"worksheets": [{"cells": cells}]})).text == "## Ferry\n\n```\n1\n```"


def test_code_with_a_fence_gets_a_longer_one() -> None:
    assert read_notebook(make_notebook(make_code("'''\n```\n'''"))).text.startswith("````python\n")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"cells": 3}', '{"a": 1}'])
def test_what_is_no_notebook_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="notebook"):
        read_notebook(text)


def test_cells_of_wrong_types_are_passed_over() -> None:
    assert read_notebook(
        make_notebook(3, {"cell_type": "code", "source": 5, "outputs": 3}, make_code("a", 1))
    ).text == ("```python\na\n```")


def read_outputs(*outputs: dict[str, object]) -> str:
    cell = {"cell_type": "code", "source": "run()", "outputs": list(outputs)}
    return read_notebook(json.dumps({"cells": [cell], "metadata": {}})).text.replace("```", "")


def test_an_output_in_markdown_is_read_and_the_names_of_objects_never() -> None:
    shown = {"data": {"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": ["It *rained*."]}}
    silent = {"text": ["<matplotlib figure>"], "png": "AAAA"}
    assert read_outputs(shown, silent).split() == ["run()", "It", "*rained*."]


def test_of_a_progress_bar_the_last_state_is_read() -> None:
    assert read_outputs({"text": "0%\r50%\r100% done\nnext\n"}).split() == ["run()", "100%", "done", "next"]
