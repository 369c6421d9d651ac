"""The measures of an annual report from which lessons follow: limits, rules, detectors, clauses; see `measures.py`."""

from __future__ import annotations

from monitor.translation import mark

LESSONS: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    "limits.share": (
        mark("Share of the limit that was used, by indicator"),
        mark(
            "events of the year over those that the limit in force allowed for the same exposure; 1 = at the limit. "
            "Interval: confidence sequence by a mixture of likelihood ratios with the declared variance/mean (Robbins "
            "1970; Howard et al. 2021), each side errs with a probability of at most 0.025 at all times together. Late "
            "and incomplete periods count with their events. For a minimum: the limit over the rate. For a gauge the "
            "largest value over the limit, without an interval"
        ),
        ("pilot", "indicator", "segment"),
        "share",
    ),
    "limits.highest": (
        mark("Highest share of the limit, by indicator of the same name"),
        mark("the largest of `limits.share` over pilots and segments, with the interval of that one"),
        ("indicator",),
        "share",
    ),
    "limits.never_approached": (
        mark("Limits that were never approached"),
        mark("of `limits.share`: the whole interval is below one half of the limit (of a gauge: the value)"),
        ("pilot", "indicator", "segment"),
        "share",
    ),
    "limits.always_broken": (
        mark("Limits that were broken all along"),
        mark(
            "of `limits.share`: the whole interval is beyond the limit, and so is the rate of every month with exposure"
        ),
        ("pilot", "indicator", "segment"),
        "share",
    ),
    "indicators.no_data": (
        mark("Indicators without data"),
        mark(
            "indicators of charters in force at the end of the year, of pilots that have evidence, without one "
            "complete period with exposure in the year; the entry is that of the charter"
        ),
        ("pilot", "indicator"),
        "",
    ),
    "rules.never_fired": (
        mark("Hard rules that never fired"),
        mark(
            "hard rules of the charters last in force, by name: those that no decision `hard_rule` of the year names, "
            "of whichever pilot; the value is the number of charters that have the rule"
        ),
        ("rule",),
        "",
    ),
    "detectors.alarms": (
        mark("Alarms by detector, and what became of them"),
        mark(
            "decisions with a finding of a detector: `overridden` where the next thing about it is an officer who "
            "lowers the level, shelves it or accepts the new rate; `cleared` where it went quiet; `released` with a "
            "halt; else `open`"
        ),
        ("indicator", "detector", "result"),
        "",
    ),
    "detectors.all_overridden": (
        mark("Detectors whose alarms were all overridden"),
        mark("of `detectors.alarms`: those with no other result"),
        ("indicator", "detector"),
        "",
    ),
    "clauses": (
        mark("Decisions by legal clause"),
        mark("decisions that cite a clause, by clause and reason"),
        ("clause", "reason"),
        "",
    ),
}
"""Id -> title, definition, dimensions, unit ("" = a number of entries)."""
