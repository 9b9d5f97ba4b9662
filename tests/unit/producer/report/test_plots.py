from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from models.step import StepKind
from producer.report import plots
from producer.report.collect import Call, Length, Measured
from producer.report.plots import (
    KIND_COLOURS,
    Plot,
    list_measure_plots,
    plot_lengths,
    plot_measures,
    plot_speed,
    plot_timeline,
)

CALLS = [Call("gpu0@$host_{", "map", 0, 10, 100), Call("gpu1<&>", "reduce", 10, 12, 20)]


@pytest.fixture(params=["timeline", "speed", "lengths", "measures"])
def plot(request: pytest.FixtureRequest) -> Plot:
    if request.param == "timeline":
        return plot_timeline(CALLS)
    if request.param == "speed":
        return plot_speed(CALLS)
    if request.param == "lengths":
        return plot_lengths([Length(1000, 100), Length(50_000, 200)])
    return plot_measures([Measured("rouge1<", (0.1, 0.5), 1), Measured("consistency", (), 3)])


def test_both_widths_are_well_formed_and_labelled(plot: Plot) -> None:
    for svg in (plot.wide, plot.narrow):
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert (root.get("aria-label") or "").startswith(plot.title)
        assert root.get("width") is None


def test_colours_are_the_pages_own(plot: Plot) -> None:
    assert "var(--ink)" in plot.wide
    assert "#0102" not in plot.wide


def test_a_plot_says_its_result_in_words() -> None:
    assert plot_timeline(CALLS).words == "2 calls on 2 workers in 12 seconds; a row holds one call at a time."
    assert plot_speed(CALLS).words.startswith("120 tokens at 10.0 per second on average")
    assert plot_measures([Measured("rouge1", (0.1, 0.5, 0.7), 0)]).words == "Medians: rouge1 0.500."
    assert plot_measures([Measured("rouge1", (0.7, 0.1), 0)]).words == "Medians: rouge1 0.400."


def test_the_legend_holds_the_kinds_that_ran() -> None:
    assert plot_timeline(CALLS).kinds == ("map", "reduce")
    assert {"map", "reduce"} < set(KIND_COLOURS)


def test_every_kind_of_step_has_a_colour_in_plots_and_page() -> None:
    kinds = {kind for kind in StepKind if kind != StepKind.PLAN}
    style = (Path(plots.__file__).parent / "style.css").read_text(encoding="utf-8")

    assert set(KIND_COLOURS) == kinds
    assert plot_timeline([Call("cpu", kind, 0, 1, 0) for kind in kinds]).kinds == tuple(KIND_COLOURS)
    assert all(style.count(f"--{kind}:") == 2 and f"var(--{kind})" in style for kind in kinds)


def test_names_are_written_and_never_read_as_formulas_or_markup() -> None:
    svg = plot_timeline(CALLS).wide

    assert "gpu0@$host_{" in svg
    assert "gpu1&lt;&amp;&gt;" in svg


def test_plots_of_one_page_share_no_ids() -> None:
    def ids(svg: str) -> set[str]:
        clips = {element.get("id") or "" for element in ElementTree.fromstring(svg).iter() if element.get("id")}
        return {each for each in clips if each.startswith(("p", "m")) and any(letter.isdigit() for letter in each[1:5])}

    timeline, speed = plot_timeline(CALLS), plot_speed(CALLS)

    assert not ids(timeline.wide) & ids(speed.wide)
    assert not ids(timeline.wide) & ids(timeline.narrow)


@pytest.mark.parametrize("length", [Length(10, 10), Length(1, 1)])
def test_a_single_document_can_be_plotted(length: Length) -> None:
    assert plot_lengths([length]).words.startswith("A summary has 100.0%")


def test_every_lane_of_a_worker_has_a_number() -> None:
    svg = plot_timeline(
        [Call("gpu0", "map", 0, 10, 1), Call("gpu0", "map", 1, 9, 1), Call("gpu1", "map", 0, 1, 1)]
    ).wide
    labels = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]

    assert [label for label in labels if label][-3:] == ["gpu0 1", "2", "gpu1"]


def test_a_measure_with_another_scale_has_a_plot_of_its_own() -> None:
    measures = [Measured("consistency", (0.4, 1.0), 0), Measured("likelihood", (0.2, 4.5), 0), Measured("qags", (), 2)]

    bounded, other = list_measure_plots(measures)

    assert bounded.words == "Medians: consistency 0.700."
    assert (other.title, other.words) == ("Measures with another scale", "Medians: likelihood 2.350.")
    assert list_measure_plots([Measured("qags", (), 2)]) == []


def test_the_time_before_a_late_check_is_left_out_and_said() -> None:
    late = [*CALLS, Call("gpu0@$host_{", "evaluate", 7212, 7214, 5)]

    assert plot_timeline(late).words == (
        "3 calls on 2 workers in 24 seconds; a row holds one call at a time; 1 h 59 min without a call are left out."
    )
    assert plot_speed(late).words.endswith("at most; 1 h 59 min without a call are left out.")
    assert "without idle time" in plot_timeline(late).wide
    assert "left out" not in plot_timeline(CALLS).words


@pytest.mark.parametrize(("shortest", "longest"), [(4_000, 6_000), (900, 8_000), (100, 90_000)])
def test_an_axis_of_lengths_has_several_labels(shortest: int, longest: int) -> None:
    svg = plot_lengths([Length(shortest, 40), Length(longest, 90)]).wide
    labels = {int(text.replace(",", "")) for text in re.findall(r">([\d,]+)</text>", svg)}

    assert len([label for label in labels if shortest / 3 <= label <= longest * 3]) >= 2
