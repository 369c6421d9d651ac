"""The incident ids of a pilot and the grades in which they were reported, so that each incident counts once. Pure.

Several systems, sources and versions of a report name the same incident by its id. Under each indicator an id counts
once, at the first report that the indicator lists; a later report that is graver counts in the indicators of graver
classes. A hard rule acts on an id again only when a report is graver than every report of it on which that rule acted.

Bound: `INCIDENTS` ids of at most 18 bytes each in a snapshot (36 KiB). Ids that counted nowhere and were never reported
as serious or with harm are dropped first, those reported longest ago before others: any number of them displaces
nothing else. From the first other id that is dropped on (`whole` is False) an update of an unknown id is taken to have
counted in the grade that it `was`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeAlias

from msgspec import Struct, structs

from monitor.charter.spec import HardRule
from monitor.compile.plan import CompiledIndicator
from monitor.deadlines.facts import incident_classes
from monitor.model.events import Harm, IncidentReported, IncidentUpdated, Severity
from monitor.model.records import Outputs

INCIDENTS = 2048  # ids remembered per pilot
INCIDENT_INDICATORS = 31  # indicators of one charter that may count incidents; `charter check` refuses more

Incident: TypeAlias = IncidentReported | IncidentUpdated

_SEVERITIES, _HARMS = tuple(Severity), tuple(Harm)
_GRADES = len(_SEVERITIES) * len(_HARMS)
_INJURIES = (Harm.NONE, Harm.MINOR_INJURY, Harm.SERIOUS_INJURY, Harm.DEATH)


class Incidents(Struct, array_like=True, gc=False):
    """The incident ids of one pilot, reported longest ago first: digest of the id -> the grades that were reported (a
    bit for each pair of severity and harm) and, above those, the indicators in which it counted (a bit for each of
    `names`). `slight` has those that counted nowhere and were never serious or harmful, `known` all others. `whole`:
    none of the latter has been dropped, so an id that is not here counted nowhere."""

    names: list[str] = []
    known: dict[int, int] = {}
    whole: bool = False
    slight: dict[int, int] = {}

    def bits(self, name: int) -> int:
        """What is known of the id with this digest; 0 if nothing is."""
        return self.known.get(name) or self.slight.get(name, 0)

    def keep(self, name: int, bits: int) -> bool:
        """Remember an id as the newest. Returns whether another one was dropped for it."""
        known, slight = self.known, self.slight
        known.pop(name, None)
        slight.pop(name, None)
        (known if bits & _LASTING else slight)[name] = bits
        if len(known) + len(slight) <= INCIDENTS:
            return False
        if slight:
            del slight[next(iter(slight))]
        else:
            del known[next(iter(known))]
            self.whole = False
        return True


class IncidentReport:
    """One report of an incident, compared with what is known of its id. `repeated`: the id was reported before."""

    __slots__ = ("_bits", "_event", "_guesses", "_id", "_incidents", "repeated")

    def __init__(self, incidents: Incidents, event: Incident) -> None:
        self._incidents, self._event, self._id = incidents, event, _digest(event.data.incident)
        self._bits = incidents.bits(self._id)
        self.repeated = bool(self._bits)
        self._guesses = not self.repeated and not incidents.whole and isinstance(event, IncidentUpdated)

    def counted(self, indicator: CompiledIndicator) -> bool:
        """Whether the incident has counted under this indicator."""
        return bool(self._bits & self._bit(indicator)) or (self._guesses and self._counted_as_it_was(indicator))

    def count(self, indicator: CompiledIndicator) -> None:
        """Count the incident under this indicator."""
        self._bits |= self._bit(indicator)

    def graver(self, rule: HardRule) -> bool:
        """Whether no earlier report of this incident on which the rule acts was at least as grave."""
        return not self._bits & _at_least(self._event.data.severity, self._event.data.harm) & _listed(rule)

    @property
    def gravest(self) -> bool:
        """Whether no earlier report of this incident was at least as grave."""
        return not self._bits & _at_least(self._event.data.severity, self._event.data.harm)

    def remember(self, out: Outputs) -> None:
        """Store what is known now; count a repeat, and an id that is dropped to make space."""
        data = self._event.data
        if self.repeated:
            out.uncount("incident_repeat")
        if self._incidents.keep(self._id, self._bits | _grade(data.severity, data.harm)):
            out.uncount("incident_forgotten")

    def _bit(self, indicator: CompiledIndicator) -> int:
        return 1 << (_GRADES + min(self._incidents.names.index(indicator.name), INCIDENT_INDICATORS - 1))

    def _counted_as_it_was(self, indicator: CompiledIndicator) -> bool:
        event = self._event
        assert isinstance(event, IncidentUpdated)
        before = structs.replace(event, data=structs.replace(event.data, severity=event.data.was))
        return any(slot.k > 0 for slot in indicator.implementation.slots(before, 0))


def incident_report(incidents: Incidents, indicators: tuple[CompiledIndicator, ...], event: Incident) -> IncidentReport:
    """The report that an event is; `indicators` are the plan's indicators that count incidents once."""
    for indicator in indicators:
        if indicator.name not in incidents.names:
            incidents.names.append(indicator.name)
    return IncidentReport(incidents, event)


def reported(incidents: Incidents, event: Incident) -> bool:
    """Whether this id is known to have been reported in this grade."""
    return bool(incidents.bits(_digest(event.data.incident)) & _grade(event.data.severity, event.data.harm))


def breaks(rule: HardRule, event: Incident) -> bool:
    """Whether an incident is one that the rule lists."""
    return bool(_grade(event.data.severity, event.data.harm) & _listed(rule))


def broken_by(rules: Sequence[HardRule]) -> Callable[[Sequence[Incident]], bool]:
    """Whether any of some incidents is one that any of the rules lists, or a serious one, which starts legal
    deadlines."""
    listed = _serious()
    for rule in rules:
        listed |= _listed(rule)
    return lambda run: any(_grade(event.data.severity, event.data.harm) & listed for event in run)


def _digest(incident: str) -> int:
    return int.from_bytes(blake2b(incident.encode(), digest_size=8).digest(), "big")


@functools.cache
def _serious() -> int:
    """The bits of all grades that are serious incidents."""
    return sum(_grade(s, h) for s in _SEVERITIES for h in _HARMS if incident_classes(s, h))


@functools.cache
def _grade(severity: Severity, harm: Harm) -> int:
    """The bit of a severity and harm."""
    return 1 << (_SEVERITIES.index(severity) * len(_HARMS) + _HARMS.index(harm))


@functools.cache
def _at_least(severity: Severity, harm: Harm) -> int:
    """The bits of all grades that are as grave or graver: of injuries each includes those before it, and every harm
    includes none; other harms are not comparable."""
    severities = _SEVERITIES[_SEVERITIES.index(severity) :]
    harms = _HARMS if harm is Harm.NONE else (harm,)
    if harm in _INJURIES[1:]:
        harms = _INJURIES[_INJURIES.index(harm) :]
    return sum(_grade(s, h) for s in severities for h in harms)


_LASTING = -1 & ~sum(_grade(s, Harm.NONE) for s in _SEVERITIES if s is not Severity.SERIOUS_INCIDENT)


@functools.lru_cache(maxsize=4096)
def _listed(rule: HardRule) -> int:
    """The bits of the grades on which a rule acts."""
    if rule.unregistered_model or rule.boundary is True or not (rule.severity or rule.harm):
        return 0
    return sum(_grade(s, h) for s in rule.severity or _SEVERITIES for h in rule.harm or _HARMS)
