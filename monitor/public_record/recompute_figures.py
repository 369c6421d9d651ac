"""The figures of an annual report from the bodies of ledger entries: the part of `recompute_annual.py` that counts.

Standard library only, and none of the monitor's code. It stands next to that program.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from statistics import median
from typing import Any

DAY = 86_400_000
SIDE = 0.025
REASONS = {
    "exits.reports": "report_issued published withheld",
    "supervision.routine": "graduated closed recalled",
    "drills": "drill_begun drill_passed drill_overdue",
    "inspections": "inspected inspection_finding finding_overdue",
    "guidance": "guidance_asked guidance_given guidance_followed",
    "changes": "change_registered change_proposed change_refused change_not_registered unregistered_model",
    "rollout": "step_passed step_failed step_inconclusive template_made",
    "halts.problems": "halt_overdue halt_contradicted",
    "incidents.trends": "trend_rising trend_steady",
    "applications": "application_submitted application_screened charter_agreed admitted application_refused "
    "application_withdrawn",
}
TOTALS = {
    "halts.released": "released", "halts.suspensions": "suspended", "halts.appealed": "appealed",
    "rectifications.recorded": "rectification_recorded", "assessments.missed": "assessment_missed",
    "charters.amended": "amended",
}  # fmt: skip
ZERO = (*TOTALS, "halts.wrongful", "pilots.in_year", "halts.begun", "halts.standing", "halts.to_review")
EMPTY = tuple(f"{name}.{what}" for name in ("applications.days", "halts.acknowledge", "halts.verify",
              "halts.release_days") for what in ("median", "largest"))  # fmt: skip
ALARMS = (
    "limit_exceeded", "limit_half_way", "limit_tolerated", "change_detected", "drift_suspected", "gauge_out_of_range",
    "late_share",
)  # fmt: skip
OUTSIDE = (
    "draft", "submitted", "screened", "agreed", "refused", "application_withdrawn", "exited", "terminated", "withdrawn",
    "reported", "published", "withheld", "closed", "recalled",
)  # fmt: skip
IMPLIED = {"exited": "exited", "exit_pending": "exiting", "admitted": "running", "graduated": "tracked",
           "closed": "closed"}  # fmt: skip
KEPT = {"draft", *IMPLIED.values()}


class Figures:
    """(measure, group) -> value, interval, entries and periods."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, ...], dict[str, Any]] = {}
        self.samples: dict[str, list[tuple[float, Any]]] = defaultdict(list)

    def add(self, record: Any, *key: str) -> None:
        found = self.of.setdefault(key, {"value": 0, "entries": defaultdict(list)})
        found["value"] += 1
        found["entries"][record["pilot"]].append(record["standing"])

    def put(self, value: Any, *key: str, **more: Any) -> None:
        self.of[key] = {"value": value, **more}

    def done(self) -> dict[tuple[str, ...], dict[str, Any]]:
        for name, pairs in self.samples.items():
            entries = defaultdict(list)
            for _, record in pairs:
                entries[record["pilot"]].append(record["standing"])
            values = [value for value, _ in pairs]
            self.put(median(values), f"{name}.median", entries=entries)
            self.put(max(values), f"{name}.largest", entries=entries)
        for name in ZERO:
            self.of.setdefault((name,), {"value": 0})
        for name in EMPTY:
            self.of.setdefault((name,), {"value": None})
        return self.of


