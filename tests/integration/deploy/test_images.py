"""Both Dockerfiles: linted, pinned, without root, and built from files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("gistmill", "models", "migrations", "producer", "workers")
DOCKERFILES = ("workers/Dockerfile", "producer/Dockerfile")


def instructions(path: str, name: str) -> list[str]:
    """Return the arguments of one kind of instruction, continuation lines joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / path).read_text())
    return re.findall(rf"^{name} (.*)$", text, re.M)


@pytest.mark.parametrize("path", DOCKERFILES)
def test_hadolint_has_nothing_to_say(path: str) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / path], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", DOCKERFILES)
def test_base_images_are_pinned_to_the_version_of_python_that_is_tested(path: str) -> None:
    bases = {base.split()[0] for base in instructions(path, "FROM")}
    assert len(bases) == 1
    assert re.fullmatch(rf"python:3\.{sys.version_info.minor}\.\d+-slim-\w+", bases.pop())


@pytest.mark.parametrize("path", DOCKERFILES)
def test_every_package_is_installed_by_the_constraints(path: str) -> None:
    installs = [line for line in instructions(path, "RUN") if "pip install" in line]
    assert installs
    assert [line for line in installs if "--constraint constraints.txt" not in line] == []


@pytest.mark.parametrize("path", DOCKERFILES)
def test_the_image_runs_as_a_numbered_user_who_is_not_root(path: str) -> None:
    assert instructions(path, "USER") == ["10001:10001"]


@pytest.mark.parametrize("path", DOCKERFILES)
def test_what_is_copied_exists_and_is_not_kept_out_of_the_build(path: str) -> None:
    copied = [part for line in instructions(path, "COPY") if "--from" not in line for part in line.split()[:-1]]
    sent = (ROOT / f"{path}.dockerignore").read_text().splitlines()
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in sent
    assert sent[1] == "*"


@pytest.mark.parametrize("path", DOCKERFILES)
def test_every_package_of_ours_is_copied(path: str) -> None:
    include = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    copied = {part for line in instructions(path, "COPY") for part in line.split()}
    assert {name.rstrip("*") for name in include} <= copied


def test_the_producers_image_has_no_torch() -> None:
    text = " ".join(instructions("producer/Dockerfile", "RUN"))
    assert "torch" not in text
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installed = {name for found in re.findall(r"\[([\w,-]+)\]", text) for name in found.split(",")}
    assert installed == {"serve"}
    assert not any(line.startswith(("torch", "gistmill")) for line in extras["serve"])


def test_compose_builds_these_images() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert {each["build"]["dockerfile"] for each in services.values() if "build" in each} == set(DOCKERFILES)


def test_files_that_are_no_code_are_installed_too() -> None:
    """An image has what setuptools packs, not what lies in the checkout."""
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {path for name, patterns in given.items() for each in patterns for path in _find(name, each)}
    files = {path for name in PACKAGES for path in (ROOT / name).rglob("*.*")}
    needed = {path for path in files if path.is_file() and path.suffix not in {".py", ".pyc", ".dockerignore"}}
    assert needed - packed == set()


def _find(package: str, pattern: str) -> Iterator[Path]:
    return (ROOT / package.replace(".", "/")).glob(pattern)
