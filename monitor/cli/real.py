"""`sandbox-monitor real`: replays the three shipped data sets and prints what was found."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from math import exp
from pathlib import Path

import click
from msgspec import Struct, structs
from rich.console import Console
from rich.progress import Progress

import monitor
from monitor.cli.terminal import echo
from monitor.compile.load import load_charter
from monitor.console.report import Story, collect_stories, level_change, reason_sentence, report
from monitor.console.svg.picture import picture
from monitor.engine.replay import replay_charters, timed_records, write_lines
from monitor.errors import SetAside
from monitor.importers import Row, Timed, ads, complaints, fpr, rows
from monitor.importers.complaint_facts import facts
from monitor.model.records import Decision, Level, Reason
from monitor.projections.formats import day

HERE = Path(monitor.__file__).resolve().parents[1] / "tests" / "data"


class Case(Struct, frozen=True):
    """One replay: a charter file, the events, and how to print it. `segments` get a line each instead of the pilot."""

    group: str  # ads, fpr, complaints
    name: str  # of the pilot in the printed lines
    variant: str
    charter: Path
    events: list[Timed]
    title: str
    note: str
    segments: tuple[str, ...] = ()
    complaints: tuple[Row, ...] = ()  # for the facts next to an alarm

    @property
    def slug(self) -> str:
        """A file name."""
        return "-".join(part for part in (self.group, self.name, re.sub(r"[^\w.]+", "-", self.variant)) if part)


class Verdict(Struct, frozen=True):
    """The content of a `REAL` line. Days: when the decision could be made. Figures: e-values."""

    watch: str
    escalate: str
    halt: str
    highest: str
    bar: str

    def line(self, group: str, name: str, variant: str) -> str:
        """The line itself."""
        return (
            f"REAL {group} {name} {variant} watch={self.watch} escalate={self.escalate} halt={self.halt} "
            f"max={self.highest} bar={self.bar}"
        )


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=HERE,
    show_default="tests/data next to the package",
    help="Folder of the data sets and their charters.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("build/real"), show_default=True,
              help="Folder for pages and pictures.")  # fmt: skip
@click.option(
    "--export",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead write charters and events to this folder, ready for `replay`.",
)
@click.option("--no-progress", is_flag=True, help="No progress bar on stderr.")
def real(data: Path, out: Path, export: Path | None, no_progress: bool) -> None:
    """Replay crash reports of driverless cars, a risk score and city complaints, under the charters that ship with
    them.

    Prints each decision and, at the end, one line per pilot and variant of its data. Writes a page per data set and a
    picture per replay to --out. Nothing is tuned to the data: the charters state everything.

    \b
    Exit codes:
      0  replayed
      1  a file is missing or invalid
      2  usage error
    """
    try:
        every = cases(data)
    except (OSError, KeyError, ValueError) as error:
        raise SetAside(str(data), "unusable_data", str(error)) from error
    if export is not None:
        _export(every, export)
        return
    out.mkdir(parents=True, exist_ok=True)
    told_lines: list[str] = []
    stories: dict[str, list[Story]] = {}
    with Progress(
        console=Console(stderr=True), disable=no_progress or not sys.stderr.isatty(), transient=True
    ) as progress:
        task = progress.add_task("replay", total=sum(len(case.events) for case in every))
        for case in every:
            story, text, verdicts = play(case)
            progress.advance(task, len(case.events))
            echo("\n".join(text))
            told_lines += verdicts
            stories.setdefault(case.group, []).append(story)
            svg = picture(story.title, story.evidence, story.decisions, story.charter)
            (out / f"{case.slug}.svg").write_text(svg, encoding="utf-8")
    for group, found in stories.items():
        page = report(_TITLES[group][0], found, (), _TITLES[group][1])
        (out / f"{group}.html").write_text(page, encoding="utf-8")
        echo(f"page: {out / f'{group}.html'}", err=True)
    echo("\n".join(told_lines))


def cases(data: Path) -> list[Case]:
    """Everything there is to replay under `data`. Raises OSError when a file is missing, ValueError or KeyError when
    one is broken."""
    charters = data / "charters"
    incidents, exposure = rows(data / "ads" / "incidents.csv"), rows(data / "ads" / "exposure.csv")
    filed = rows(data / "complaints" / "complaints.csv")
    found = [
        Case(
            "ads",
            operator,
            f"exposure={variant}",
            charters / f"ads-{operator}.yaml",
            ads.events(operator, incidents, exposure, variant),
            f"{ads.OPERATORS[operator]}, exposure {variant}",
            _READINGS[operator, variant],
        )
        for operator in ads.OPERATORS
        for variant in ads.VARIANTS
    ]
    found.append(
        Case(
            "fpr",
            fpr.PILOT,
            "limit=0.30",
            charters / "fpr-risk-score.yaml",
            fpr.events(rows(data / "fpr" / "outcomes.csv")),
            "Risk score, false-positive rate by group",
            "One limit for every group. The pilot is halted once, by the first group whose evidence reaches the "
            "threshold.",
            fpr.SEGMENTS,
        )
    )
    for agency in complaints.agencies(filed):
        pilot = complaints.pilot_of(agency)
        found.append(
            Case(
                "complaints",
                pilot,
                "promise=30d",
                charters / f"complaints-{pilot}.yaml",
                complaints.events(agency, filed),
                f"Complaints handled by {agency}",
                "No incident is known: every alarm counts as false unless the numbers explain it.",
                complaints=tuple(filed),
            )
        )
    return found


# No command of a replay reaches the recorded service, so it could not obey.
UNHEARD = (Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED)


def play(case: Case) -> tuple[Story, list[str], list[str]]:
    """Replay one case: its story, its decisions as text, and its `REAL` lines."""
    charter = load_charter(case.charter)
    stories, rejected = collect_stories([charter], replay_charters([charter], timed_records(case.events)))
    story = stories[charter.pilot]
    told_to_stop = [d for d in story.decisions if d.reason not in UNHEARD]
    story = structs.replace(story, title=case.title, note=case.note, decisions=told_to_stop)
    text = [
        f"\n{case.title} ({len(case.events):,} events, {len(story.evidence):,} closed periods, "
        f"{sum(r.count for r in rejected):,} rejected)"
    ]
    for d in story.decisions:
        text.append(f"  {day(d.at)}  {level_change(d)}: {reason_sentence(d, charter)}")
        if case.complaints and is_alarm(d):
            words = facts(case.name.upper(), case.complaints, d.finding.indicator, d.at)
            text.append(f"              in the data: {words}")
            story.remarks[d.id] = f"In the data: {words}"
    if case.complaints:
        text.append("  " + _alarm_count([d for d in story.decisions if is_alarm(d)]))
    parts: Sequence[str | None] = case.segments or (None,)
    verdicts = [verdict(story, s).line(case.group, s or case.name, case.variant) for s in parts]
    return story, text, verdicts


def is_alarm(d: Decision) -> bool:
    """Whether a decision is an alarm of a detector: a finding that joined, at any level."""
    return d.kind in ("level", "finding") and d.reason in _ALARMS and bool(d.finding.indicator)


def verdict(story: Story, segment: str | None = None) -> Verdict:
    """First day of each level (by decisions of `segment`, if given) and the evidence of the limit closest to its
    threshold."""
    decisions = [d for d in story.decisions if segment is None or d.finding.segment == segment]
    evidence = [e for e in story.evidence if segment is None or e.segment == segment]
    scores = [e.scores["limit_e_process"] for e in evidence if "limit_e_process" in e.scores]
    statistic, bar = max(scores, key=lambda s: s[0] - s[1], default=(None, None))
    watch = _first(decisions, Level.WATCH)
    return Verdict(
        watch=day(watch.at) if watch else "-",
        escalate=_day_and_reason(_first(decisions, Level.ESCALATE)),
        halt=_day_and_reason(_first(decisions, Level.HALT)),
        highest=_e_value(statistic),
        bar=_e_value(bar),
    )


_ALARMS = frozenset({Reason.LIMIT_EXCEEDED, Reason.LIMIT_HALF_WAY, Reason.CHANGE_DETECTED, Reason.DRIFT_SUSPECTED})

_READINGS = {
    (
        "cruise",
        "reconstructed",
    ): "Monthly miles were never published. This reading draws straight lines between the published "
    "totals, which gives August 2023 only 0.45 million miles.",
    (
        "cruise",
        "pace",
    ): "Monthly miles were never published. In this reading the last pace published before August 2023 goes "
    "on, which gives August 2023 1.11 million miles.",
    ("waymo", "reconstructed"): "Straight lines between the published totals. The reports of May 2025 are incomplete.",
    ("waymo", "pace"): "The same as reconstructed: no pace was published that departs from the totals.",
}

_TITLES = {
    "ads": (
        "Driverless cars: crash reports per mile",
        "One charter for two operators: at most 20 reported crashes per million driverless miles. A report counts "
        "from the last "
        "day of the month in which it was filed. California suspended Cruise's permits on 24 October 2023; Waymo was "
        "not suspended.",
    ),
    "fpr": (
        "A risk score: false positives by group",
        "Weekly outcomes of a deployed risk score; at most 30 % in every group.",
    ),
    "complaints": (
        "Complaints to a city hotline",
        "Four agencies, ten weeks, no known incident: a test of false alarms.",
    ),
}


def _first(decisions: Iterable[Decision], level: Level) -> Decision | None:
    return next((d for d in decisions if d.kind == "level" and d.level is level and d.was < level), None)


def _day_and_reason(d: Decision | None) -> str:
    return f"{day(d.at)}:{d.reason.value}" if d else "-"


def _e_value(ln_e: float | None) -> str:
    """Four significant figures, for machines; an e-value too large for a float is written as a power of ten."""
    if ln_e is None:
        return "-"

    return f"{exp(ln_e):.4g}" if ln_e < 700 else f"1e{ln_e / 2.302585092994046:.0f}"


def _alarm_count(alarms: Sequence[Decision]) -> str:
    if not alarms:
        return "no alarm"
    return f"{len(alarms)} alarm{'s' if len(alarms) != 1 else ''}; no incident is known, so none is confirmed"


def _export(every: Iterable[Case], target: Path) -> None:
    """Write each case as a charter file and a file of JSON lines, in a separate folder."""
    for case in every:
        folder = target / case.slug
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "charter.yaml").write_bytes(case.charter.read_bytes())
        with (folder / "events.jsonl").open("wb") as file:
            file.writelines(write_lines(case.events))
        echo(f"sandbox-monitor replay {folder}/charter.yaml {folder}/events.jsonl")
