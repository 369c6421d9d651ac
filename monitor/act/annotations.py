"""Marks moves on the ladder in Grafana, so that a curve and the decision it caused stand in one picture."""

from __future__ import annotations

from monitor.act.grafana import Grafana
from monitor.model.records import Decision
from monitor.projections.message import sentence


class Annotations:
    """`address` is Grafana's base URL; the token comes from the environment (see `monitor.act.grafana`)."""

    def __init__(self, address: str) -> None:
        self._grafana = Grafana(address)

    def act(self, decision: Decision) -> None:
        """Annotate a change of level or an act of a person. Grafana would keep a repeat, so it is asked first."""
        if decision.kind not in ("level", "act"):
            return
        once = f"decision:{decision.id}"
        if self._grafana.annotated(once):
            return
        tags = ["sandbox-monitor", f"pilot:{decision.pilot}", f"level:{decision.level.word}", once]
        self._grafana.annotate(sentence(decision), tags, decision.at)
