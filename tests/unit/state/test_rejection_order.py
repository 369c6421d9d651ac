"""The bytes of the rates of rejections do not depend on how topics and firms were interleaved."""

from __future__ import annotations

import itertools

import msgspec

from monitor.model.records import Rejected
from monitor.state.rejection_rate import RejectionRates


def rejected(topic: str) -> Rejected:
    return Rejected(topic=topic, partition=0, offset=1, index=0, field="id", reason="not_json", detail="", received=7)


def test_the_bytes_are_the_same_in_every_order_of_topics_and_firms() -> None:
    """A worker that took over reads topics in another order than one that never stopped."""
    arrivals = [(topic, firm) for topic in ("t-1", "t-2") for firm in ("b", "a", "")]
    found = set()
    for order in itertools.permutations(arrivals):
        rates = RejectionRates()
        for topic, firm in order:
            list(rates.limited(topic, 7, [(firm, rejected(topic))]))
        found.add(msgspec.msgpack.encode(rates.in_order()))
        assert rates.in_order() == rates
    assert len(found) == 1
