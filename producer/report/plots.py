"""Plots of a report as SVG whose colours are CSS variables of the page, for dark mode."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from producer.report.lanes import Lane, arrange_lanes, skip_idle
from producer.wording import count, format_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from producer.report.collect import Call, Length, Measured

# Placeholder colours for matplotlib; ``VARIABLES`` maps them to the page's CSS variables.
INK, FAINT, ACCENT = "#010203", "#010204", "#010205"
KIND_COLOURS = {
    "map": "#010206",
    "collapse": "#010207",
    "reduce": "#010208",
    "refine": "#010209",
    "stuff": "#01020a",
    "extract": "#01020c",
    "evaluate": "#01020b",
    "chat": "#01020d",
}
VARIABLES = {INK: "ink", FAINT: "faint", ACCENT: "accent"} | {colour: kind for kind, colour in KIND_COLOURS.items()}
PIXELS_PER_INCH = 96
# Widths in pixels of a plot: beside another on a desktop, and on a phone in portrait.
WIDE, NARROW = 520, 330
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
}
# Time intervals of the plot of tokens per second.
BUCKETS = 120
LABEL_CHARACTERS = 18
# Lanes of a timeline that have room for a label each.
NUMBERED_LANES = 56

Draw = Callable[["Axes"], None]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as SVG in two widths, its description in words, and the step kinds of its legend."""

    title: str
    words: str
    wide: str
    narrow: str
    kinds: tuple[str, ...] = ()


def plot_timeline(calls: Sequence[Call]) -> Plot:
    """Plot the calls of each worker over time, concurrent calls in separate lanes."""
    calls, idle = skip_idle(calls)
    lanes = arrange_lanes(calls)
    workers = sorted({lane.worker for lane in lanes})
    # Half a row of space between two workers.
    rows = {id(lane): row + workers.index(lane.worker) / 2 for row, lane in enumerate(lanes)}

    def draw(axes: Axes) -> None:
        for lane in lanes:
            for kind in {call.kind for call in lane.calls}:
                bars = [(call.start, call.end - call.start) for call in lane.calls if call.kind == kind]
                axes.broken_barh(bars, (rows[id(lane)] - 0.45, 0.9), color=KIND_COLOURS[kind], linewidth=0)
        axes.set_yticks([rows[id(lane)] for lane in lanes], _label_lanes(lanes))
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlabel(_label_time(idle))

    longest = max(call.end for call in calls)
    words = (
        f"{count(len(calls), 'call')} on {count(len(workers), 'worker')} in {longest:.0f} seconds; "
        f"a row holds one call at a time{_describe_idle(idle)}."
    )
    plot = _render("Who ran what when", words, draw, height=80 + min(16 * len(lanes), 900))
    return replace(plot, kinds=tuple(kind for kind in KIND_COLOURS if kind in {call.kind for call in calls}))


def _label_lanes(lanes: Sequence[Lane]) -> list[str]:
    """Return a label for each lane: the worker's name on its first, numbers on all if they have room."""
    numbers: Counter[str] = Counter()
    labels = []
    for lane in lanes:
        numbers[lane.worker] += 1
        name = _shorten(lane.worker) if numbers[lane.worker] == 1 else ""
        has_number = len(lanes) <= NUMBERED_LANES and sum(other.worker == lane.worker for other in lanes) > 1
        labels.append(f"{name} {numbers[lane.worker]}".strip() if has_number else name)
    return labels


