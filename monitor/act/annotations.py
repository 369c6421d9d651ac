"""Annotates changes of level in Grafana, so that a dashboard shows a curve with the decision it caused."""

from __future__ import annotations

from monitor.act.base import HttpUrl
from monitor.act.grafana import Grafana
from monitor.model.records import Decision
from monitor.projections.message import notification_line


class Annotations:
    """Annotate changes of level and acts of people in the Grafana at this URL.

    The token comes from the environment (see `monitor.act.grafana`). Raises Refused for a malformed `address`.
    """

    def __init__(self, address: HttpUrl) -> None:
        self._grafana = Grafana(address)

    def act(self, decision: Decision) -> None:
        """Annotate a change of level or an act of a person. Grafana stores repeats, so an existing one is looked up
        first."""
        if decision.kind not in ("level", "act"):
            return
        once = f"decision:{decision.id}"
        if self._grafana.annotated(once):
            return
        tags = ["sandbox-monitor", f"pilot:{decision.pilot}", f"level:{decision.level.word}", once]
        self._grafana.annotate(notification_line(decision), tags, decision.at)