class Pilot:
    """The decisions of a pilot before the end of the year, and its charters: (decision, document, withheld, changed
    fields)."""

    def __init__(self, bodies: list[Any], since: int, until: int) -> None:
        self.since, self.until = since, until
        self.all = [b for b in bodies if b["at"] < until and "reason" in b and "action" not in b and "finding" in b]
        self.now = [b for b in self.all if b["at"] >= since]
        found: dict[str, Any] = {
            b["id"]: (b, b["document"], b["document"].get("confidential") or [], [])
            for b in self.all
            if b.get("document")
        }
        by_id, texts = {b["id"]: b for b in self.all}, defaultdict[str, str](str)
        for body in (b for b in bodies if b.get("kind") == "charter" and b["at"] < until):
            texts[body["decision"]] += body.get("text", "")
            whole = json.loads(texts[body["decision"]]) if "text" in body and body["part"] == body["parts"] else body
            if body["part"] == 1:
                withheld = list(body["withheld"])
            if body["part"] == body["parts"] and body["decision"] in by_id:
                fields = [one["field"] for one in whole.get("difference") or []]
                record = by_id[body["decision"]]
                found[body["decision"]] = (record, whole["document"], withheld, fields)
        self.charters = sorted(found.values(), key=lambda one: one[0]["standing"])
        self.charter: Any = self.charters[-1] if self.charters else None

    def state(self, before: int) -> list[str]:
        """The words of the state before a moment; an implied one where a decision names none, else the pilot runs."""
        words = ["draft"]
        for record in self.all:
            if record["at"] >= before:
                break
            if "states" in record:
                words = [word for word in record["states"].split() if "=" not in word]
            else:
                halted = ["halted"] if record["level"] == 3 else []
                words = [IMPLIED.get(record["reason"], words[0] if words[0] in KEPT else "running"), *halted]
        return words

    def here(self) -> Any:
        """The last admission of a pilot that was in the sandbox during the year."""
        admitted = [record for record in self.all if record["reason"] == "admitted"]
        inside = self.state(self.since)[0] not in OUTSIDE or any(r["at"] >= self.since for r in admitted)
        return admitted[-1] if admitted and inside else None

    def authorities(self, before: int) -> list[str]:
        known = [record["responsible"] for record in self.all if record["at"] < before and record.get("responsible")]
        charters = [one for one in self.charters if one[0]["at"] < before]
        if known:
            return list(known[-1])
        named = [one["id"] for one in charters[-1][1].get("authorities", [])] if charters else []
        return named or ["not in the ledger"]


def pilot_figures(out: Figures, pilot: Pilot) -> None:
    """What the decisions of a pilot add."""
    here = pilot.here()
    if here is not None:
        place_figures(out, pilot, here)
    for record in pilot.now:
        decision_figures(out, pilot, record)
    application_days(out, pilot)
    halt_figures(out, pilot)
    incident_figures(out, pilot)
    owed_figures(out, pilot)
    alarm_figures(out, pilot)
    assessed = [record for record in pilot.now if record["finding"].get("assessment")]
    if assessed:
        last = assessed[-1]
        value = last["finding"]["assessment"].get("complaints_outside", 0)
        out.put(value, "complaints.outside", last["pilot"], entries={last["pilot"]: [last["standing"]]})


def place_figures(out: Figures, pilot: Pilot, here: Any) -> None:
    state, charter = pilot.state(pilot.until), pilot.charter
    out.add(here, "pilots.in_year")
    out.add(here, "pilots.state", state[0])
    for word in {"halted", "suspended"} & set(state[1:]):
        out.add(here, "pilots.halted", word)
    for field in ("tier", "sector", "region"):
        if charter is None:
            said = "not in the ledger"
        elif field in charter[2] or field in (charter[1].get("confidential") or []):
            said = "withheld"
        else:
            said = charter[1].get(field) or "none stated"
        out.add(here, f"pilots.{field}", said)
    for name in pilot.authorities(pilot.until):
        out.add(here, "pilots.authority", name)
    out.add(here, "pilots.firm", next((r["participant"] for r in pilot.all if r.get("participant")), ""))
    if charter is not None:
        for rule in charter[1].get("hard_rules") or []:
            out.add(charter[0], "rules.never_fired", rule["name"])


