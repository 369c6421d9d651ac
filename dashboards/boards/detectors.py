"""Quality of the detectors: how many alarms a person sees per pilot and year against what was declared, and how much of
the alpha of pilots is used."""

from __future__ import annotations

from .table import SCOPES, SELECTED, Board, M, Panel, Query, Row, Step, marks

RANGE = "over the time range of the dashboard"
YEAR_S = 31_557_600  # of 365.25 days
PILOTS = f'sum({M}pilots_in_state{{state=~"running|paused|exiting|tracked"}})'
YEARS = f"scalar(avg_over_time({PILOTS}[$__range:1h]) * $__range_s / {YEAR_S})"
SEEN = 'level=~"escalate|halt"'
ALPHA: tuple[Step, ...] = ((0.7, "orange"), (0.9, "red"))

ALARMS = Row(
    "Alarms per pilot-year (all pilots)",
    (
        Panel(
            "How many alarms per pilot-year does a person see?",
            f"Alarms of detectors {RANGE}, divided by the time that pilots ran, in years. Escalate and halt reach a "
            "person; watch is shown only; unknown is the flag for silence. True alarms are included, so this may "
            "exceed the declared rate of false ones.",
            "stat",
            (Query(f"sum by (level) (increase({M}alarms_total[$__range])) / {YEARS}", "{{level}}"),),
            height=5, first="blue", decimals=2, page="fleet",
        ),
        Panel(
            "How many false alarms per pilot-year are declared?",
            "What the charters in force declare for pilots that keep their limits: from `arl0` (mean periods to a "
            "false alarm) and `false_per_year`. Detectors that spend alpha declare a probability over the whole stay "
            "instead, see below; some detectors declare nothing.",
            "stat",
            (Query(f"sum by (level) ({M}declared_alarms_per_year) / scalar({PILOTS})", "{{level}}"),),
            height=5, first="blue", decimals=2, page="fleet",
        ),
        Panel(
            "Which detectors alarm more often than declared?",
            f"Alarms per pilot-year {RANGE} divided by the declared rate of false ones, by detector and level. Above "
            "100 % either pilots change, or the detector is noisier than it declares.",
            "gauges",
            (
                Query(
                    f"(sum by (detector, level) (increase({M}alarms_total[$__range])) / {YEARS})"
                    f" / (sum by (detector, level) ({M}declared_alarms_per_year) / scalar({PILOTS}))",
                    "{{detector}} ({{level}})",
                ),
            ),
            unit="percentunit", steps=((1.0, "orange"), (3.0, "red")), page="fleet",
        ),
        Panel(
            "How many alarms did each detector raise?",
            f"Alarms {RANGE}, by detector and the level that each asked for.",
            "gauges",
            (
                Query(
                    f"sum by (detector, level) (increase({M}alarms_total[$__range])) > 0",
                    "{{detector}} ({{level}})",
                ),
            ),
            unit="none", first="blue", decimals=0, page="fleet",
        ),
        Panel(
            "When do detectors alarm?",
            "Alarms per interval, by detector.",
            "lines",
            (Query(f"sum by (detector) (increase({M}alarms_total[$__rate_interval])) > 0", "{{detector}}"),),
            unit="none", page="fleet",
        ),
        Panel(
            "How many pilot-years were observed?",
            f"Time that pilots ran {RANGE}, in years: what the rates above are divided by. With few pilot-years a "
            "rate says little.",
            "stat",
            (Query(f"avg_over_time({PILOTS}[$__range:1h]) * $__range_s / {YEAR_S}", "pilot-years"),),
            unit="none", first="blue", decimals=2, page="fleet",
        ),
    ),
)  # fmt: skip

BUDGET = Row(
    "False halts and alpha",
    (
        Panel(
            "How many false halts by statistics do the charters allow?",
            "Sum of alpha over selected pilots: the largest expected number of pilots that are ever halted by "
            "statistics although they keep all their limits, however often the data is looked at.",
            "stat",
            (
                Query(f"sum(max by (pilot) ({M}pilot_alpha){SELECTED})", "allowed at most"),
                Query(f"sum(max by (pilot) ({M}pilot_alpha_used){SELECTED})", "used"),
            ),
            unit="none", width=8, height=8, first="blue", decimals=3, page="fleet",
        ),
        Panel(
            "How many halts by statistics were there?",
            f"Halts because a limit was exceeded {RANGE}, true and false ones, all pilots.",
            "stat",
            (Query(f'sum(increase({M}halts_total{{reason="limit_exceeded"}}[$__range]))', "limit exceeded"),),
            unit="none", width=8, height=8, first="blue", decimals=0, page="halts", alerts=("SandboxLimitExceeded",),
        ),
        Panel(
            "Which pilots have used most of their alpha?",
            "The ten selected pilots with the largest part used. After each release a new run with a smaller share "
            "begins; with all runs together at most 100 % is spent.",
            "gauges",
            (
                Query(
                    f"topk(10, (max by (pilot) ({M}pilot_alpha_used / {M}pilot_alpha)){SELECTED})",
                    "{{pilot}}",
                ),
            ),
            unit="percentunit", width=8, steps=ALPHA, page="fleet",
        ),
        Panel(
            "Of which pilots may the thresholds spend most of alpha?",
            "The ten selected pilots with the largest part that all thresholds so far may spend. 61 % is usual in the "
            "first run (6 / pi squared); more means that earlier runs are over.",
            "gauges",
            (
                Query(
                    f"topk(10, (max by (pilot) ({M}pilot_alpha_may_spend / {M}pilot_alpha)){SELECTED})",
                    "{{pilot}}",
                ),
            ),
            unit="percentunit", steps=ALPHA, page="fleet",
        ),
        Panel(
            "What weakens the guarantees?",
            "Decisions per interval about data on which the guarantees depend: counts that vary more than the charter "
            "grants, baselines that cannot be used, gaps, late telemetry, and what counts nowhere.",
            "lines",
            (
                Query(
                    f'sum by (reason) (increase({M}decisions_total{{reason=~"dispersion_exceeded|baseline_unusable|'
                    'sequence_gap|late_share|late_dropped|partial_data|source_conflict|counted_nowhere|corrected|'
                    'telemetry_lost|monitor_gap"}[$__rate_interval])) > 0',
                    "{{reason}}",
                ),
            ),
            unit="none", page="ledger",
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "sandbox-detectors",
    "detectors",
    "Sandbox: quality of the detectors",
    "For authorities: whether detectors alarm as rarely as declared, and how much of the allowed false halts is used.",
    (ALARMS, BUDGET),
    SCOPES,
    marks(),
    since="now-90d",
)
