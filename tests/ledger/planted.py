"""Differences planted in a history or a ledger, each with the name that `ledger compare` must give it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from click.testing import CliRunner
from msgspec import structs

from monitor.cli.replay import replay
from monitor.model.records import Command, Decision, Finding, Reason, digest
from monitor.notary.appeal import Cause, Outcome
from monitor.notary.evidence_entries import EvidenceGroup
from monitor.notary.notary import Notary
from tests.ledger.histories import RecordedHistory

DIFFERS, NO_VERDICT = Outcome.DIFFERS, Outcome.NO_VERDICT
SEED = 54  # the first that is suitable; the search goes on from it when the workload changes
OTHER_PROGRAM = "9.9.9+000000000000"
Lines = list[dict[str, Any]]


class Planted(NamedTuple):
    """A difference: the files to compare, and what `ledger compare` must find."""

    name: str
    ledger: Path
    replay: Path
    cause: Cause
    outcome: Outcome


class Story:
    """One pilot of a random history that was halted by a rule and by people, with its ledger and its export."""

    def __init__(self, home: Path) -> None:
        self.home = home
        seed = SEED
        while (pilot := _suitable(history := RecordedHistory.of(seed))) is None:
            seed += 1
        self.pilot, self.history = pilot, history
        self.other = next(name for name in history.pilots if name != pilot)
        self.decisions = [one for one in history.outputs.decisions if one.pilot == pilot]
        self.commands = [one for one in history.outputs.commands if one.pilot == pilot]
        self.lines: Lines = [json.loads(line) for line in history.exported([pilot]).splitlines()]
        self.ledger = self.entered("sound", self.decisions, self.commands)
        self.file = self.written("sound", self.lines, sealed=True)

    def accepted(self, line: dict[str, Any]) -> bool:
        """Whether a line is an override that took effect."""
        names = {one.cause for one in self.decisions if one.reason is Reason.OVERRIDDEN}
        return _override(line) and f"control:{json.loads(line['value'])['id']}" in names

    def entered(
        self,
        name: str,
        decisions: Sequence[Decision],
        commands: Sequence[Command] = (),
        evidence: Sequence[EvidenceGroup] | None = None,
    ) -> Path:
        """A ledger of these records, with the pilot's evidence."""
        directory = self.home / f"planted-ledger-{name}"
        directory.mkdir()
        notary = Notary(directory)
        notary.record(decisions, commands)
        notary.record_evidence(self.history.evidence(self.pilot) if evidence is None else evidence)
        notary.close()
        return directory

    def as_lines(self, name: str, decisions: Sequence[Decision]) -> Path:
        """The same as JSON lines, which a firm gets from the gateway."""
        path = self.home / f"planted-{name}.decisions"
        path.write_bytes(b"\n".join(map(msgspec.json.encode, decisions)))
        return path

    def written(self, name: str, lines: Lines, *, sealed: bool = True) -> Path:
        """A history of these lines. `sealed`: its last line says so; else that of the original stands."""
        path = self.home / f"planted-{name}.history"
        path.write_bytes(resealed(lines) if sealed else _bytes(lines))
        return path


def resealed(lines: Lines) -> bytes:
    """The file of these lines with the number of records and the digest that `export` would write."""
    body = _bytes(lines[:-1])
    kept = [line for line in lines[:-1] if line.get("record") not in (None, "journal")]
    end = {**lines[-1], "records": len(kept), "digest": hashlib.sha256(body).hexdigest()}
    return body + _bytes([end])


def planted(home: Path) -> Iterator[Planted]:
    """Every difference, and files without one first."""
    story = Story(home)
    for make in (_in_the_history, _in_the_ledger, _of_the_whole):
        yield from make(story)


def _in_the_history(story: Story) -> Iterator[Planted]:
    made = partial(_history, story)
    harmless = _with_value(story.lines, _death, _property)
    yield made("changed_telemetry", harmless, Cause.HISTORY_CHANGED, NO_VERDICT, sealed=False)
    yield made("dropped_telemetry", _without(story.lines, _death), Cause.HISTORY_CHANGED, NO_VERDICT, sealed=False)
    yield made("changed_telemetry_sealed_again", harmless, Cause.OBSERVATIONS, DIFFERS)
    yield made("changed_count", _with_value(story.lines, _work, _more), Cause.OBSERVATIONS, DIFFERS)
    yield made("dropped_telemetry_sealed_again", _without(story.lines, _death), Cause.EXTRA, DIFFERS)
    yield made("dropped_act", _without(story.lines, _override), Cause.EXTRA, DIFFERS)
    yield made("swapped_acts", _swapped(story.lines, story.accepted), Cause.ORDER, DIFFERS)
    yield made("changed_charter_limit", _with_value(story.lines, _admission, _limit), Cause.CHARTER_VERSION, DIFFERS)
    other = _with_header(harmless, program=OTHER_PROGRAM)
    yield made("other_program", other, Cause.PROGRAM_VERSION, NO_VERDICT)
    yield made("upgraded_since", _with_claims(harmless, OTHER_PROGRAM), Cause.PROGRAM_VERSION, NO_VERDICT)
    lost = _with_header(story.lines, missing={"telemetry": 12})
    yield made("missing_telemetry", lost, Cause.HISTORY_INCOMPLETE, NO_VERDICT)
    yield made("cut_short", story.lines[:-2], Cause.HISTORY_INCOMPLETE, NO_VERDICT, sealed=False)