def decision_figures(out: Figures, pilot: Pilot, record: Any) -> None:
    reason, finding = record["reason"], record["finding"]
    content = finding.get("content") or {}
    for name, words in REASONS.items():
        if reason in words.split():
            out.add(record, name, reason)
    for name, word in TOTALS.items():
        if reason == word:
            out.add(record, name)
    if reason == "overridden":
        up = record["level"] - record["was"]
        out.add(record, "halts.overrides", "raised" if up > 0 else "lowered" if up < 0 else "unchanged")
    if reason == "assessed":
        out.add(record, "assessments", content.get("outcome", "none stated"))
    if reason == "exited":
        outcomes = [w[8:] for w in (record.get("states") or "").split() if w.startswith("outcome=")]
        out.add(record, "exits", outcomes[0] if outcomes else content.get("outcome", "none stated"))
    if reason == "hard_rule":
        out.add(record, "incidents.rules", finding["rule"])
    if reason == "incident_report_received":
        out.add(record, "incidents.reports", finding["rule"])
    if reason == "amended":
        paths: list[str] = next((one[3] for one in pilot.charters if one[0] is record), [])
        for name in {path.split(".")[0].split("[")[0] for path in paths}:
            out.add(record, "charters.fields", name)
    for clause in record.get("clauses") or []:
        out.add(record, "clauses", clause, reason)
    channel = {"complaint_filed": "filed", "complaint_answered": "answered", "complaint_withdrawn": "withdrawn",
               "user_left": "users who left", "redress_recorded": f"redress {finding['rule']}"}  # fmt: skip
    if reason in channel:
        out.add(record, "complaints.channel", channel[reason])
        out.of["complaints.channel", channel[reason]]["value"] += (finding["observed"] or 0) - 1
    clock = finding.get("clock")
    if clock:
        deadline_figures(out, pilot, record, clock)


def deadline_figures(out: Figures, pilot: Pilot, record: Any, clock: Any) -> None:
    change, rule, owes, starts = clock["change"], clock["rule"], clock["owed_by"], clock["starts"]
    out.add(record, "deadlines", starts, rule, owes, change)
    if starts == "application" and change in ("met", "missed"):
        out.add(record, "applications.clock", change)
    if starts == "serious_incident" and change in ("met", "missed", "done_late"):
        out.add(record, "deadlines.serious_incident", owes, record["participant"], rule, change)
    if owes == "authority" and change == "missed":
        for name in pilot.authorities(record["at"] + 1):
            out.add(record, "deadlines.authority", name, rule)


def application_days(out: Figures, pilot: Pilot) -> None:
    asked = None
    for record in pilot.all:
        if record["reason"] == "application_submitted":
            asked = record["at"]
        elif record["reason"] in ("admitted", "application_refused") and asked is not None:
            if record["at"] >= pilot.since:
                out.samples["applications.days"].append(((record["at"] - asked) / DAY, record))
            asked = None


def halt_figures(out: Figures, pilot: Pilot) -> None:
    begins = [i for i, r in enumerate(pilot.all) if r["level"] == 3 > r["was"]]
    for number, place in enumerate(begins):
        begun = pilot.all[place]
        end = begins[number + 1] if number + 1 < len(begins) else len(pilot.all)
        after = pilot.all[place + 1 : end]
        released = next((r for r in after if r["reason"] == "released"), None)
        if released is not None:
            after = after[: after.index(released)]
            if released["at"] >= pilot.since:
                out.samples["halts.release_days"].append(((released["at"] - begun["at"]) / DAY, released))
        elif pilot.state(pilot.until)[0] not in OUTSIDE:
            out.add(begun, "halts.standing")
        if begun["at"] < pilot.since:
            continue
        finding = begun["finding"]
        out.add(begun, "halts.begun")
        out.add(begun, "halts.reason", begun["reason"])
        out.add(begun, "halts.ground", finding["indicator"] or finding["rule"] or begun["reason"])
        out.add(begun, "halts.by", "person" if begun["cause"].startswith("control:") else "machine")
        for name, word, lacks in (
            ("acknowledge", "command_acknowledged", "acknowledgement"), ("verify", "halt_verified", "verified stop"),
        ):  # fmt: skip
            found = next((r for r in after if r["reason"] == word), None)
            if found is None:
                out.add(begun, "halts.unconfirmed", lacks)
            elif found["finding"]["observed"] is not None:
                out.samples[f"halts.{name}"].append((found["finding"]["observed"], found))


