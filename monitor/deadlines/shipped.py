"""The clock table that ships as an example: duties of EU and Chinese law; calendars of the EU institutions, Germany and
China."""

from __future__ import annotations

import functools
from importlib.resources import files

from monitor.deadlines.rules import ClockTable, read_table


@functools.cache
def example_table() -> ClockTable:
    """The table of `tables/example.json`."""
    return read_table(files("monitor.deadlines").joinpath("tables", "example.json").read_bytes())
