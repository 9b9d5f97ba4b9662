"""PPTX: what a slide says, in the order of the slides, and what the speaker noted."""

import pytest

from producer.errors import UnreadableError
from producer.sources import ReadLimits
from producer.sources.formats.pptx import read_pptx
from tests.unit.producer.sources.made_files import make_zip
from tests.unit.producer.sources.made_slides import make_pptx, shape

LIMITS = ReadLimits()


def test_slides_give_their_titles_and_lists_in_their_order() -> None:
    first = shape("The harbour", kind="ctrTitle") + shape("Board of May", kind="subTitle")
    second = shape("Fees", kind="title") + shape("Berth four", "Berth five", kind="body") + shape("7", kind="sldNum")
    content = read_pptx(make_pptx(first, second), LIMITS)
    assert content.text == "## The harbour\n\nBoard of May\n\n## Fees\n\n- Berth four\n- Berth five"
    assert (content.format, content.notes) == ("markdown", ())


def test_tables_groups_and_diagrams_are_read() -> None:
    cells = "".join(
        f"<a:tr>{''.join(f'<a:tc><a:p><a:r><a:t>{c}</a:t></a:r></a:p></a:tc>' for c in row)}</a:tr>"
        for row in (("Berth", "Fee"), ("Four", "90"))
    )
    frame = (
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{cells}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    diagram = (
        "<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds r:dm='d'/></a:graphicData></a:graphic></p:graphicFrame>"
    )
    data = make_pptx(
        f"<p:grpSp><p:grpSp>{shape('In a group.')}</p:grpSp></p:grpSp>{frame}{diagram}",
        diagram="<dgm:pt><dgm:t><a:p><a:r><a:t>Step one</a:t></a:r></a:p></dgm:t></dgm:pt>",
    )
    assert read_pptx(data, LIMITS).text == (
        "In a group.\n\n| Berth | Fee |\n| --- | --- |\n| Four | 90 |\n\n- Step one"
    )


def test_an_alternative_is_read_once() -> None:
    branches = f"<mc:Choice>{shape('Once.')}</mc:Choice><mc:Fallback>{shape('Once.')}</mc:Fallback>"
    both = f"<mc:AlternateContent>{branches}</mc:AlternateContent>"
    assert read_pptx(make_pptx(both), LIMITS).text == "Once."


def test_notes_of_the_speaker_follow_their_slide() -> None:
    data = make_pptx(
        shape("Fees", kind="title"), notes=shape("Say that they rise.", kind="body") + shape("3", kind="sldNum")
    )
    assert read_pptx(data, LIMITS).text == "## Fees\n\nNotes: Say that they rise."


def test_charts_and_hidden_slides_are_named() -> None:
    chart = "<p:graphicFrame><a:graphic><a:graphicData><c:chart/></a:graphicData></a:graphic></p:graphicFrame>"
    content = read_pptx(make_pptx(shape("Seen.") + chart, shape("Not seen."), hidden=1), LIMITS)
    assert (content.text, content.notes) == ("Seen.", ("holds 1 chart and 1 hidden slide, which are left out",))


def test_a_zip_of_another_kind_is_refused() -> None:
    with pytest.raises(UnreadableError, match="lacks its main part"):
        read_pptx(make_zip({"a.txt": "a"}), LIMITS)


def test_groups_that_nest_without_end_are_read_to_a_depth() -> None:
    assert read_pptx(make_pptx("<p:grpSp>" * 200 + shape("deep") + "</p:grpSp>" * 200), LIMITS).text == ""


def test_pictures_are_counted_and_the_title_is_that_of_the_first_slide() -> None:
    picture = "<p:pic><p:blipFill/></p:pic>"
    data = make_pptx(
        picture, shape("The harbour", kind="title") + f"<p:grpSp>{picture}</p:grpSp>", shape("Fees", kind="title")
    )
    content = read_pptx(data, LIMITS)
    assert (content.title, content.notes) == ("The harbour", ("holds 2 pictures, which are left out",))
