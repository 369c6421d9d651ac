"""Turns public data sets into the telemetry that a pilot would have sent, each event with the moment it became visible.

One file for each data set, each a pure function from rows (dictionaries of text, as `csv.DictReader` gives them) to
`Timed` events in order of `received`. Nothing is invented: where the source gives a month, the event says no more than
a month, and a report counts from the day on which the authority had it, never from the day it speaks of.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from monitor.model.events import Envelope

Row: TypeAlias = Mapping[str, str]
Timed: TypeAlias = tuple[int, Envelope]  # received (ms), event


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header line. Raises OSError when it cannot be read."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
