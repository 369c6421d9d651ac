"""Lints the spans of time of a charter: responses, drills, exit, assessment. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from monitor.charter import time_zones
from monitor.charter.spec import Charter, Responses
from monitor.compile.problem import LONGEST_SPAN_MS, Problem, error, length_of, warning

SESSION_MS = 10_000  # until Kafka notices that a worker has died
RECOVERY_MS = 10_000  # until the next worker has recovered


def span_problems(charter: Charter) -> Iterator[Problem]:
    fields = {
        "responses.unknown_escalates_after": charter.responses.unknown_escalates_after,
        "responses.acknowledge_within": charter.responses.acknowledge_within,
        "responses.lease": charter.responses.lease,
        "responses.shelve_at_most": charter.responses.shelve_at_most,
        "responses.rectify_within": charter.responses.rectify_within,
        "exit.quiet_for": charter.exit.quiet_for,
    }
    if charter.exit.tracked_for is not UNSET:
        fields["exit.tracked_for"] = charter.exit.tracked_for
    if charter.assessment is not UNSET:
        fields |= {"assessment.every": charter.assessment.every, "assessment.within": charter.assessment.within}
    if charter.drills.every is not None:
        fields["drills.every"] = charter.drills.every
    for field, text in fields.items():
        length = length_of(text)
        if length is None:
            yield error(field, f"{text!r} is no span", "write a span such as 1h")
        elif length > LONGEST_SPAN_MS:
            yield error(field, f"{text} is longer than ten years", "write a shorter span")
    if length_of(charter.responses.rectify_within) == 0:
        yield error(
            "responses.rectify_within", "a tolerated crossing would halt at once", "write a span above 0, such as 30d"
        )
    every = length_of(charter.drills.every)
    if every is not None and every < 2 * (length_of(charter.responses.acknowledge_within) or 0) + 1:
        yield error(
            "drills.every",
            f"a drill every {charter.drills.every} would begin before the previous one ends",
            "write more than twice responses.acknowledge_within",
        )
    if charter.drills.zone and charter.drills.zone not in time_zones.names():
        yield error(
            "drills.zone", f"there is no time zone {charter.drills.zone!r}", time_zones.near(charter.drills.zone)
        )
    for index, window in enumerate(charter.drills.full_stops):
        if window.end <= window.start:
            yield error(
                f"drills.full_stops[{index}].end",
                "the window would end before it starts",
                "write a later time; a window over midnight is two",
            )
    if charter.responses.tolerate_first and charter.tier not in ("minimal", "limited"):
        yield error(
            "responses.tolerate_first",
            f"the first crossing of a limit is never tolerated in tier {charter.tier}",
            "remove it; only minimal and limited may have it",
        )
    if charter.responses.rectify_within != Responses().rectify_within and not charter.responses.tolerate_first:
        yield warning(
            "responses.rectify_within",
            "no crossing is tolerated, so there is nothing to rectify",
            "add tolerate_first: true, or remove it",
        )
    least = 2 * (SESSION_MS + RECOVERY_MS)
    lease = length_of(charter.responses.lease)
    if lease is not None and lease < least:
        yield warning(
            "responses.lease",
            f"{charter.responses.lease} is so short that the crash of one worker may stop the service",
            f"write {least // 1000}s or more: twice the session time-out plus recovery",
        )
