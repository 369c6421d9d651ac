"""Builders for every type of telemetry event, numbered per source, with ids that depend on nothing but source and
number.

Pure: a time is an argument, either milliseconds since 1970 or a datetime with an offset. The same calls give the same
bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.model.events import (
    AcknowledgedData,
    BoundaryBreached,
    BoundaryData,
    ClaimClosed,
    ClaimClosedData,
    ClaimFiled,
    ClaimFiledData,
    CommandAcknowledged,
    ComplaintClosedData,
    ComplaintFiled,
    ComplaintFiledData,
    ComplaintResolved,
    ComplaintWithdrawn,
    CostData,
    CostReported,
    Envelope,
    Event,
    ExposureCorrected,
    ExposureCorrectedData,
    ExposureData,
    ExposureTallied,
    GainData,
    GainReported,
    Harm,
    Heartbeat,
    HeartbeatData,
    IncidentData,
    IncidentReported,
    IncidentUpdated,
    IncidentUpdatedData,
    ItemsData,
    ItemsTallied,
    ModelChanged,
    ModelData,
    OutcomesCorrected,
    OutcomesCorrectedData,
    OutcomesData,
    OutcomesTallied,
    Severity,
)
from monitor.model.records import digest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = "application/cloudevents-batch+json"


def as_instant(at: int | datetime) -> datetime:
    """A time as CloudEvents requires it: milliseconds since 1970 become a UTC datetime, exactly; a datetime stays as it
    is.

    >>> as_instant(1698105600001).isoformat()
    '2023-10-24T00:00:00.001000+00:00'
    """
    return at if isinstance(at, datetime) else EPOCH + timedelta(milliseconds=at)


def packed(events: Iterable[Envelope]) -> bytes:
    """Events as one CloudEvents JSON batch, the body of a packed record (`content-type:
    application/cloudevents-batch+json`)."""
    return msgspec.json.encode(list(events))


class Emitter:
    """One emitter incarnation of one pilot: its events are numbered 1, 2, 3 ... and carry the model now serving.

    >>> service = Emitter("sim/1", "pilot-1", model="m1")
    >>> [service.complaint(1000 * n).sequence for n in (1, 2)]
    ['000000000001', '000000000002']
    """

    packed = staticmethod(packed)

    def __init__(self, source: str, pilot: str, model: str = "m1", first: int = 1) -> None:
        self.source = source
        self.pilot = pilot
        self.model = model
        self.next = first
        self.counter = 0.0  # running exposure, as heartbeats state it

    def skip(self, count: int = 1) -> None:
        """Use up `count` sequence numbers without an event: the gap a lost event leaves."""
        self.next += count

    def _stamp(self, at: int | datetime) -> dict[str, Any]:
        sequence = f"{self.next:012d}"
        self.next += 1
        id_ = digest(self.source, sequence)
        return {
            "specversion": "1.0",
            "id": id_,
            "source": self.source,
            "subject": self.pilot,
            "time": as_instant(at),
            "sequence": sequence,
        }

    def complaint(
        self,
        at: int | datetime,
        complaint: str = "",
        segment: str = "",
        category: str = "",
        about: int | datetime | None = None,
    ) -> ComplaintFiled:
        """A complaint filed at `at`, `about` something then; its pseudonymous id defaults to the event's own."""
        stamp = self._stamp(at)
        data = ComplaintFiledData(
            model=self.model,
            complaint=complaint or stamp["id"],
            segment=segment,
            category=category,
            about=None if about is None else as_instant(about),
        )
        return ComplaintFiled(**stamp, data=data)

    def complaint_resolved(
        self, at: int | datetime, complaint: str, filed: int | datetime, segment: str = ""
    ) -> ComplaintResolved:
        """The complaint that was `filed` then is resolved at `at`."""
        stamp = self._stamp(at)
        data = ComplaintClosedData(model=self.model, complaint=complaint, filed=as_instant(filed), segment=segment)
        return ComplaintResolved(**stamp, data=data)

    def complaint_withdrawn(
        self, at: int | datetime, complaint: str, filed: int | datetime, segment: str = ""
    ) -> ComplaintWithdrawn:
        """The complaint that was `filed` then is withdrawn at `at`."""
        stamp = self._stamp(at)
        data = ComplaintClosedData(model=self.model, complaint=complaint, filed=as_instant(filed), segment=segment)
        return ComplaintWithdrawn(**stamp, data=data)

    def incident(
        self,
        at: int | datetime,
        severity: Severity = Severity.INCIDENT,
        harm: Harm = Harm.NONE,
        incident: str = "",
        segment: str = "",
    ) -> IncidentReported:
        """An occurrence at `at`; its pseudonymous id defaults to the event's own."""
        stamp = self._stamp(at)
        data = IncidentData(
            model=self.model, incident=incident or stamp["id"], severity=severity, harm=harm, segment=segment
        )
        return IncidentReported(**stamp, data=data)

    def incident_update(
        self,
        at: int | datetime,
        incident: str,
        was: Severity = Severity.INCIDENT,
        severity: Severity = Severity.SERIOUS_INCIDENT,
        harm: Harm = Harm.SERIOUS_INJURY,
        segment: str = "",
    ) -> IncidentUpdated:
        """The incident that occurred at `at` is regraded from `was` to `severity`."""
        stamp = self._stamp(at)
        data = IncidentUpdatedData(
            model=self.model, incident=incident, severity=severity, harm=harm, segment=segment, was=was
        )
        return IncidentUpdated(**stamp, data=data)

    def outcomes(
        self, at: int | datetime, tp: int = 40, fp: int = 5, tn: int = 50, fn: int = 5, segment: str = ""
    ) -> OutcomesTallied:
        """Confusion counts of decisions around `at`."""
        stamp = self._stamp(at)
        return OutcomesTallied(
            **stamp, data=OutcomesData(model=self.model, tp=tp, fp=fp, tn=tn, fn=fn, segment=segment)
        )

    def exposure(
        self, at: int | datetime, amount: float = 1000.0, unit: str = "decisions", segment: str = ""
    ) -> ExposureTallied:
        """`amount` of exposure around `at`; it also raises the running counter that heartbeats state."""
        stamp = self._stamp(at)
        self.counter += amount
        return ExposureTallied(**stamp, data=ExposureData(model=self.model, unit=unit, amount=amount, segment=segment))

    def exposure_corrected(
        self, at: int | datetime, amount: float = -10.0, unit: str = "decisions", segment: str = ""
    ) -> ExposureCorrected:
        """`amount` (below 0) of exposure around `at` was tallied too much; the running counter stays."""
        stamp = self._stamp(at)
        data = ExposureCorrectedData(model=self.model, unit=unit, amount=amount, segment=segment)
        return ExposureCorrected(**stamp, data=data)

    def outcomes_corrected(
        self, at: int | datetime, tp: int = 0, fp: int = 0, tn: int = 0, fn: int = 0, segment: str = ""
    ) -> OutcomesCorrected:
        """Confusion counts (0 or below) around `at` were tallied too much, and are taken back."""
        stamp = self._stamp(at)
        data = OutcomesCorrectedData(model=self.model, tp=tp, fp=fp, tn=tn, fn=fn, segment=segment)
        return OutcomesCorrected(**stamp, data=data)

    def cost(self, at: int | datetime, amount: float = 1000.0, currency: str = "EUR") -> CostReported:
        """Cost of compliance booked at `at`."""
        stamp = self._stamp(at)
        return CostReported(**stamp, data=CostData(model=self.model, amount=amount, currency=currency))

    def gain(self, at: int | datetime, share: float = 0.1) -> GainReported:
        """Efficiency gained, as a share of the effort without the pilot."""
        stamp = self._stamp(at)
        return GainReported(**stamp, data=GainData(model=self.model, share=share))

    def model_changed(self, at: int | datetime, model: str = "m2") -> ModelChanged:
        """From `at` on `model` serves; later events carry it."""
        stamp = self._stamp(at)
        was, self.model = self.model, model
        return ModelChanged(**stamp, data=ModelData(model=model, was=was))

    def boundary_breached(self, at: int | datetime, boundary: str = "b", segment: str = "") -> BoundaryBreached:
        """A boundary of the charter's data was crossed at `at`."""
        stamp = self._stamp(at)
        return BoundaryBreached(**stamp, data=BoundaryData(model=self.model, boundary=boundary, segment=segment))

    def items(
        self, at: int | datetime, marked: int = 5, unmarked: int = 95, measure: str = "labelled", segment: str = ""
    ) -> ItemsTallied:
        """Items made around `at`, by whether they have the property that `measure` names."""
        stamp = self._stamp(at)
        data = ItemsData(model=self.model, measure=measure, marked=marked, unmarked=unmarked, segment=segment)
        return ItemsTallied(**stamp, data=data)

    def claim(self, at: int | datetime, claim: str = "", kind: str = "takedown", segment: str = "") -> ClaimFiled:
        """A claim filed at `at`; its pseudonymous id defaults to the event's."""
        stamp = self._stamp(at)
        data = ClaimFiledData(model=self.model, claim=claim or stamp["id"], kind=kind, segment=segment)
        return ClaimFiled(**stamp, data=data)

    def claim_closed(
        self,
        at: int | datetime,
        claim: str,
        filed: int | datetime,
        kind: str = "takedown",
        segment: str = "",
        withdrawn: bool = False,
    ) -> ClaimClosed:
        """The claim that was `filed` then is answered, or `withdrawn`, at `at`."""
        stamp = self._stamp(at)
        data = ClaimClosedData(
            model=self.model, claim=claim, kind=kind, filed=as_instant(filed), segment=segment, withdrawn=withdrawn
        )
        return ClaimClosed(**stamp, data=data)

    def heartbeat(
        self, at: int | datetime, serving: bool = True, exposure: float | None = None, nonce: str = ""
    ) -> Heartbeat:
        """The service is alive at `at`; states the running exposure counter and a nonce unless other ones are given."""
        stamp = self._stamp(at)
        return Heartbeat(
            **stamp,
            data=HeartbeatData(
                model=self.model,
                nonce=nonce or stamp["id"],
                serving=serving,
                exposure=self.counter if exposure is None else exposure,
            ),
        )

    def acknowledged(
        self, at: int | datetime, command: str = "c1", standing: int = 1, last_decision: str = ""
    ) -> CommandAcknowledged:
        """The service has read `command`."""
        stamp = self._stamp(at)
        return CommandAcknowledged(
            **stamp,
            data=AcknowledgedData(model=self.model, command=command, standing=standing, last_decision=last_decision),
        )


def one_of_each(emitter: Emitter, at: int) -> Iterator[Event]:
    """One event of every type, `at` (ms) and the milliseconds after it, in an order that makes sense."""
    yield emitter.heartbeat(at)
    yield emitter.exposure(at + 1)
    yield emitter.outcomes(at + 2)
    yield emitter.complaint(at + 3, complaint="c-1")
    yield emitter.complaint(at + 4, complaint="c-2")
    yield emitter.complaint_resolved(at + 5, "c-1", filed=at + 3)
    yield emitter.complaint_withdrawn(at + 6, "c-2", filed=at + 4)
    yield emitter.incident(at + 7, incident="i-1")
    yield emitter.incident_update(at + 7, incident="i-1")
    yield emitter.cost(at + 8)
    yield emitter.gain(at + 9)
    yield emitter.model_changed(at + 10)
    yield emitter.acknowledged(at + 11)
    yield emitter.boundary_breached(at + 12)
    yield emitter.exposure_corrected(at + 1)
    yield emitter.outcomes_corrected(at + 2, tp=-1)
    yield emitter.items(at + 13)
    yield emitter.claim(at + 14, claim="r-1")
    yield emitter.claim_closed(at + 15, "r-1", filed=at + 14)
