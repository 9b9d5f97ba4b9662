"""Small PPTX files, made in memory."""

from __future__ import annotations

from tests.unit.producer.sources.made_files import OFFICE, RELATIONSHIPS, make_zip

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
NAMES = (
    f'xmlns:a="{DRAWING}/main" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    f'xmlns:r="{OFFICE.rpartition("/")[0]}" xmlns:c="{DRAWING}/chart" xmlns:dgm="{DRAWING}/diagram" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)


def shape(*paragraphs: str, kind: str = "") -> str:
    placeholder = f'<p:ph type="{kind}"/>' if kind else ""
    texts = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in paragraphs)
    return f"<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr><p:txBody>{texts}</p:txBody></p:sp>"


def relate(kind: str, target: str, name: str) -> str:
    return f'<Relationship Id="{name}" Type="{OFFICE.rpartition("/")[0]}/{kind}" Target="{target}"/>'


def wrap(relationships: str) -> str:
    return f'<Relationships xmlns="{RELATIONSHIPS}">{relationships}</Relationships>'


def make_pptx(*slides: str, notes: str = "", hidden: int = -1, diagram: str = "") -> bytes:
    """Return a presentation whose slides lie in the archive in reverse order; notes and diagram belong to the first."""
    numbers = range(len(slides))
    files: dict[str, str | bytes] = {
        "_rels/.rels": wrap(relate("officeDocument", "ppt/presentation.xml", "r1")),
        "ppt/presentation.xml": f"<p:presentation {NAMES}><p:sldIdLst>"
        + "".join(f'<p:sldId id="{number}" r:id="s{number}"/>' for number in numbers)
        + "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": wrap(
            "".join(relate("slide", f"slides/slide{9 - number}.xml", f"s{number}") for number in numbers)
        ),
        "ppt/slides/_rels/slide9.xml.rels": wrap(
            relate("notesSlide", "../notes.xml", "n") + relate("diagramData", "../data.xml", "d")
        ),
        "ppt/notes.xml": f"<p:notes {NAMES}><p:cSld><p:spTree>{notes}</p:spTree></p:cSld></p:notes>",
        "ppt/data.xml": f"<dgm:dataModel {NAMES}>{diagram}</dgm:dataModel>",
    }
    for number, content in enumerate(slides):
        show = ' show="0"' if number == hidden else ""
        files[f"ppt/slides/slide{9 - number}.xml"] = (
            f"<p:sld {NAMES}{show}><p:cSld><p:spTree>{content}</p:spTree></p:cSld></p:sld>"
        )
    return make_zip(files)
