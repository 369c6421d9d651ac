"""Actors deliver decisions to other systems, one file each. `ACTORS` maps a name to the factory that takes an address;
it is the only registration: the options of `sandbox-monitor act`, the metrics and the contract tests read it.

Without any actor no decision is lost: the record has all. Only `monitor.act.deliver` retries and resends.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.act.alertmanager import Alertmanager
from monitor.act.annotations import Annotations
from monitor.act.base import Actor, AnyActor, HttpUrl, Notifier
from monitor.act.deliver import Deliver
from monitor.act.json_lines import JsonLines

ACTORS: dict[str, Callable[[str], AnyActor]] = {
    "alertmanager": Alertmanager,
    "annotations": Annotations,
    "json_lines": JsonLines,
}

__all__ = ["ACTORS", "Actor", "AnyActor", "Deliver", "HttpUrl", "Notifier"]