def plot_speed(calls: Sequence[Call]) -> Plot:
    """Plot the generated tokens per second of all workers."""
    import numpy as np

    calls, idle = skip_idle(calls)
    starts = np.array([call.start for call in calls])
    spans = np.maximum(np.array([call.end for call in calls]) - starts, 1e-3)
    tokens = np.array([call.tokens for call in calls], dtype=float)
    edges = np.linspace(0, float((starts + spans).max()), BUCKETS + 1)
    # Spread a call's tokens evenly over its duration: cumulative tokens at each edge, then differences.
    written = np.array([(tokens * np.clip((edge - starts) / spans, 0, 1)).sum() for edge in edges])
    rates = np.diff(written) / np.diff(edges)

    def draw(axes: Axes) -> None:
        axes.stairs(rates, edges, fill=True, color=ACCENT, linewidth=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(_label_time(idle))
        axes.set_ylabel("tokens/s")
        axes.grid(axis="y")

    mean = tokens.sum() / edges[-1]
    rate = f"{mean:.1f} per second on average, {rates.max():.1f} at most"
    words = f"{tokens.sum():,.0f} tokens at {rate}{_describe_idle(idle)}."
    return _render("Tokens written per second", words, draw, height=200)


def plot_lengths(lengths: Sequence[Length]) -> Plot:
    """Plot the length of each summary against its document's."""

    def draw(axes: Axes) -> None:
        documents = [length.document for length in lengths]
        axes.scatter(documents, [length.summary for length in lengths], s=14, color=ACCENT, linewidth=0)
        ends = [min(documents), max(documents)]
        for share in (1, 0.1, 0.01):
            axes.plot(ends, [end * share for end in ends], color=FAINT, linewidth=0.8, linestyle="--")
            axes.annotate(f"{share:.0%}", (ends[1], ends[1] * share), fontsize=7, va="bottom", ha="right")
        axes.set_xscale("log")
        axes.set_yscale("log")
        _write_numbers(axes.xaxis, axes.get_xlim())
        _write_numbers(axes.yaxis, axes.get_ylim())
        axes.set_xlabel("characters of the document")
        axes.set_ylabel("characters of the summary")

    shares = [length.summary / length.document for length in lengths]
    words = f"A summary has {median(shares):.1%} of its document's length (median of {len(shares)})."
    return _render("Lengths and compression", words, draw, height=300)


def list_measure_plots(measures: Sequence[Measured]) -> list[Plot]:
    """Return a plot of the metrics from 0 to 1, and one of those with other values, on an axis of their own."""
    bounded = [metric for metric in measures if metric.values and all(0 <= value <= 1 for value in metric.values)]
    others = [metric for metric in measures if metric.values and metric not in bounded]
    plots = [plot_measures(bounded)] if bounded else []
    return plots + ([plot_measures(others, title="Measures with another scale")] if others else [])


def plot_measures(measures: Sequence[Measured], *, title: str = "Is it true, is it close to the reference") -> Plot:
    """Plot the distribution of every metric that has values."""
    measured = [metric for metric in measures if metric.values]

    def draw(axes: Axes) -> None:
        for row, metric in enumerate(measured):
            axes.boxplot(
                metric.values,
                positions=[row],
                orientation="horizontal",
                widths=0.5,
                showfliers=False,
                boxprops={"color": INK},
                whiskerprops={"color": INK},
                capprops={"color": INK},
                medianprops={"color": ACCENT},
            )
            axes.scatter(metric.values, [row] * len(metric.values), s=8, color=ACCENT, alpha=0.6, linewidth=0)
        axes.set_yticks(range(len(measured)), [_shorten(metric.metric) for metric in measured])
        axes.invert_yaxis()
        axes.grid(axis="x")

    words = "Medians: " + ", ".join(f"{metric.metric} {median(metric.values):.3f}" for metric in measured) + "."
    return _render(title, words, draw, height=70 + 34 * len(measured))


def _render(title: str, words: str, draw: Draw, *, height: int) -> Plot:
    wide, narrow = (_draw_svg(f"{title}. {words}", draw, width, height) for width in (WIDE, NARROW))
    return Plot(title, words, wide, narrow)


def _draw_svg(label: str, draw: Draw, width: int, height: int) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The salt makes the SVG's ids unique in the page and reproducible.
    with mpl.rc_context(STYLE | {"svg.hashsalt": f"{label} {width}"}):  # type: ignore[arg-type]
        figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH), layout="constrained")
        draw(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _embed_svg(file.getvalue(), label)


def _embed_svg(svg: str, label: str) -> str:
    """Return the svg element for embedding: labelled, with CSS variables as colours and without a fixed size."""
    from markupsafe import escape

    element = svg[svg.index("<svg") :]
    for colour, variable in VARIABLES.items():
        element = element.replace(colour, f"var(--{variable})")
    element = re.sub(r'^<svg ([^>]*?)width="[^"]*"', r"<svg \1", element.replace('height="', 'data-height="', 1))
    return element.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)


def _write_numbers(axis: Axis, limits: tuple[float, float]) -> None:
    """Label a logarithmic axis with plain numbers, as many as fit; a short one has no power of ten to label."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    is_short = limits[1] < 10 * limits[0]
    axis.set_major_locator(MaxNLocator(4) if is_short else LogLocator(base=10, subs=(1, 3), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


def _label_time(idle: float) -> str:
    return f"seconds since the first step{', without idle time' if idle else ''}"


def _describe_idle(idle: float) -> str:
    return f"; {format_seconds(idle)} without a call are left out" if idle else ""


def _shorten(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1] + "…"