def incident_figures(out: Figures, pilot: Pilot) -> None:
    seen = set()
    for record in pilot.now:
        clock = record["finding"].get("clock") or {}
        key = clock.get("key")
        if (clock.get("starts"), clock.get("change")) != ("serious_incident", "started") or key in seen:
            continue
        seen.add(key)
        decided = [r["finding"]["rule"] for r in pilot.all if r["reason"] == "incident_reclassified"
                   and (r["finding"].get("content") or {}).get("incident") == key]  # fmt: skip
        details = [r["finding"]["detail"] for r in pilot.all if r["reason"] == "hard_rule"]
        harms = [d.split(", ", 2) for d in details if isinstance(d, str) and d.count(", ") >= 2]
        harm = [parts[1] for parts in harms if parts[2] == key]
        for name in (decided or harm or ["not in the ledger"])[-1].split(", "):
            out.add(record, "incidents.serious", name)


def owed_figures(out: Figures, pilot: Pilot) -> None:
    for place, record in enumerate(pilot.all):
        limit, key = record["reason"] == "limit_tolerated", record["finding"]["rule"]
        if record["at"] < pilot.since or not (limit or record["reason"] == "inspection_finding"):
            continue
        result = "open"
        for later in pilot.all[place + 1 :]:
            named = (later["finding"].get("content") or {}).get("rectified") or ()
            if (later["reason"] == "rectification_recorded") if limit else key in named:
                result = "in time"
            elif (
                (later["reason"] == "rectification_overdue")
                if limit
                else (later["reason"] == "finding_overdue" and later["finding"]["rule"] == key)
            ):
                result = "overdue"
            if result != "open":
                break
        out.add(record, "rectifications.owed", record["reason"], result)


def alarm_figures(out: Figures, pilot: Pilot) -> None:
    """For each alarm the first later decision that settles it."""
    for place, record in enumerate(pilot.all):
        finding = record["finding"]
        key = (finding["indicator"], finding["segment"], finding["rule"])
        if record["reason"] not in ALARMS or not key[0] or record["at"] < pilot.since:
            continue
        results = (settled(later, key) for later in pilot.all[place + 1 :])
        result = next((one for one in results if one), "open")
        out.add(record, "detectors.alarms", key[0], key[2], result)


def settled(later: Any, key: tuple[str, str, str]) -> str:
    """The result that a decision gives to an earlier alarm; "" for none."""
    finding, reason = later["finding"], later["reason"]
    if reason == "cleared" and (finding["indicator"], finding["segment"], finding["rule"]) == key:
        return "cleared"
    lowered = reason == "overridden" and later["level"] < later["was"]
    shelved = reason == "shelved" and finding["rule"] == "/".join(key)
    if lowered or shelved or (reason == "level_accepted" and finding["indicator"] == key[0]):
        return "overridden"
    return "released" if reason == "released" else ""


def limits(document: Any) -> dict[str, tuple[float, bool, float]]:
    """Limit per unit of exposure, whether harm is below it, and variance/mean, by indicator."""
    found = {}
    for spec in document.get("indicators") or []:
        used = {one["name"] for one in spec.get("detectors") or []}
        limit, base, per = spec.get("limit"), spec.get("baseline"), spec.get("per") or 1.0
        below = spec.get("direction") == "below"
        if base is not None:
            limit = base["times"] * base["events"] / base["exposure"] * per
        if limit is None or spec["kind"] == "silence" or used == {"disparity"}:
            continue
        if spec["kind"] == "complaint_handling_time":
            limit, below, per = 1 / limit, not below, 1.0
        found[spec["name"]] = (limit / per, below, spec.get("variance_mean") or 1.0)
    return found


