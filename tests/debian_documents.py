"""Documents of Debian packages, for tests: manuals in seven languages, as HTML, PDF, EPUB, Markdown and plain text.

``python -m tests.debian_documents`` downloads the packages and unpacks their documents; ``make test`` does it. They are
unpacked without being installed, because images of containers leave documentation out on installation.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "build" / "debian-documents"


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A package with documents.

    Args:
        name: its name.
        language: language of its documents.
        patterns: names of the documents; a compressed one is unpacked.
    """

    name: str
    language: str
    patterns: tuple[str, ...]


# PDF files of two packages only: one takes ten seconds.
PACKAGES = (
    DebianPackage("debian-faq-fr", "fr", ("*.html", "*.txt.gz")),
    DebianPackage("debian-faq-it", "it", ("*.html", "*.txt.gz", "*.pdf.gz")),
    DebianPackage("debian-faq-zh-cn", "zh", ("*.html", "*.txt.gz")),
    DebianPackage("developers-reference-de", "de", ("*.html", "*.epub", "*.txt.gz")),
    DebianPackage("developers-reference-ja", "ja", ("*.html", "*.epub", "*.txt.gz", "*.pdf")),
    DebianPackage("developers-reference-ru", "ru", ("*.html", "*.epub", "*.txt.gz")),
    DebianPackage("node-marked", "en", ("*.md", "*.md.gz")),
    DebianPackage("node-yargs", "en", ("*.md", "*.md.gz")),
    DebianPackage("zsh-syntax-highlighting", "en", ("*.md", "*.md.gz")),
)


def main() -> int:
    """Download and unpack the documents of the packages that are not there yet."""
    missing = [package for package in PACKAGES if not (FOLDER / package.name).is_dir()]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            download([package.name for package in missing], Path(folder))
            for package in missing:
                unpack(package, Path(folder))
    return 0


def download(names: list[str], folder: Path) -> None:
    """Download packages into a folder, by the lists of packages that apt has or, as root, can update."""
    command = ["apt-get", "download", "--quiet", *names]
    if subprocess.run(command, cwd=folder, check=False).returncode:
        if os.geteuid() == 0:
            subprocess.run(["apt-get", "update", "--quiet"], check=True)
        subprocess.run(command, cwd=folder, check=True)


def unpack(package: DebianPackage, folder: Path) -> None:
    """Unpack the documents of a downloaded package."""
    (archive,) = folder.glob(f"{package.name}_*.deb")
    unpacked = folder / package.name
    unpacked.mkdir()
    subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
    # Renamed when complete, so that an interrupted run leaves nothing behind that looks complete.
    target = FOLDER / f"{package.name}.part"
    target.mkdir(parents=True, exist_ok=True)
    for path in (path for pattern in package.patterns for path in unpacked.rglob(pattern)):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            is_packed = path.suffix == ".gz"
            (target / (path.stem if is_packed else path.name)).write_bytes(
                gzip.decompress(content) if is_packed else content
            )
    target.rename(FOLDER / package.name)


@pytest.fixture(scope="session")
def debian_documents() -> Path:
    """The folder of the documents, one folder a package; only a machine that is not CI may do without."""
    missing = [package.name for package in PACKAGES if not (FOLDER / package.name).is_dir()]
    if missing:
        problem = f"no documents of the Debian packages {', '.join(missing)}: `make documents` unpacks them"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    return FOLDER


if __name__ == "__main__":
    sys.exit(main())
