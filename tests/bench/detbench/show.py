"""Tables on stdout and one picture: every measured figure with its error, next to its reference."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from tests.bench.detbench.goal import Goal, Row

STYLE = """
:root{--ink:#1d2733;--soft:#5a6675;--grid:#dfe4ea;--paper:#fff;--ours:#1f5fa8;
--reference:#c46a4a;--ok:#2f7d4f;--short:#b3202a}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#a3afbd;--grid:#313c49;--paper:#141a21;
--ours:#7db3f0;--reference:#e59a7c;--ok:#79b395;--short:#ff7b7b}}
body{font:14px system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}.ok{color:var(--ok)}.short{color:var(--short)}
svg text{font-size:11px;fill:var(--ink)}svg .soft{fill:var(--soft)}svg .grid{stroke:var(--grid)}
svg .ours{fill:var(--ours)}svg .error{stroke:var(--ours);stroke-width:2}
svg .reference{stroke:var(--reference);stroke-width:3}
"""
LEFT, WIDTH, STEP = 430.0, 900.0, 18.0


def tables(goals: Sequence[Goal]) -> str:
    """Every row of every goal, as text."""
    lines: list[str] = []
    for goal in goals:
        lines += ["", f"{goal.name}: {goal.note}"]
        for row in goal.rows:
            reference = "" if row.reference is None else f"{row.reference:>12.4g}"
            lines.append(
                f"  {row.what:<34}{row.setting:<46}{row.figure:>11.4g} +-{row.error:>8.2g}{reference}".rstrip()
            )
        lines.append(f"  {'figure':<80}{goal.figure:>11.4g} +-{goal.error:>8.2g}  {goal.bound}")
    return "\n".join(lines)


def picture(goals: Sequence[Goal], quick: bool) -> str:
    """Returns one HTML page: per goal a dot with its error (two standard errors each way) and a mark for the
    reference."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Detection bench</title><style>{STYLE}</style><h1>Detection bench{' (quick)' if quick else ''}</h1>",
        "<p>Dots: measured, with two standard errors of the simulation each way. Marks: what it is compared with.</p>",
    ]
    for goal in goals:
        word = "ok" if goal.ok else "short"
        parts.append(
            f'<h2>{escape(goal.name)} <span class="{word}">{goal.figure:.4g} (bound {escape(goal.bound)}): '
            f"{word}</span></h2>"
            f"<p>{escape(goal.note)}</p>{_chart(goal.rows)}"
        )
    return "".join(parts) + "</html>\n"


def write(path: Path, goals: Sequence[Goal], quick: bool) -> None:
    """Writes the picture; creates the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture(goals, quick), encoding="utf-8")


def _chart(rows: Sequence[Row]) -> str:
    """Rows that measure the same thing share one scale from 0 to the largest value among them."""
    tops: dict[str, float] = {}
    for row in rows:
        reach = max(abs(row.figure) + 2 * row.error, abs(row.reference or 0.0), 1e-12)
        tops[row.what] = max(tops.get(row.what, 0.0), reach)
    height = STEP * (len(rows) + 1)
    marks: list[str] = []
    for i, row in enumerate(rows):
        y, wide = STEP * (i + 0.8), (WIDTH - LEFT - 70) / tops[row.what]
        at = LEFT + max(row.figure, 0.0) * wide
        low, high = (LEFT + max(row.figure + d * row.error, 0.0) * wide for d in (-2, 2))
        marks.append(f'<text x="0" y="{y:g}">{escape(row.what)}</text>')
        marks.append(f'<text x="190" y="{y:g}" class="soft">{escape(row.setting)}</text>')
        marks.append(f'<line x1="{LEFT:g}" x2="{WIDTH - 70:g}" y1="{y - 4:g}" y2="{y - 4:g}" class="grid"/>')
        if row.reference is not None:
            x = LEFT + max(row.reference, 0.0) * wide
            marks.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 10:g}" y2="{y + 2:g}" class="reference">'
                f"<title>compared with {row.reference:.4g}</title></line>"
            )
        marks.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y - 4:g}" y2="{y - 4:g}" class="error"/>')
        marks.append(f'<circle cx="{at:.1f}" cy="{y - 4:g}" r="4" class="ours"/>')
        marks.append(f'<text x="{WIDTH - 62:g}" y="{y:g}">{row.figure:.4g}</text>')
    return f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" width="100%">{"".join(marks)}</svg>'
