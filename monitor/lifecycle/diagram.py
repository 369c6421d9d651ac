"""The arrows as text: a Mermaid state diagram for each region, and the table that goes with it. Pure.

`README.md` of this folder has both between markers; `make generate` writes them, and a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from monitor.lifecycle.arrows import ARROWS, Arrow
from monitor.lifecycle.names import INITIAL, Act, Region, State

BEGIN, END = "<!-- generated: arrows -->", "<!-- end of generated: arrows -->"
_TITLES = {
    Region.PILOT: "The pilot",
    Region.HALT: "Its halt",
    Region.CHANGE: "A proposed change",
    Region.REQUEST: "A request of the firm",
    Region.ASSESSMENT: "The assessment",
    Region.HOLD: "The evidence hold",
}


def diagram(region: Region) -> str:
    """The arrows of a region that move it, as Mermaid. Events of the machine are in brackets."""
    labels: dict[tuple[State, State], list[str]] = {}
    for arrow in ARROWS:
        if arrow.region is region and not arrow.stays:
            words = labels.setdefault((arrow.source, arrow.target), [])
            if _name(arrow) not in words:
                words.append(_name(arrow))
    lines = ["stateDiagram-v2", f"    [*] --> {INITIAL[region].value}"]
    lines += [f"    {source.value} --> {target.value}: {', '.join(w)}" for (source, target), w in labels.items()]
    ends = {target for _, target in labels} - {source for source, _ in labels}
    lines += [f"    {state.value} --> [*]" for state in State if state in ends]
    return "\n".join(lines) + "\n"


def table(region: Region) -> str:
    """The arrows of a region as a Markdown table; those that differ in nothing but the state are one row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for arrow in ARROWS:
        if arrow.region is region:
            rows.setdefault(_row(arrow), []).append(arrow.source.value)
    head = (
        "| from | act or (event) | to | where | only if | needs | record | clocks | statistics |\n" + "|---" * 9 + "|\n"
    )
    return head + "".join(f"| {', '.join(sources)} | {' | '.join(row)} |\n" for row, sources in rows.items())


def page() -> str:
    """Diagram and table of every region, as Markdown."""
    return "\n".join(_sections())


def rewritten(text: str) -> str:
    """`text` with the page between its markers. Raises ValueError without them."""
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"no {BEGIN} followed by {END}")
    return f"{before}{BEGIN}\n\n{page()}\n{END}{after}"


def _sections() -> Iterator[str]:
    for region in Region:
        yield f"### {_TITLES[region]}\n\n```mermaid\n{diagram(region)}```\n\n{table(region)}"


def _name(arrow: Arrow) -> str:
    return arrow.trigger.value if isinstance(arrow.trigger, Act) else f"({arrow.trigger.value})"


def _row(arrow: Arrow) -> tuple[str, ...]:
    conditions = sorted(arrow.when) + [f"not {fact}" for fact in sorted(arrow.unless)]
    during = [state for state in State if state in arrow.during]
    columns = (during, conditions, arrow.needs)
    target = "-" if arrow.stays else arrow.target.value
    words = tuple(", ".join(column) for column in columns)
    return (_name(arrow), target, *words, arrow.record, ", ".join(arrow.clocks), arrow.statistics.value)


if __name__ == "__main__":
    sys.stdout.write(rewritten(sys.stdin.read()))
