"""e-LOND: online control of the false discovery rate over many e-values.

If hundreds of streams are tested period by period, some cross any single threshold by chance. e-LOND lets each new
hypothesis spend a part of alpha that grows with the discoveries already made, and keeps the expected fraction of
false discoveries at or below alpha under any dependence between streams and periods. Xu and Ramdas (2024), Online
multiple testing with e-values. Not part of the product: it controls a fraction of false findings, while a halt needs
the probability of any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from detectors.base import within


class ELond(msgspec.Struct):
    """The t-th e-value is a discovery if e >= 1 / (alpha x g(t) x (discoveries before + 1)), g(t) = 1/(t (t + 1)).

    Each `e` must have expectation at most 1 under its own null hypothesis: a per-period e-value, or the value of an
    e-process at a stopping time. The value of an e-detector is not (its expectation grows with time). Order matters:
    early hypotheses have lower thresholds.

    >>> lond = ELond(0.1)
    >>> [lond.test(e) for e in (25.0, 25.0, 70.0, 70.0)]
    [True, False, True, True]
    """

    alpha: float
    tested: int = 0
    found: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for an alpha outside (0, 1)."""
        within("alpha", self.alpha, low=1e-300, high=1 - 1e-12)

    def threshold(self) -> float:
        """Returns the e-value at which the next test is a discovery."""
        return (self.tested + 1) * (self.tested + 2) / (self.alpha * (self.found + 1))

    def test(self, e: float) -> bool:
        """Returns whether the next hypothesis is a discovery. Raises ValueError for NaN or `e` < 0."""
        if not e >= 0:
            raise ValueError(f"e: {e!r} is not an e-value; give a number from 0")
        discovery = e >= self.threshold()
        self.tested += 1
        self.found += discovery
        return discovery


def average(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Returns one e-value from several under any dependence: their weighted mean (weights >= 0, normalised; equal if
    `None`).

    Raises ValueError for no values, negative or NaN values, or wrong weights. Vovk and Wang (2021), E-values:
    calibration, combination and applications, Annals of Statistics 49: 1736-1754.

    >>> average([8.0, 0.5, 0.5])
    3.0
    """
    shares = [1.0] * len(values) if weights is None else list(weights)
    total = math.fsum(shares)
    if not values or len(shares) != len(values) or not total > 0 or any(not w >= 0 for w in shares):
        raise ValueError("weights: one weight from 0 for each e-value is needed, and not all of them 0")
    if any(not e >= 0 for e in values):
        raise ValueError("values: e-values are numbers from 0")
    return sum(e * w for e, w in zip(values, shares, strict=True)) / total
