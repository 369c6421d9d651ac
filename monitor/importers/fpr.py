"""Weekly confusion counts of a deployed risk score, by group of people, as telemetry of one pilot.

Each row of `outcomes.csv` (a Monday, a group, `tp fp tn fn`) is one tally of outcomes for that group as segment. It
happened in that week (the event carries the Monday, 00:00 UTC) and is received in the last millisecond of the week.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from monitor.importers import Row, Timed
from monitor.model.builders import Emitter

PILOT = "risk-score"
MODEL = "as-published"
SEGMENTS = ("A", "B", "C")
_WEEK = 7 * 86_400_000


def events(outcomes: Iterable[Row]) -> list[Timed]:
    """Telemetry of the risk score, in order of reception. Rows without a single decision are left out.

    >>> row = {"week": "2013-01-07", "group": "A", "tp": "27", "fp": "13", "tn": "15", "fn": "9"}
    >>> [(received, event.data.fp, event.data.segment) for received, event in events([row])]
    [(1358121599999, 13, 'A')]
    """
    emitter = Emitter("importer/fpr", PILOT, model=MODEL)
    timed: list[Timed] = []
    for row in sorted(outcomes, key=lambda r: (r["week"], r["group"])):
        monday = int(datetime.fromisoformat(row["week"]).replace(tzinfo=UTC).timestamp() * 1000)
        tp, fp, tn, fn = (int(row[name]) for name in ("tp", "fp", "tn", "fn"))
        if tp + fp + tn + fn:
            timed.append((monday + _WEEK - 1, emitter.outcomes(monday, tp, fp, tn, fn, row["group"])))
    return timed
