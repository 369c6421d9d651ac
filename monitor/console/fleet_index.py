"""The pilots of a board in the order of its lists, and by firm and authority. Pure."""

from __future__ import annotations

from monitor.console.pilot_view import PilotView


class FleetIndex:
    """Made from the views `of` a board at a `version`; it holds until the next one. Lists are worst first: by level,
    then unknown, then the longest at its level; pilots that left come last. Do not change them."""

    def __init__(self, of: dict[str, PilotView], version: int) -> None:
        self.of, self.version = of, version
        self.fleet = sorted(of.values(), key=_place)
        self.by_firm: dict[str, list[PilotView]] = {}
        self.by_authority: dict[str, list[PilotView]] = {}
        for view in self.fleet:
            if view.participant:
                self.by_firm.setdefault(view.participant, []).append(view)
            for name in responsible_for(view):
                self.by_authority.setdefault(name, []).append(view)


def _place(view: PilotView) -> tuple[bool, int, bool, int, str]:
    return view.exited, -view.level, not view.unknown, view.since or 0, view.pilot


def responsible_for(view: PilotView) -> tuple[str, ...]:
    """The authorities of a pilot: those that were computed, else those that its charter names."""
    if view.responsible:
        return view.responsible
    return tuple(one.id for one in view.plan.authorities) if view.plan is not None else ()
