"""Computes the records and the classes of firms again, from a directory of ledgers alone: none of the monitor's code,
standard library only. Written from `monitor/firms/README.md`.

    python -m tests.firm_records LEDGERS

For each `firm_classified` entry it reads every pilot up to the position that the entry names, and compares each number
of the record, and the class that follows from it by the rules in the entry. Prints one line per entry: `same`, or what
differs. Exit codes: 0 all the same, 1 something differs, 2 usage error.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.country.ledgers import Body, Ledgers, read_ledgers

YEAR_MS = 365 * 86_400_000
HALT = 3
PER_YEAR = (
    "halts", "stops_overdue", "contradictions", "conflicts", "clocks_missed", "rectifications_late", "refusals",
)  # fmt: skip
AGAINST = {
    "application_refused": "refusals", "change_refused": "refusals", "request_declined": "refusals",
    "halt_contradicted": "contradictions", "source_conflict": "conflicts",
    "rectification_overdue": "rectifications_late", "finding_overdue": "rectifications_late",
}  # fmt: skip
SAID = {
    "application_submitted": "applications", "released": "halts_released", "guidance_asked": "guidance_asked",
    "guidance_given": "guidance_given", "guidance_followed": "guidance_followed",
}  # fmt: skip
RANKS = ("A", "B", "not_enough_record", "C", "D")
Position = tuple[int, int]  # the number of the last decision, and how many observations


class Story:
    """One pilot, decision by decision: numbers, time in operation, and what counts against the firm by decision."""

    def __init__(self, decisions: Iterable[Body], evidence: list[Body]) -> None:
        self.numbers: Counter[str] = Counter()
        self.against: list[tuple[str, str, str]] = []  # id of the decision, what it counts as, which deadline
        self.spans: list[tuple[int, bool]] = []  # (ms, whether the pilot is in operation from then on)
        self.first: int | None = None
        self.through, self.standing = 0, 0
        self.is_admitted = self.is_ended = self.is_halted = self.is_paused = self.waits = False
        self.stop = self.window = ""
        self.duties: list[str] = []
        for body in decisions:
            self._step(body)
        for end, row in evidence:
            self.through = max(self.through, end)
            late = bool(row.get("late")) or "dropped" in row
            self.numbers["observations_late"] += late
            self.numbers["observations"] += not late and not row.get("unknown")

    def operated(self) -> int:
        """Time in operation (ms)."""
        total, since = 0, None
        for at, runs in [*self.spans, (self.through, False)]:
            if since is not None and not runs:
                total, since = total + max(0, at - since), None
            elif since is None and runs:
                since = at
        return total

    def _step(self, body: Body) -> None:
        reason, at, finding = body["reason"], body["at"], body["finding"]
        self.standing, self.through = body["standing"], max(self.through, at)
        if "clock" in finding:
            self._clock(body["id"], finding["clock"])
        if body["kind"] == "level" and body["level"] == HALT > body["was"]:
            self.is_halted = True
            if reason != "state_lost":
                self.against.append((body["id"], "halts", ""))
                self.stop = "owed"
        if reason == "rectification_overdue" and self.window == "answered":
            self.numbers["rectifications_in_time"] -= 1
        if reason in AGAINST:
            self.against.append((body["id"], AGAINST[reason], ""))
        if reason in SAID:
            self.numbers[SAID[reason]] += 1
        self._life(body, reason, at)
        self._stops(body, reason)
        self._rectifies(reason, finding)
        if reason == "complaint_filed":
            self.numbers["complaints"] += len(finding.get("content", {}).get("complaints", ()))
        unseen = body.get("unknown", "") not in ("", "monitor_gap")
        runs = self.is_admitted and not (self.is_ended or self.is_halted or self.is_paused or self.waits or unseen)
        self.spans.append((at, runs))

    def _life(self, body: Body, reason: str, at: int) -> None:
        if reason == "admitted":
            self.first = at if self.first is None else self.first
            self.waits = "registered" in body.get("states", "").split()
            self.is_admitted = True
        self.waits = self.waits and reason != "cycle_started"
        self.is_paused = (self.is_paused or reason == "pause_granted") and reason != "resumed"
        self.is_ended = (self.is_ended or reason in ("exited", "closed")) and reason != "graduated"
        self.is_halted = self.is_halted and reason not in ("released", "graduated")

    def _stops(self, body: Body, reason: str) -> None:
        if reason in ("released", "graduated"):
            self.stop = ""
        elif reason == "halt_verified" and self.stop == "owed":
            self.numbers["halts_stopped"] += 1
            self.stop = "shown"
        elif reason == "halt_overdue" and self.stop == "owed":
            self.stop = "overdue"
            self.against.append((body["id"], "stops_overdue", ""))

    def _rectifies(self, reason: str, finding: Body) -> None:
        if reason == "limit_tolerated":
            self.window = self.window or "open"
        elif reason == "rectification_overdue":
            self.window = ""
        elif reason == "inspection_finding":
            self.duties.append(finding["rule"])
        elif reason in ("finding_overdue", "cleared"):
            self.duties = [one for one in self.duties if one != finding["rule"]]
        elif reason == "rectification_recorded":
            if self.window == "open":
                self.window = "answered"
                self.numbers["rectifications_in_time"] += 1
            for key in finding.get("content", {}).get("rectified", ()):
                if key in self.duties:
                    self.duties.remove(key)
                    self.numbers["rectifications_in_time"] += 1

    def _clock(self, decision: str, clock: Body) -> None:
        if clock["owed_by"] != "firm":
            return
        which = f"{clock['rule']}|{clock['starts']}|{clock['key']}"
        if clock["change"] == "met":
            self.numbers["clocks_met"] += 1
        elif clock["change"] == "missed":
            self.against.append((decision, "clocks_missed", which))
        elif clock["change"] == "restarted":
            self.against = [one for one in self.against if one[1:] != ("clocks_missed", which)]


def record_of(ledgers: Ledgers, firm: str, through: dict[str, Position] | None = None, subject: int = 1 << 53) -> Body:
    """The record of a firm, through the given position of each pilot, or through all that the ledgers hold."""
    acts = [one for one in ledgers.decisions.get(f"firm:{firm}", ()) if one["standing"] <= subject]
    wrong = {one["finding"]["content"]["decision"] for one in acts if one["reason"] == "decision_annulled"}
    found, stories = Counter[str](), {}
    for pilot, bodies in ledgers.decisions.items():
        mine = [one for one in bodies if one.get("participant") == firm and "reason" in one and "kind" in one]
        last, rows = (through or {}).get(pilot, (0, 0) if through is not None else (1 << 53, 1 << 53))
        mine = sorted((one for one in mine if one["standing"] <= last), key=lambda one: one["standing"])
        observed = [
            (entry["at"], row)
            for entry in ledgers.evidence.get(pilot, ())
            if entry["participant"] == firm
            for row in entry["observations"]
        ][:rows]
        if mine or observed:
            stories[pilot] = Story(mine, observed)
    told = [stories[name] for name in sorted(stories)]
    for one in told:
        found.update(one.numbers)
        found.update(kind for decision, kind, _ in one.against if decision not in wrong)
    counted = {decision for one in told for decision, _, _ in one.against}
    first = [one.first for one in told if one.first is not None]
    return {
        **{name: found[name] for name in (*PER_YEAR, *SAID.values(), "halts_stopped", "clocks_met", "complaints",
                                          "rectifications_in_time", "observations", "observations_late")},
        "first": min(first, default=0), "through": max((one.through for one in told), default=0),
        "pilots": sum(one.is_admitted for one in told),
        "open": sum(one.is_admitted and not one.is_ended for one in told),
        "operated_ms": sum(one.operated() for one in told),
        "halts_standing": sum(one.is_halted and not one.is_ended for one in told),
        "rectifications_open": sum((one.window == "open") + len(one.duties) for one in told),
        "annulled": len(wrong & counted),
        "subject": max((one["standing"] for one in acts), default=0),
    }  # fmt: skip


def poisson_at_most(k: int, mean: float) -> float:
    """P(X <= k)."""
    if mean <= 0:
        return 1.0
    return min(1.0, math.fsum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(k + 1)))


def binomial_at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) of n trials."""
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    base, odds = math.lgamma(n + 1), (math.log(p), math.log1p(-p))
    return min(1.0, math.fsum(
        math.exp(base - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * odds[0] + (n - i) * odds[1])
        for i in range(k + 1)
    ))  # fmt: skip


