"""The canvas of a picture: SVG elements collected from top to bottom, in one style for light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from monitor.console.svg.scales import Scale, date_ticks

WIDTH = 1000.0
LEFT, RIGHT = 66.0, 814.0
CHARACTER = 6.1  # approximate width at 11 px, enough to keep labels apart

STYLE = """
.smp{--ink:#1d2733;--soft:#5a6675;--grid:#dfe4ea;--paper:#ffffff;--line1:#1f5fa8;--line2:#7a3f9d;--line3:#0f766e;
--count:#a9b8c9;--over:#c46a4a;--allow:#1d2733;--bar:#b3202a;--normal:#5b8a72;--watch:#b8860b;--escalate:#cf5a10;
--halt:#b3202a;--hatch:#98a4b3}
@media (prefers-color-scheme:dark){.smp{--ink:#e8edf3;--soft:#a3afbd;--grid:#313c49;--paper:#141a21;--line1:#7db3f0;
--line2:#c79be6;--line3:#5fc9bd;
--count:#4f6177;--over:#d98a6c;--allow:#e8edf3;--bar:#ff7b7b;--normal:#79b395;--watch:#e0b341;--escalate:#ff9a4d;
--halt:#ff7b7b;--hatch:#66758a}}
.smp text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:11px;
fill:var(--ink)}
.smp .soft{fill:var(--soft)}.smp .h1{font-size:17px;font-weight:600}.smp .h2{font-size:13.5px;font-weight:600}
.smp .b{font-weight:600}.smp .note{font-size:11px;font-weight:400}
.smp .paper{fill:var(--paper)}.smp .grid{stroke:var(--grid);stroke-width:1}.smp .axis{stroke:var(--soft);
stroke-width:1}
.smp .line1,.smp .line2,.smp .line3{fill:none;stroke-width:2;stroke-linejoin:round}
.smp .line1{stroke:var(--line1)}.smp .line2{stroke:var(--line2)}.smp .line3{stroke:var(--line3)}
.smp .ink1{fill:var(--line1)}.smp .ink2{fill:var(--line2)}.smp .ink3{fill:var(--line3)}
.smp .bar{fill:none;stroke:var(--bar);stroke-width:1.6;stroke-dasharray:7 4}.smp .half{fill:none;stroke:var(--bar);
stroke-width:1.1;stroke-dasharray:2 4}
.smp .barword{fill:var(--bar)}.smp .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;
stroke-linejoin:round}
.smp .bar.s-escalate,.smp .half.s-escalate{stroke:var(--escalate)}.smp .bar.s-watch{stroke:var(--watch)}
.smp .bar.s-halt{stroke:var(--halt)}
.smp .count{fill:var(--count)}.smp .over{fill:var(--over)}.smp .allow{fill:none;stroke:var(--allow);stroke-width:1.5}
.smp .normal{fill:var(--normal)}.smp .watch{fill:var(--watch)}.smp .escalate{fill:var(--escalate)}
.smp .halt{fill:var(--halt)}
.smp .stem{stroke-width:1.2;stroke-dasharray:1 3}.smp .outline{fill:none;stroke-width:1.6}
.smp .s-normal{stroke:var(--normal)}.smp .s-watch{stroke:var(--watch)}.smp .s-escalate{stroke:var(--escalate)}
.smp .s-halt{stroke:var(--halt)}.smp .hatch{stroke:var(--hatch);stroke-width:1.4}.smp .onlevel{fill:#fff;
font-weight:600}
@media (prefers-color-scheme:dark){.smp .onlevel{fill:#10151b}}
"""


class Canvas:
    """Collects SVG elements; `y` is the lower edge of what was drawn so far."""

    def __init__(self, x: Scale, hatch: str) -> None:
        self.parts: list[str] = []
        self.y = 0.0
        self.x = x
        self.hatch = hatch

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        style = f' class="{css}"' if css else ""
        end = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}"{style}{end}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{css}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str, hint: str = "") -> None:
        inside = f"<title>{escape(hint)}</title></rect>" if hint else "</rect>"
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{max(width, 0.5):g}" height="{height:g}" class="{css}">{inside}'
        )

    def path(self, points: Iterable[tuple[float, float]], css: str) -> None:
        line = list(points)  # of a flat section only the ends are written
        kept = [
            p for i, p in enumerate(line) if i in (0, len(line) - 1) or not line[i - 1][1] == p[1] == line[i + 1][1]
        ]
        steps = " ".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(kept))
        self.parts.append(f'<path d="{steps}" class="{css}"/>')


def edge_labels(canvas: Canvas, labels: Sequence[tuple[float, str, str]], top: float, bottom: float) -> None:
    """Draw labels (y, text, CSS class) at the right edge, moved apart where they would overlap."""
    last = top - 14.0
    placed: list[tuple[float, str, str]] = []
    for y, words, css in sorted(labels):
        last = max(y, last + 13)
        placed.append((last, words, css))
    shift = max(0.0, last - bottom)
    for y, words, css in placed:
        canvas.text(RIGHT + 8, y - shift + 4, words, css)


def date_axis(canvas: Canvas, bottom: float) -> None:
    """Draw date ticks below `bottom`."""
    last = 0.0
    for at, label in date_ticks(int(canvas.x.low), int(canvas.x.high)):
        x = canvas.x(at)
        canvas.line(x, bottom, x, bottom + 4, "axis")
        if x - last > len(label) * CHARACTER + 10 or not last:
            canvas.text(x, bottom + 16, label, "soft", "middle")
            last = x
