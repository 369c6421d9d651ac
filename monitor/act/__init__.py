"""Actors: readers of `decisions`, one file each. `ACTORS` maps a name to what builds one from its address.

Everything an actor does is a projection of the record; taking every actor away loses no decision. Retry and resending
live in `monitor.act.deliver` alone.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.act.alertmanager import Alertmanager
from monitor.act.annotations import Annotations
from monitor.act.base import Actor, AnyActor, Notifier
from monitor.act.deliver import Deliver
from monitor.act.json_lines import JsonLines

ACTORS: dict[str, Callable[[str], AnyActor]] = {
    "alertmanager": Alertmanager,
    "annotations": Annotations,
    "json_lines": JsonLines,
}

__all__ = ["ACTORS", "Actor", "AnyActor", "Deliver", "Notifier"]
