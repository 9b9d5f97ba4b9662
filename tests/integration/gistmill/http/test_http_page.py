"""The commands and programs of docs/http.md, run as their reader would run them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cluster
from tests.integration.gistmill.http_client import listen
from tests.processes import PATIENCE

PAGE = Path(__file__).parents[4] / "docs" / "http.md"
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.read_text().split("\n## ")}
ADDRESS = "http://127.0.0.1:8000"
TEXT = "The river rose by four metres in two days. The council closed both bridges on Friday."


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    with listen(cluster) as port:
        yield f"http://127.0.0.1:{port}"


def read_code(heading: str, language: str) -> str:
    [code] = re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[heading], re.MULTILINE | re.DOTALL)[:1]
    return str(code)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the commands are those of curl")
def test_the_commands_submit_read_follow_and_cancel(url: str, tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text(f"# Report\n\n{TEXT}")
    (tmp_path / "rows.csv").write_text(f"id,text\n1,{TEXT} It rained.\n")
    commands = read_code("Submit and read", "sh").replace("curl -s", "curl -sf")
    # A batch without a worker is followed until it is cancelled.
    follow, cancel = commands.strip().splitlines()[-2:]
    commands = commands.replace(follow, "").replace(cancel, f"{cancel}\n{follow}")
    done = subprocess.run(
        ["bash", "-e", "-c", f"URL={url}\n{commands}"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
    )

    assert done.returncode == 0, done.stderr
    assert '"new":1' in done.stdout
    assert '"new":2' in done.stdout
    assert '"jobs":3' in done.stdout
    assert '{"ended":3' in done.stdout
    assert done.stdout.rstrip().partition("event: end")[1]


def test_the_program_of_an_openai_client_gets_its_answers(
    url: str, worker: None, capsys: pytest.CaptureFixture[str]
) -> None:
    program = read_code("OpenAI's batches", "python").replace(ADDRESS, url)

    exec(compile(program, "<page>", "exec"), {})

    printed = capsys.readouterr().out.strip().splitlines()
    assert [re.findall(r"question-\d", line) for line in printed] == [[f"question-{number}"] for number in range(3)]