def _in_the_ledger(story: Story) -> Iterator[Planted]:
    decisions, commands = story.decisions, story.commands
    entered = partial(_ledger, story)
    first, last = decisions[0], decisions[-1]
    middle = decisions[len(decisions) // 2]
    forged = structs.replace(
        last, id=digest("forged"), standing=last.standing + 1, reason=Reason.OVERRIDDEN, cause="control:forged",
        at=first.at, finding=Finding(),
    )  # fmt: skip
    yield entered("forged_at_the_end", [*decisions, forged], Cause.EXTRA)
    yield entered("forged_in_between", _inserted(decisions, middle), Cause.EXTRA)
    yield Planted(
        "removed", story.as_lines("removed", [one for one in decisions if one is not middle]), story.file,
        Cause.MISSING, DIFFERS,
    )  # fmt: skip
    yield entered("edited_statistic", _edited_finding(decisions), Cause.VALUES)
    yield entered("edited_level", _edited(decisions, middle, level=(middle.level + 1) % 4), Cause.VALUES)
    yield entered("edited_reason", _edited(decisions, middle, reason=Reason.SHELVED), Cause.VALUES)
    yield entered("edited_time", _edited(decisions, middle, at=middle.at + 1), Cause.VALUES)
    yield entered("edited_charter", _edited(decisions, middle, charter="0" * 16), Cause.CHARTER_VERSION)
    a, b = [one for one in decisions if one.reason is Reason.OVERRIDDEN][:2]
    swapped = _edited(_edited(decisions, a, standing=b.standing), b, standing=a.standing)
    yield Planted("swapped_entries", story.as_lines("swapped", swapped), story.file, Cause.ORDER, DIFFERS)
    fewer = [one for one in commands if one.id != commands[0].id]
    yield entered("removed_command", decisions, Cause.MISSING, commands=fewer)
    yield entered("cut_at_its_end", decisions[:-1], Cause.LEDGER_ENDS_EARLIER, NO_VERDICT)
    edited = story.entered("edited_count", decisions, commands, _one_more(story.history.evidence(story.pilot)))
    yield Planted("edited_count", edited, story.file, Cause.OBSERVATIONS, DIFFERS)
    yield _damaged(story, "flipped_bit", lambda raw: raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:])
    yield _damaged(story, "entry_cut_out", lambda raw: raw[: len(raw) // 2] + raw[len(raw) // 2 + 700 :])


def _of_the_whole(story: Story) -> Iterator[Planted]:
    other = [one for one in story.history.outputs.decisions if one.pilot == story.other]
    yield Planted("wrong_pilot", story.entered("other", other), story.file, Cause.OTHER_PILOT, NO_VERDICT)
    seed = story.history.seed
    while story.pilot not in (again := RecordedHistory.of(seed := seed + 1)).pilots:
        pass
    path = story.home / "planted-seed.history"
    path.write_bytes(again.exported([story.pilot]))
    yield Planted("other_seed", story.ledger, path, Cause.OTHER_HISTORY, NO_VERDICT)
    done = CliRunner().invoke(replay, [str(story.file), "--json", "--no-progress"], catch_exceptions=False)
    path = story.home / "planted.replay"
    about, _, rest = done.stdout.partition("\n")
    path.write_text(about.replace('"kind":"history"', '"kind":"events"') + "\n" + rest)
    yield Planted("events_alone", story.ledger, path, Cause.EVENTS_ALONE, NO_VERDICT)


# ---- edits of a history


def _history(story: Story, name: str, lines: Lines, cause: Cause, outcome: Outcome, *, sealed: bool = True) -> Planted:
    return Planted(name, story.ledger, story.written(name, lines, sealed=sealed), cause, outcome)


def _bytes(lines: Lines) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in lines)


def _death(line: dict[str, Any]) -> bool:
    return line.get("record") == "telemetry" and '"harm":"death"' in str(line.get("value"))


def _override(line: dict[str, Any]) -> bool:
    return line.get("record") == "control" and "sandbox.control.override" in str(line.get("value"))


def _admission(line: dict[str, Any]) -> bool:
    return line.get("record") == "control" and "sandbox.control.admission" in str(line.get("value"))


def _property(value: str) -> str:
    return value.replace('"harm":"death"', '"harm":"property"')


def _work(line: dict[str, Any]) -> bool:
    return line.get("record") == "telemetry" and '"amount":' in str(line.get("value"))


def _more(value: str) -> str:
    """One piece of work more in each event: too little for any decision to differ."""
    return re.sub(r'"amount":(\d+)', lambda found: f'"amount":{int(found[1]) + 1}', value)


def _limit(value: str) -> str:
    act = json.loads(value)
    act["charter"]["indicators"][0]["limit"] *= 2
    return json.dumps(act)


def _with_value(lines: Lines, chosen: Callable[[dict[str, Any]], bool], edit: Callable[[str], str]) -> Lines:
    return [{**line, "value": edit(line["value"])} if chosen(line) else line for line in lines]


def _without(lines: Lines, chosen: Callable[[dict[str, Any]], bool]) -> Lines:
    return [line for line in lines if not chosen(line)]


def _swapped(lines: Lines, chosen: Callable[[dict[str, Any]], bool]) -> Lines:
    """Two acts one after the other, exchanged: each in the place and at the time of the other."""
    found = [number for number, line in enumerate(lines) if chosen(line)]
    a, b = found[:2]
    edited = list(lines)
    edited[a] = {**lines[a], "value": lines[b]["value"]}
    edited[b] = {**lines[b], "value": lines[a]["value"]}
    return edited


def _with_header(lines: Lines, **fields: Any) -> Lines:
    return [{**lines[0], **fields}, *lines[1:]]


def _with_claims(lines: Lines, program: str) -> Lines:
    """Recorded by another program than the one that exports it."""
    return [
        {**line, "entry": {**line["entry"], "program": program}}
        if line.get("entry", {}).get("type") == "claim"
        else line
        for line in lines
    ]


# ---- edits of a ledger


def _ledger(
    story: Story, name: str, decisions: Sequence[Decision], cause: Cause, outcome: Outcome = DIFFERS,
    commands: Sequence[Command] | None = None,
) -> Planted:  # fmt: skip
    entered = story.commands if commands is None else commands
    return Planted(name, story.entered(name, decisions, entered), story.file, cause, outcome)


def _edited(decisions: Sequence[Decision], one: Decision, **fields: Any) -> list[Decision]:
    return [structs.replace(each, **fields) if each.id == one.id else each for each in decisions]


def _edited_finding(decisions: Sequence[Decision]) -> list[Decision]:
    one = next(each for each in decisions if each.finding.statistic is not None)
    assert one.finding.statistic is not None
    return _edited(decisions, one, finding=structs.replace(one.finding, statistic=one.finding.statistic * 1.5))


def _one_more(groups: list[EvidenceGroup]) -> list[EvidenceGroup]:
    """The evidence with one event more in the first observation that has any."""
    group = next(one for one in groups if one.observations[0].k)
    first = group.observations[0]
    group.observations[0] = structs.replace(first, k=first.k + 1)
    return groups


def _inserted(decisions: Sequence[Decision], place: Decision) -> list[Decision]:
    """With a forged decision before `place`; those after it are numbered again."""
    forged = structs.replace(place, id=digest("forged", place.id), cause="control:forged", finding=Finding())
    at = decisions.index(place)
    later = [structs.replace(one, standing=one.standing + 1) for one in decisions[at:]]
    return [*decisions[:at], forged, *later]


def _damaged(story: Story, name: str, edit: Callable[[bytes], bytes]) -> Planted:
    directory = story.entered(name, story.decisions, story.commands)
    (file,) = (one for one in directory.glob("*.ledger") if not one.stem.startswith("evidence-"))
    file.write_bytes(edit(file.read_bytes()))
    return Planted(name, directory, story.file, Cause.LEDGER_DAMAGED, DIFFERS)


def _suitable(history: RecordedHistory) -> str | None:
    """A pilot with a death, two overrides, a finding with numbers and commands."""
    for pilot in history.pilots if len(history.pilots) > 1 else ():
        own = [one for one in history.outputs.decisions if one.pilot == pilot]
        reasons = [one.reason for one in own]
        if (
            Reason.HARD_RULE in reasons
            and reasons.count(Reason.OVERRIDDEN) > 2
            and any(one.finding.statistic is not None for one in own)
            and sum(one.pilot == pilot for one in history.outputs.commands) > 1
        ):
            return pilot
    return None
