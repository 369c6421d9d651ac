"""Recording rules that latch: the last known value of a pilot, until a monitor reports another one.

An alert about a pilot must end when its cause ends, not when its series ends: a monitor that is down, or a partition
without an owner, ends no halt. Each rule takes the current value, or else its own last one. It costs one series per
pilot, and looks back at most `BRIDGE`: the longest outage of Prometheus itself that it bridges.
"""

from __future__ import annotations

from typing import NamedTuple

M = "sandbox_monitor_"
PILOT = "pilot, participant"
FACTS = "tier, sector, region, authority"
BRIDGE = "2h"
LEFT = -1  # the state of a pilot that left; else it is its level


class Latch(NamedTuple):
    """The rule that records the gauge `metric`, with these labels in addition to the pilot's. It has no value where the
    pilot is watched and the gauge has no series."""

    metric: str
    labels: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        """The name of the series that it writes."""
        return f"sandbox:{self.metric}:latched"

    @property
    def expr(self) -> str:
        """Its expression."""
        by = ", ".join((PILOT, *self.labels))
        return (
            f"max by ({by}) ({M}{self.metric}) or (last_over_time({self.record}[{BRIDGE}])"
            f" unless on ({PILOT}) {M}pilot_level unless on ({PILOT}) {M}pilot_left)"
        )


STATE = "sandbox:pilot_state:latched"
INFO = "sandbox:pilot_info:latched"
LATCHES = (
    Latch("pilot_unacknowledged"),
    Latch("pilot_unknown"),
    Latch("command_open_timestamp_seconds", ("action", "state")),
    Latch("grave_findings", ("alert", "severity")),
    Latch("clocks", ("owed_by", "state")),
    Latch("clock_due_timestamp_seconds", ("owed_by",)),
)


def rules() -> list[dict[str, str]]:
    """All recording rules, in the order in which they are evaluated."""
    state = f"({LEFT} * max by ({PILOT}) ({M}pilot_left)) or max by ({PILOT}) ({M}pilot_level)"
    by = f"{PILOT}, {FACTS}"
    # One series per pilot, whatever was amended: two would make a join fail, and with it the alert.
    info = (
        f"topk by ({PILOT}) (1, max by ({by}) ({M}pilot_info)"
        f" or (last_over_time({INFO}[{BRIDGE}]) unless on ({PILOT}) {M}pilot_info))"
    )
    return [
        {"record": STATE, "expr": f"{state} or last_over_time({STATE}[{BRIDGE}])"},
        {"record": INFO, "expr": info},
        *({"record": latch.record, "expr": latch.expr} for latch in LATCHES),
    ]


def labelled(expr: str) -> str:
    """`expr` (about pilots) with the labels of `FACTS` where the charter is known, and as it is where not."""
    return f"(({expr}) * on ({PILOT}) group_left ({FACTS}) {INFO}) or on ({PILOT}) ({expr})"
