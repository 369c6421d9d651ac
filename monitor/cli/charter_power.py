"""Prints the power of a charter for `charter check`: the table, one sentence per indicator, and rows for `--json`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from monitor.cli.terminal import echo
from monitor.compile.power import RATIOS, IndicatorPower, span_words

_WIDTH = 120


def rows(powers: Sequence[IndicatorPower]) -> list[dict[str, object]]:
    """The power of each indicator as plain values, with its sentence."""
    return [{**msgspec.to_builtins(one), "enough": one.enough, "sentence": one.sentence} for one in powers]


def show(powers: Sequence[IndicatorPower]) -> None:
    """Prints the probability of finding each excess within the cycle, and by when the charter's probability is
    reached."""
    known = [one for one in powers if one.asked is not None]
    if known:
        heads = ("power", "per period", "time", *(f"{ratio:g} times" for ratio in RATIOS))
        table = Table(*heads, box=None, pad_edge=True)
        for one in known:
            cells = (
                f"{row.found:.0%}" + ("" if row.days is None else f" ({span_words(row.days, up=True)})")
                for row in one.ratios
            )
            most = "" if one.planned else "<= "
            table.add_row(one.indicator, f"{most}{one.exposure:,.10g} {one.unit}", span_words(one.days), *cells)
        console = Console(highlight=False, soft_wrap=True)
        console.width = max(console.width, _WIDTH)
        console.print(table)
    for one in powers:
        echo(f"   {one.sentence}")