def evidence_figures(out: Figures, pilot: Pilot, files: list[tuple[str, list[Any]]], sequences: Any) -> None:
    """What the evidence adds: shares of limits, complaints, indicators without data, halts to review."""
    rows: dict[tuple[str, str], list[Any]] = defaultdict(list)
    spans: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(dict)
    tables = [(one[0]["at"], limits(one[1])) for one in pilot.charters]
    for file, bodies in files:
        for number, body in enumerate(bodies):
            if body.get("kind") != "evidence" or not pilot.since < body["at"] <= pilot.until:
                continue
            table = next((t for at, t in reversed(tables) if at < body["at"]), tables[0][1] if tables else {})
            for row in body["observations"]:
                if "dropped" not in row:
                    key = (row["indicator"], row["segment"])
                    rows[key].append((row, table.get(row["indicator"]), body["at"]))
                    spans[key].setdefault(file, [number, number])[1] = number
    shares = {key: share(some, sequences) for key, some in sorted(rows.items())}
    name = pilot.all[0]["pilot"] if pilot.all else ""
    for key, found in shares.items():
        if found is None:
            continue
        value, low, high, broken = found
        gauge = rows[key][0][0]["kind"] == "gauge"
        more = {"periods": spans[key]} if gauge else {"low": low, "high": high, "periods": spans[key]}
        out.put(value, "limits.share", name, *key, **more)
        if high is not None and high < 0.5:
            out.put(value, "limits.never_approached", name, *key, **more)
        elif broken:
            out.put(value, "limits.always_broken", name, *key, **more)
    for record in pilot.now:
        key = (record["finding"]["indicator"], record["finding"]["segment"])
        found = shares.get(key)
        halts = record["level"] == 3 > record["was"] and record["reason"] == "limit_exceeded"
        if halts and found is not None and found[2] is not None and found[2] < 1:
            out.add(record, "halts.to_review")
    if pilot.charter is not None:
        charter_figures(out, pilot, rows, spans, bool(files))


def charter_figures(out: Figures, pilot: Pilot, rows: Any, spans: Any, entered: bool) -> None:
    """Complaints, and indicators of the charter without data."""
    record, document = pilot.charter[0], pilot.charter[1]
    best: Any = None
    for spec in document.get("indicators") or []:
        mine = [key for key in rows if key[0] == spec["name"]]
        complete = [row for key in mine for row, _, _ in rows[key] if not row.get("late") and not row.get("unknown")]
        if spec["kind"] == "complaint_rate" and mine:
            total = sum(max(row["k"], 0.0) if row.get("late") else row["k"] for key in mine for row, _, _ in rows[key])
            if best is None or total > best[0]:
                best = total, mine
        held = sum(1 if row["kind"] == "gauge" else row["m"] for row in complete)
        if entered and spec["kind"] != "silence" and not held and pilot.here() is not None:
            out.add(record, "indicators.no_data", record["pilot"], spec["name"])
    if best is not None:
        merged: dict[str, list[int]] = {}
        for key in best[1]:
            for file, (first, last) in spans[key].items():
                old = merged.get(file, [first, last])
                merged[file] = [min(old[0], first), max(old[1], last)]
        out.put(best[0], "complaints.counted", record["pilot"], periods=merged)


