"""The e-process against a limit, with a check of the variance/mean that it assumes."""

from __future__ import annotations

from typing import Self

import msgspec

from detectors.base import Count, Design, Observation, Proportion, within
from detectors.dispersion_check import MULTIPLES, DispersionCheck
from detectors.e_process import LimitEProcess, Parameters
from detectors.mixture import Coefficients

_FEWEST_PERIODS = 50  # a year, of an indicator whose dispersion can be checked


class CheckedLimitEProcess(LimitEProcess, kw_only=True, array_like=True, dict=True):
    """`limit_e_process` with `check_dispersion`: what the check does not rule out is assumed.

    The caller gives each complete closed period to `check_dispersion` after `update`. The next period is then evaluated
    with a multiple of the assumed variance/mean, up to 4, according to the evidence so far. The multiple depends on the
    past only, and an e-value for more dispersion is one for less: with theta > 0, E theta^k of a negative binomial
    increases in the variance/mean, its mean being fixed. So the guarantee of the limit is the same, and false alarms
    under more dispersion than assumed are fewer. Once `check.exceeded`, what follows is for the caller.

    `dispersion_prior`: about the multiple that is assumed while there are few data. With 1 the assumed variance/mean is
    left only on evidence, which comes too late for a first bad week; with more, alarms in the first weeks come later.

    >>> detector = LimitEProcess.design(Design(limit=2.0, alpha=0.01), check_dispersion=True, dispersion_prior=2)
    >>> [round(detector.update(Count(k=k, m=1.0)).statistic, 2) for k in (2, 9, 12)]
    [-0.16, 1.18, 4.36]
    """

    check: DispersionCheck
    spread: int = 0  # place in MULTIPLES: the multiple of `dispersion` from the next period on
    spreads: list[tuple[int, int]] = msgspec.field(
        default_factory=list
    )  # periods before which it was another one, while `recent` has some

    @classmethod
    def of(cls, plain: LimitEProcess, check: DispersionCheck) -> Self:
        """The same detector with a check."""
        fields = {name: getattr(plain, name) for name in plain.__struct_fields__}
        return cls(**fields, check=check, spread=check.spread)

    def check_dispersion(self, observation: Observation) -> None:
        """Gives the complete closed period of the last `update` to the check; from the next period on, the evidence is
        computed with the multiple that follows."""
        check = self.check
        if check.rest and not check.exceeded:  # inlined: this is the usual case
            check.rest -= 1
            return
        if type(observation) is Count:
            changed = check.update(observation.k, observation.m, observation.at, self.dispersion)
        elif type(observation) is Proportion:
            k, n = observation.k, observation.n
            rarer = n - k if self.rate > 0.5 else k
            changed = check.update(rarer, n, observation.at, self.dispersion, share=True)
        else:
            raise TypeError(f"{type(observation).__name__}: expected a Count or a Proportion")
        if changed and check.spread != self.spread:
            self._set_spread(check.spread)

    def restart_check(self) -> None:
        """Begins the check anew."""
        self.check = self.check.again()
        self._set_spread(self.check.spread)

    def repeat(self, observation: Observation, times: int) -> bool:
        """See `detectors.repeat.Repeating`."""
        return self.check.idle and super().repeat(observation, times)

    def amend(self, design: Design) -> None:
        """As without a check. A changed variance/mean restarts the check; if the old one was exceeded, what rests on it
        is no evidence, and restarts as well. It may then spend the whole alpha: its alarms so far were not to halt."""
        was = self.dispersion
        super().amend(design)
        self.spreads = []
        if was != self.dispersion:
            if self.check.exceeded:
                self.sums, self.logs, self.periods, self.seen = [0.0] * len(self.ratios), False, 0, 0.0
            self.restart_check()

    def _set_spread(self, spread: int) -> None:
        first = self.periods - len(self.recent) + 1  # that accepts late events
        self.spreads = [(end, was) for end, was in self.spreads if end > first]
        if self.recent:
            self.spreads.append((self.periods + 1, self.spread))
        self.spread = spread
        self.parameters = self.unpacked = None

    def _compute_parameters(self, is_proportion: bool) -> Parameters:
        coefficients = self._coefficients(is_proportion, self.dispersion * MULTIPLES[self.spread])
        return is_proportion, self.rate, self.threshold, self.alpha, self.above, self.late_window, coefficients

    def _coefficients_of(self, period: int) -> Coefficients:
        spread = next((was for end, was in self.spreads if period < end), self.spread)
        if spread == self.spread:
            return super()._coefficients_of(period)
        return self._coefficients(self.is_proportion, self.dispersion * MULTIPLES[spread])


def checked(plain: LimitEProcess, design: Design, check_dispersion: object, prior: object) -> LimitEProcess:
    """The detector with a check. Raises ValueError, naming the parameter, for values that are not offered."""
    if not isinstance(check_dispersion, bool):
        raise ValueError(f"check_dispersion: {check_dispersion!r} is neither true nor false; write one of them")
    number = within("dispersion_prior", prior, low=1, high=4)
    if number != round(number):
        raise ValueError(f"dispersion_prior: {prior!r} is not a whole number; write 1, 2, 3 or 4")
    if not check_dispersion:
        raise ValueError("dispersion_prior: it needs the data of a check; set check_dispersion to true")
    if design.periods_per_year < _FEWEST_PERIODS:
        raise ValueError(
            "check_dispersion: it follows no yearly cycle in longer periods; use periods of a week or less"
        )
    check = DispersionCheck.of(periods_per_year=design.periods_per_year, prior=round(number))
    return CheckedLimitEProcess.of(plain, check)
