"""The canvas of a picture: SVG elements collected from top to bottom, in a wide or a narrow layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from msgspec import Struct

from monitor.console.svg.elements import node
from monitor.console.svg.lettering import fit, width, wrap
from monitor.console.svg.scales import Scale, date_ticks


class Layout(Struct, frozen=True):
    """Where a drawing has its plots (px): from `left` to `right` of `width`, text from `margin`. In the narrow one the
    labels of lines stand below a plot, else to the right of it."""

    name: str
    width: float
    left: float
    right: float
    margin: float

    @property
    def narrow(self) -> bool:
        """Whether this is the drawing for a phone."""
        return self.name == "narrow"


WIDE = Layout("wide", 1000.0, 70.0, 790.0, 16.0)
NARROW = Layout("narrow", 358.0, 60.0, 350.0, 6.0)


class Label(NamedTuple):
    """The label of a line: its height at the right edge, text, class of the text and of a sample of the line."""

    y: float
    words: str
    css: str
    sample: str


class Canvas:
    """Collects SVG elements; `y` is the lower edge of what was drawn so far."""

    def __init__(self, layout: Layout, x: Scale, hatch: str) -> None:
        self.layout = layout
        self.parts: list[Element] = []
        self.y = 0.0
        self.x = x
        self.hatch = hatch

    @property
    def span(self) -> float:
        """The time from the left to the right edge (ms)."""
        return self.x.high - self.x.low

    def text(
        self, x: float, y: float, words: str, css: str = "", anchor: str = "start", room: float | None = None
    ) -> None:
        """Draw a text; one that is wider than `room` is cut, and its whole length is a hint. `anchor`: the side at
        `x`."""
        large = 17.0 if "h1" in css else 13.5 if "h2" in css else 11.0
        bold = large > 11 or "b" in css.split() or "onlevel" in css
        if room is None:
            room = self.layout.width - 4 - x if anchor == "start" else x - 4 if anchor == "end" else self.layout.width
        shown = fit(words, room, large, bold)
        self.parts.append(
            node(
                "text",
                node("title", words) if shown != words else None,
                shown,
                x=x,
                y=y,
                class_=css or None,
                text_anchor=anchor if anchor != "start" else None,
            )
        )

    def lines(self, words: str, css: str = "soft", most: int = 4, x: float | None = None) -> None:
        """Draw wrapped text below `y`, and move `y` below it."""
        x = self.layout.margin if x is None else x
        for line in wrap(words, self.layout.width - x - 8, most, bold="b" in css.split()):
            self.text(x, self.y + 12, line, css)
            self.y += 15

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Draw a straight line."""
        self.parts.append(node("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css))

    def rect(self, x: float, y: float, wide: float, height: float, css: str, hint: str = "") -> None:
        """Draw a rectangle, at least half a pixel wide."""
        title = node("title", hint) if hint else None
        self.parts.append(node("rect", title, x=x, y=y, width=max(wide, 0.5), height=height, class_=css))

    def hatched(self, x1: float, y: float, x2: float, height: float, hint: str, frame: bool = False) -> None:
        """Hatch a rectangle, at least a pixel wide."""
        wide = max(x2 - x1, 1.0)
        self.parts.append(
            node(
                "rect",
                node("title", hint),
                x=x1,
                y=y,
                width=wide,
                height=height,
                fill=f"url(#{self.hatch})",
                class_=None if frame else "veil",
            )
        )
        if frame:
            self.parts.append(node("rect", x=x1, y=y, width=wide, height=height, class_="frame"))

    def dot(self, x: float, y: float, css: str) -> None:
        """Draw a dot that marks a point of a line."""
        self.parts.append(node("circle", cx=x, cy=y, r=3.6, class_=css))

    def path(self, points: Iterable[tuple[float, float]], css: str) -> None:
        """Draw a line through points; a single point is a dot."""
        line = list(points)
        if len(line) == 1:
            ink = css.split()[0].replace("line", "ink")
            self.parts.append(node("circle", cx=line[0][0], cy=line[0][1], r=2, class_=ink))
            return
        kept = [  # of a flat section only the ends are written
            p for i, p in enumerate(line) if i in (0, len(line) - 1) or not line[i - 1][1] == p[1] == line[i + 1][1]
        ]
        steps = " ".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(kept))
        if steps:
            self.parts.append(node("path", d=steps, class_=css))


def labels_of_lines(canvas: Canvas, labels: Sequence[Label], top: float, bottom: float, axis: float = 0.0) -> None:
    """Draw the labels of lines: at the right edge, moved apart where they would overlap; in a narrow picture below
    `bottom` and the dates (of height `axis`), each with a sample of its line. Moves `y` to the lower edge."""
    layout = canvas.layout
    canvas.y = bottom + axis
    if layout.narrow:
        for label in labels:
            canvas.y += 14
            canvas.line(layout.left, canvas.y - 4, layout.left + 22, canvas.y - 4, label.sample)
            canvas.text(layout.left + 28, canvas.y, label.words, label.css)
        return
    last = top - 14.0
    placed: list[tuple[float, Label]] = []
    for label in sorted(labels):
        last = max(label.y, last + 13)
        placed.append((last, label))
    shift = max(0.0, last - bottom)
    for y, label in placed:
        canvas.text(layout.right + 8, y - shift + 4, label.words, label.css)


def date_axis(canvas: Canvas, bottom: float) -> None:
    """Draw date ticks below `bottom`."""
    taken = -1e9
    for at, label in date_ticks(int(canvas.x.low), int(canvas.x.high)):
        x, half = canvas.x(at), width(label) / 2
        canvas.line(x, bottom, x, bottom + 4, "axis")
        if x - half > taken + 8 and x - half >= 0 and x + half <= canvas.layout.width:
            canvas.text(x, bottom + 16, label, "soft", "middle")
            taken = x + half