def class_of(record: Body, rules: Body) -> str:
    """The class of a record. `rules` are the numbers of an entry: `confidence`, `enough.pilots`, `enough.years`, and
    `MEASURE.A`, `.B` and `.C`. A value is shown to be at most a limit if so few events would be improbable at it, and
    above if so many would be."""
    measures = sorted({name.rpartition(".")[0] for name in rules if name[-2:] in (".A", ".B", ".C")})
    few = (1 - rules["confidence"]) / 2
    many = few / len(measures)
    years, least = record["operated_ms"] / YEAR_MS, rules["enough.years"]
    worst = "A"
    for measure in measures:
        limits = [rules[f"{measure}.{name}"] for name in "ABC"]
        if measure == "late_share":
            k = record["observations_late"]
            n = k + record["observations"]
            below = [n > 0 and binomial_at_most(k, n, limit) <= few for limit in limits]
            above = [n > 0 and k > 0 and 1 - binomial_at_most(k - 1, n, limit) < many for limit in limits]
        else:
            k = record[measure]
            below = [years > 0 and poisson_at_most(k, limit * years) <= few for limit in limits]
            above = [k > 0 and 1 - poisson_at_most(k - 1, limit * max(years, least)) < many for limit in limits]
        gives = "A" if below[0] else "B" if below[1] else "D" if above[2] else "C" if above[1] else "not_enough_record"
        worst = max(worst, gives, key=RANKS.index)
    if record["pilots"] < rules["enough.pilots"] or record.get("truncated") == "yes":
        worst = max(worst, "not_enough_record", key=RANKS.index)
    return worst


