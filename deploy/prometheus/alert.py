"""One alert as a row of a table: its rule, its summary, and the three cases that test it."""

from __future__ import annotations

from dataclasses import dataclass, field

JOB = "sandbox-monitor"
M = "sandbox_monitor_"
WHO = '{pilot="p1",participant="acme"}'
PILOT = {"pilot": "p1", "participant": "acme"}
Series = dict[str, str]


@dataclass(frozen=True)
class Alert:
    """One alert. `firing` and `silent` map series to values (one per minute); `expect` are the labels of the alerts
    that must fire at minute `at`, `absent` of those that must fire without any series. `always` is the reason for
    having no silent case.

    `above` is as `firing`, and `edge` as `silent`, with values next to the threshold; `others` are further silent
    cases. `since` is the minute at which the condition of `firing` begins: with `hold` the alert fires that much later.
    """

    name: str
    group: str
    expr: str
    severity: str
    summary: str
    firing: Series
    silent: Series
    expect: tuple[dict[str, str], ...] = ({},)
    hold: str = "0s"
    labels: dict[str, str] = field(default_factory=dict)
    absent: tuple[dict[str, str], ...] = ()
    at: str = "20m"
    always: str = ""
    above: Series = field(default_factory=dict)
    edge: Series = field(default_factory=dict)
    others: tuple[Series, ...] = ()
    since: int | None = None
