"""References between the parts of an Office file, which have any name."""

from __future__ import annotations

import posixpath
import zipfile
from dataclasses import dataclass

from producer.sources.formats.archive import parse_xml, resolve_name


@dataclass(frozen=True, slots=True)
class Relationship:
    """Reference of a part to another: kind ("footnotes") and name of the target; None if it is missing or outside."""

    kind: str
    name: str | None
    target: str


def read_relationships(archive: zipfile.ZipFile, part: str) -> dict[str, Relationship]:
    """Return the references of a part by their ids; "" as part gives those of the package."""
    name = posixpath.join(posixpath.dirname(part), "_rels", f"{posixpath.basename(part)}.rels")
    if name not in archive.NameToInfo:
        return {}
    found = {}
    for element in parse_xml(archive.read(name)).iterfind("{*}Relationship"):
        target = element.get("Target") or ""
        is_outside = element.get("TargetMode") == "External"
        kind = (element.get("Type") or "").rpartition("/")[2]
        found[element.get("Id") or ""] = Relationship(
            kind, None if is_outside else resolve_name(archive, part, target), target
        )
    return found