def share(rows: list[Any], sequences: Any) -> tuple[float, Any, Any, bool] | None:
    """Share of the limit with its interval, and whether it was broken in every month and by the whole interval."""
    limited = [limit for _, limit, _ in rows if limit is not None]
    if not limited:
        return None
    _, below, v = limited[-1]
    complete = [one for one in rows if not one[0].get("late") and not one[0].get("unknown")]
    if rows[0][0]["kind"] == "gauge":
        pairs = [(row["k"], limit) for row, limit, _ in complete if limit is not None]
        found = [
            (value / at[0] if not at[1] else at[0] / value) for value, at in pairs if (value if at[1] else at[0]) > 0
        ]
        return (max(found), max(found), max(found), False) if found else None
    k = sum(row["k"] for row, _, _ in complete)
    m = sum(row["m"] for row, _, _ in complete)
    allowed = sum(limit[0] * row["m"] for row, limit, _ in complete if limit is not None)
    if not allowed:
        return None
    if not below:
        extra = sum(row["k"] if row.get("unknown") else max(row["k"], 0.0) for row, _, _ in rows
                    if row.get("late") or row.get("unknown"))  # fmt: skip
        k, m, at = k + extra, m + (extra if rows[0][0]["kind"] == "proportion" else 0.0), allowed / m
    else:
        at = allowed / m
    part = rows[0][0]["kind"] == "proportion"
    low, high = sequences.lower(k, m, SIDE, v, part), sequences.upper(k, m, SIDE, v, part)
    months: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row, limit, end in complete:
        month = months[datetime.fromtimestamp((end - 1) / 1000, UTC).month]
        month[0] += row["k"]
        month[1] += 0.0 if limit is None else limit[0] * row["m"]
    beyond = all((a < b) if below else (a > b) for a, b in months.values() if b)
    if not below:
        return k / m / at, low / at, high / at, low / at > 1 and beyond
    return (at / (k / m), at / high, at / low if low > 0 else None, at / high > 1 and beyond) if k else None


def of_all(out: Figures, alphas: dict[str, Any]) -> None:
    """What follows from the figures of all pilots."""
    best: dict[str, Any] = {}
    alarms: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for key, made in sorted(out.of.items()):
        if key[0] == "limits.share" and (key[2] not in best or made["value"] > best[key[2]]["value"]):
            best[key[2]] = made
        if key[0] == "detectors.alarms":
            alarms[key[1], key[2]][key[3]] = made
    for rule in {key[1] for key in out.of if key[0] == "incidents.rules"}:
        out.of.pop(("rules.never_fired", rule), None)
    for name, made in best.items():
        out.of["limits.highest", name] = made
    for name_of, results in alarms.items():
        if set(results) == {"overridden"}:
            out.of["detectors.all_overridden", *name_of] = results["overridden"]
    entries = {name: [charter[0]["standing"]] for name, charter in alphas.items()}
    out.put(sum(c[1].get("alpha") or 0.0 for c in alphas.values()), "halts.wrongful_at_most", entries=entries)


def compute(
    year: int, logs: list[tuple[str, str, int, str, list[Any]]], sequences: Any
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Every figure of a year from the logs: subject, log, year of the shard, file name, bodies of the entries."""
    since, until = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp() * 1000) for y in (year, year + 1))
    out, alphas, annulled, halts = Figures(), {}, list[Any](), dict[str, str]()
    by: dict[tuple[str, str], list[tuple[int, str, list[Any]]]] = defaultdict(list)
    for subject, log, shard, file, bodies in logs:
        by[subject, log].append((shard, file, bodies))
    for subject in sorted({subject for subject, _ in by}):
        decided = [body for _, _, bodies in sorted(by[subject, "decisions"]) for body in bodies]
        pilot = Pilot(decided, since, until)
        if subject == "sandbox":
            for record in pilot.now:
                if record["reason"] in ("sandbox_founded", "configuration_changed"):
                    out.add(record, "sandbox.configurations", record["reason"])
        elif subject.startswith("firm:"):
            classes = [record for record in pilot.all if record["reason"] == "firm_classified"]
            if classes:
                out.add(classes[-1], "firms.class", classes[-1]["finding"]["content"]["class"])
            annulled += [record for record in pilot.now if record["reason"] == "decision_annulled"]
        elif not subject.startswith(("model:", "vendor:")):
            halts |= {one["id"]: one["participant"] for one in pilot.all if one["level"] == 3 > one["was"]}
            pilot_figures(out, pilot)
            files = [(name, bodies) for _, name, bodies in sorted(by[subject, "evidence"])]
            evidence_figures(out, pilot, files, sequences)
            if pilot.charter is not None and pilot.here() is not None:
                alphas[subject] = pilot.charter
    for record in annulled:
        firm = halts.get(record["finding"]["content"]["decision"])
        if firm is not None and record["pilot"] == f"firm:{firm}":
            out.add(record, "halts.wrongful")
    of_all(out, alphas)
    return out.done()
