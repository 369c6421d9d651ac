"""The numbers of a halt in one sentence, for the message of `Halted`. Pure.

The wording is that of `monitor/projections/evidence_words.py`, which needs more of the package than a firm's service
loads; a test compares both.
"""

from __future__ import annotations

from monitor.halt_ground import Ground


def ground_sentence(ground: Ground) -> str:
    """What was counted and what the charter allows; "" for a ground that is no exceeded limit.

    >>> ground_sentence(Ground(indicator="c", observed=36.0, expected=6.09, exposure=6090.0, unit="decisions"))
    '36 events in 6,090 decisions where at most 6.09 are allowed'
    >>> ground_sentence(Ground(indicator="fpr", observed=63 / 1323, expected=0.02, exposure=1323.0))
    '4.76 % of 1,323 cases where at most 2 % are allowed'
    """
    observed, expected, exposure = ground.observed, ground.expected, ground.exposure
    if not ground.indicator or observed is None or expected is None:
        return ""
    if exposure is not None and ground.unit:
        counted = f"{_figure(observed)} events in {_figure(exposure)} {ground.unit}"
        return f"{counted} where at most {_figure(expected)} are allowed"
    if exposure is not None:
        counted = f"{_figure(100 * observed)} % of {_figure(exposure)} cases"
        return f"{counted} where at most {_figure(100 * expected)} % are allowed"
    return "" if ground.explanation else f"{_figure(observed)} events where at most {_figure(expected)} are allowed"


def _figure(value: float) -> str:
    """Three significant digits, or all digits of a whole number."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.3g}"
