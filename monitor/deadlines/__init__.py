"""Legal deadlines ("clocks"): what must be done by when, who owes it, and what a miss does. Pure.

`rules.py` is the clock table as data, `calendars.py` and `durations.py` compute a due instant, `cases.py` derives the
state of a clock from the facts of its case, `engine.py` applies facts and the passage of time. See README.md.
"""
