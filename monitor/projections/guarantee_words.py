"""What a charter promises about false halts, in sentences: the probability, on what it depends, and which halts it is
not about. Pure.

The promise is Ville's inequality for every limit that halts, added up: each limit and segment has a share of alpha for
each run of its statistics, all shares together are at most alpha (`charter.alpha_share`; `charter check` refuses
weights above 1), and `charter check` lets statistics halt only through detectors of `SPENDS_ALPHA`.
"""

from __future__ import annotations

from typing import NamedTuple

from detectors import SPENDS_ALPHA
from monitor.charter.spec import Charter
from monitor.projections.formats import figure, percent
from monitor.projections.wording import plain
from monitor.translation import mark, tr


class Guarantee(NamedTuple):
    """`promise` and `alpha` are sentences. `holds_if`: what it depends on; `not_covered`: the halts it is not about."""

    promise: str
    alpha: str
    holds_if: tuple[str, ...]
    not_covered: tuple[str, ...]


def guarantee(charter: Charter) -> Guarantee:
    """What the charter promises to a firm that keeps every limit."""
    if not halting_limits(charter):
        promise = tr("Statistics never halt this pilot: no limit of its charter does.")
        return Guarantee(promise, "", (), _not_covered(charter))
    promise = tr(
        "A firm that keeps every limit is ever halted by the statistics with probability at most {alpha}, however "
        "often you look.",
        alpha=percent(charter.alpha),
    )
    alpha = tr(
        "Alpha ({alpha}) is what the statistical tests may spend on false halts over the whole stay. Each limit has a "
        "share of it, and after each release a smaller one, so that all shares together are never more than alpha.",
        alpha=percent(charter.alpha),
    )
    return Guarantee(promise, alpha, _holds_if(charter), _not_covered(charter))


def halting_limits(charter: Charter) -> list[str]:
    """The indicators whose limit halts the pilot."""
    return [
        spec.name
        for spec in charter.indicators
        if spec.weight > 0 and any(one.level == "halt" and one.name in SPENDS_ALPHA for one in spec.detectors)
    ]


def _holds_if(charter: Charter) -> tuple[str, ...]:
    halting = set(halting_limits(charter))
    specs = [spec for spec in charter.indicators if spec.name in halting]
    said = [tr("In every period the expected number of events, given all that happened before, is within the limit.")]
    varying = ", ".join(f"{plain(s.name)} {figure(s.variance_mean)}" for s in specs if s.variance_mean > 1)
    if varying:
        said.append(
            tr(
                "Counts vary at most as much as the charter grants (variance divided by mean: {values}).",
                values=varying,
            )
        )
    else:
        said.append(tr("Counts vary no more than independent events do (variance divided by mean at most 1)."))
    unsure = [s for s in specs if s.exposure is not None and s.exposure.uncertainty > 0]
    if unsure:
        margins = ", ".join(
            f"{plain(s.name)} ±{percent(s.exposure.uncertainty)}" for s in unsure if s.exposure is not None
        )
        said.append(tr("Reported exposure is wrong by at most the margin of the charter ({margins}).", margins=margins))
    said.append(tr("The firm reports what happened, and its exposure, completely and truthfully."))
    return tuple(said)


_VARYING = mark("Counts vary at most as much as the charter grants (variance divided by mean: {values}).")


def _not_covered(charter: Charter) -> tuple[str, ...]:
    said = []
    rules = ", ".join(plain(rule.name) for rule in charter.hard_rules if rule.level == "halt")
    if rules:
        said.append(tr("Hard rules that halt at a single event: {rules}.", rules=rules))
    said.append(tr("Acts of people: a level set by an officer, a suspension, a recall."))
    said.append(tr("Missed legal deadlines that halt the pilot, and a stored state that cannot be read."))
    return tuple(said)
