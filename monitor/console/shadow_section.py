"""The section of a pilot's page about its shadow charter."""

from __future__ import annotations

import htpy as h
from htpy import Node

from monitor.console.fleet_view import PilotView
from monitor.projections.shadow_words import difference_words, facts
from monitor.translation import tr


def shadow_section(view: PilotView) -> Node:
    """The newest comparison; nothing for a pilot without one."""
    if view.shadow is None:
        return None
    lead = tr(
        "Another charter is stepped with the telemetry of this pilot and compared with the one in force. It never "
        "acts: what is listed here moved no level and was sent to no service."
    )
    differences = view.shadow.differences
    return h.section("#shadow")[
        h.h2[tr("Shadow charter")],
        h.p[lead],
        h.table[h.tbody[(h.tr[h.th(scope="row")[name], h.td[text]] for name, text in facts(view.shadow))]],
        h.ul[(h.li[difference_words(one)] for one in differences)] if differences else None,
    ]
