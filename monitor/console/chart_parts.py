"""A chart on a page: the picture, and behind it its data table and the picture as text."""

from __future__ import annotations

import htpy as h
from htpy import Node

from monitor.console.parts import folded
from monitor.console.svg.picture import Chart
from monitor.console.svg.table import DataTable
from monitor.translation import tr


def chart_figure(chart: Chart, key: str = "") -> Node:
    """The picture with what stands behind it, folded. `key` is an id, so that they stay unfolded when a page refreshes.
    The page needs `chart.css`."""
    return h.figure(".chart")[
        h.div(".picture", role="region", aria_label=tr("Picture"), tabindex="0")[chart.svg],
        folded(tr("Data of the picture as a table"), data_table(chart.table), f"{key}-data" if key else ""),
        folded(tr("The picture in words"), h.p[chart.words], f"{key}-words" if key else ""),
    ]


def data_table(shown: DataTable) -> h.Element:
    """A data table; on a narrow screen it scrolls on its own."""
    kinds = ("number" if at in shown.numeric else "words" if at in shown.wrapped else None for at in range(99))
    heads = list(zip(shown.headers, kinds, strict=False))
    return h.div(".data", role="region", aria_label=shown.caption, tabindex="0")[
        h.table[
            h.caption[shown.caption],
            h.thead[h.tr[(h.th(scope="col", class_=kind)[head] for head, kind in heads)]],
            h.tbody[
                (
                    h.tr[
                        h.th(scope="row")[row[0]],
                        (h.td(class_=kind)[cell] for (_, kind), cell in zip(heads[1:], row[1:], strict=True)),
                    ]
                    for row in shown.rows
                )
            ],
        ]
    ]