def check(ledgers: Ledgers, entry: Body) -> list[str]:
    """What differs in a `firm_classified` entry from what the ledgers give, in words."""
    content = entry["finding"]["content"]
    said = {name.removeprefix("record/"): value for name, value in content.items() if name.startswith("record/")}
    rules = {name.removeprefix("rules/"): value for name, value in content.items() if name.startswith("rules/")}
    through: dict[str, Position] = {}
    for text in said.pop("positions", ()):
        rest, _, rows = text.rpartition("+")
        pilot, _, standing = rest.rpartition("@")
        through[pilot] = int(standing), int(rows)
    firm = entry["pilot"].removeprefix("firm:")
    found = record_of(ledgers, firm, through, entry["standing"] - 1)
    found |= {"firm": firm, "truncated": said["truncated"]}
    wrong = [f"{name}: {said.get(name)} said, {one} found" for name, one in found.items() if said.get(name) != one]
    wrong += [f"{name}: not computed here" for name in said if name not in found]
    if (gives := class_of(found, rules)) != content["class"]:
        wrong.append(f"class {content['class']} said, {gives} follows")
    return wrong


def classified(ledgers: Ledgers) -> list[Body]:
    """Every `firm_classified` entry."""
    return [one for name in sorted(ledgers.decisions) if name.startswith("firm:") for one in ledgers.decisions[name]
            if one["reason"] == "firm_classified"]  # fmt: skip


def main(arguments: list[str]) -> int:
    """The command."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    ledgers, bad = read_ledgers(Path(arguments[0])), 0
    for entry in classified(ledgers):
        wrong = check(ledgers, entry)
        bad += bool(wrong)
        label = f"{entry['pilot']} entry {entry['standing']} class {entry['finding']['content']['class']}"
        print(f"{label}: {'; '.join(wrong) or 'same'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
