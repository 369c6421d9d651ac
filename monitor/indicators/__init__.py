"""The catalogue of indicators: `INDICATORS` maps the `kind` of a charter's indicator to its class.

An indicator turns events into the numbers of a period; detectors score these. Choose by the likelihood of what is to be
kept in range:

- *How often does something happen?* `incident_rate`, `complaint_rate`, `claim_rate`: counts over exposure. They need
  an exposure unit, and may rest a halt.
- *What do users say elsewhere?* `outside_complaint_rate` counts complaints of the users' channel over exposure,
  `outside_gap` their share of all complaints. They may escalate but not halt: anybody may complain.
- *Which share goes wrong?* `false_positive_rate`, `item_share`, `complaint_over_promise`, `claim_over_promise`,
  `late_share`: `k` of `n`. They may rest a halt.
- *How long does it take?* `complaint_handling_time`: resolutions over complaint-hours, open complaints included. It
  rests on an exponential law that real handling times rarely follow, so it may escalate but not halt;
  `complaint_over_promise` measures the same events without that law.
- *How large is it?* `compliance_cost`, `efficiency_gain`: gauges, numbers without a likelihood. They may watch or
  escalate.
- *Is the service alive?* `silence`: the gap since the last event.

To add one, copy the indicator of the same kind and add one line below; `tests/contract/test_indicators.py` finds it.
"""

from __future__ import annotations

from monitor.indicators.base import BadSpec, Factory, Indicator, Slot
from monitor.indicators.claim_over_promise import ClaimOverPromise
from monitor.indicators.claim_rate import ClaimRate
from monitor.indicators.complaint_handling_time import ComplaintHandlingTime
from monitor.indicators.complaint_over_promise import ComplaintOverPromise
from monitor.indicators.complaint_rate import ComplaintRate
from monitor.indicators.compliance_cost import ComplianceCost
from monitor.indicators.efficiency_gain import EfficiencyGain
from monitor.indicators.false_positive_rate import FalsePositiveRate
from monitor.indicators.incident_rate import IncidentRate
from monitor.indicators.item_share import ItemShare
from monitor.indicators.late_share import LateShare
from monitor.indicators.outside_complaint_rate import OutsideComplaintRate
from monitor.indicators.outside_gap import OutsideGap
from monitor.indicators.silence import Silence

INDICATORS: dict[str, Factory] = {
    "claim_over_promise": ClaimOverPromise,
    "claim_rate": ClaimRate,
    "complaint_handling_time": ComplaintHandlingTime,
    "complaint_over_promise": ComplaintOverPromise,
    "complaint_rate": ComplaintRate,
    "compliance_cost": ComplianceCost,
    "efficiency_gain": EfficiencyGain,
    "false_positive_rate": FalsePositiveRate,
    "incident_rate": IncidentRate,
    "item_share": ItemShare,
    "late_share": LateShare,
    "outside_complaint_rate": OutsideComplaintRate,
    "outside_gap": OutsideGap,
    "silence": Silence,
}

__all__ = ["INDICATORS", "BadSpec", "Factory", "Indicator", "Slot"]
