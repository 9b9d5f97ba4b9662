"""Style and script of the pages, served under names that hold their hash, so that browsers may keep them for good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from gistmill.http.errors import RequestError
from gistmill.http.guard import OPEN_FOLDER
from producer.report.environment import FOLDER as REPORT_FOLDER

FOLDER = Path(__file__).parent / "static"
FILES = {
    "style.css": (REPORT_FOLDER / "style.css", "text/css"),
    "pages.css": (FOLDER / "pages.css", "text/css"),
    "pages.js": (FOLDER / "pages.js", "text/javascript"),
    "icon.svg": (FOLDER / "icon.svg", "image/svg+xml"),
}
HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that pages load."""

    path: str
    content: bytes
    media_type: str


@router.get(OPEN_FOLDER + "{name}")
def read_asset(name: str) -> Response:
    """Return a file that pages load."""
    path = OPEN_FOLDER + name
    for asset in load_assets().values():
        if asset.path == path:
            return Response(asset.content, media_type=asset.media_type, headers=HEADERS)
    raise RequestError(404, f"there is no file {name}; load the page again")


def find_asset(name: str) -> str:
    """Return the path under which a file is served."""
    return load_assets()[name].path


@cache
def load_assets() -> dict[str, Asset]:
    """Return the files by name."""
    return {name: _load(name, *source) for name, source in FILES.items()}


def _load(name: str, file: Path, media_type: str) -> Asset:
    content = file.read_bytes()
    stem, _, suffix = name.rpartition(".")
    return Asset(f"{OPEN_FOLDER}{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{suffix}", content, media_type)
