"""Acts on the files of firms (key `firm:<id>`): its class, and annulments of decisions that were wrong.

As those on the configuration of the sandbox they have their home in partition `HOME`, which decides and records, and
every other partition steps a copy of each accepted act: so each knows the classes of all firms, whose pilots may be in
any of them. No act on a firm changes a pilot.

The machine verifies that the class follows from the record by the rules in force. That the record follows from the logs
no partition can know; everybody can compute it again from the ledgers, through the positions that it names.
"""

from __future__ import annotations

from msgspec import UNSET, structs

from monitor.decide.signatures import signed_by_person
from monitor.engine.act_decision import act_decision
from monitor.engine.partition import Partition
from monitor.engine.sandbox_acts import HOME
from monitor.errors import ControlRefused
from monitor.firms.classes import firm_class, ground_words
from monitor.firms.content import record_fields, rule_fields
from monitor.firms.record import record_digest
from monitor.firms.rules import reference_to, rule_flaws
from monitor.lifecycle.acts import refused_by_role
from monitor.lifecycle.firm_acts import Annulment, Classification, FirmAct
from monitor.lifecycle.names import Act
from monitor.lifecycle.sandbox import Sandbox, roles_in
from monitor.lifecycle.tenure import known_keys
from monitor.model.records import Content, Finding, Outputs, Reason, Record
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved
from monitor.model.subjects import firm_of
from monitor.state import acts_once
from monitor.state.acts_once import ActMemory
from monitor.state.firm_file import ANNULMENTS, FIRM_FILES, FirmFile

ACT_OF_FIRM: dict[type[FirmAct], Act] = {Classification: Act.CLASSIFY, Annulment: Act.ANNUL}
"""Act -> its row in the table of acts."""
GROUNDS = 8  # named in a decision


def step_firm(partition: Partition, act: FirmAct, record: Record, out: Outputs) -> None:
    """Verify one act on a firm and apply it. Raises ControlRefused or Forged; then nothing took effect."""
    firm = firm_of(act.pilot)
    if firm is None:
        raise _refused("pilot", Refusal.BAD_FIRM_ID)
    sandbox = partition.sandbox.sandbox
    if sandbox is None:
        raise _refused("pilot", Refusal.NOT_FOUNDED)
    home = partition.number == HOME
    by = signed_by_person(sandbox, None, act, record)
    file = partition.firms.get(act.pilot, FirmFile())
    acts_once.check_copy(file.acts, act, by, False)
    if home:
        acts_once.check_time(act, record.received)
        _check_end(act, record.received)
    _check_role(sandbox, act, by, firm)
    memory = _valid_once(file, act, by)
    if act.pilot not in partition.firms and len(partition.firms) >= FIRM_FILES:
        raise _refused("pilot", Refusal.TOO_MANY_FIRMS)
    new = structs.replace(file, standing=file.standing + 1, at=max(file.at, record.received))
    if isinstance(act, Classification):
        new, found = _classified(new, act, sandbox, firm, file)
    else:
        new, found = _annulled(new, act, file)
    acts_once.remember_act(memory, act, by, False, new.standing)
    known = known_keys(sandbox, partition.sandbox.tenure)
    memory.keys = {key: at for key, at in memory.keys.items() if key in known}
    partition.firms[act.pilot] = new = structs.replace(new, acts=memory)
    partition.changed.add(act.pilot)
    if home:
        out.decisions.append(act_decision(partition, act, by, found, new.at, new.standing))


def _classified(
    new: FirmFile, act: Classification, sandbox: Sandbox, firm: str, before: FirmFile
) -> tuple[FirmFile, tuple[Reason, Finding]]:
    record, rules = act.record, act.rules
    if record.firm != firm:
        raise _refused("record.firm", Refusal.OTHER_FIRM)
    if sandbox.firm_rules is UNSET:
        raise _refused("rules", Refusal.NO_FIRM_RULES)
    if reference_to(rules) != sandbox.firm_rules or any(rule_flaws(rules)):
        raise _refused("rules", Refusal.OTHER_FIRM_RULES)
    if record.subject != before.standing or record.through < before.through:
        raise _refused("record", Refusal.RECORD_OUTDATED)
    if act.author in before.annulled_by:
        words = f"{act.author} annulled a decision on this firm; another officer sets its class"
        raise ControlRefused("author", Refusal.SAME_PERSON, words)
    computed = firm_class(record, rules)
    grounds = tuple(ground_words(one) for one in computed.deciding[:GROUNDS])
    if computed.gives is not act.firm_class:
        words = f"class {computed.gives.value} follows from the record: {grounds[0]}"
        raise ControlRefused("firm_class", Refusal.OTHER_CLASS, words)
    content: Content = {
        "class": computed.gives.value, "was": before.firm_class, "record": record_digest(record),
        "rules": f"{rules.id}@{rules.version}", "rules_digest": sandbox.firm_rules.digest,
        "measures": tuple(one.measure.value if one.measure else one.reason.value for one in computed.deciding),
        "reasons": tuple(one.reason.value for one in computed.deciding), "grounds": grounds, **record_fields(record),
        **rule_fields(rules),
    }  # fmt: skip
    finding = Finding(rule=f"class {computed.gives.value}", content=content)
    new = structs.replace(new, firm_class=computed.gives.value, through=record.through, open=record.open)
    return new, (Reason.FIRM_CLASSIFIED, finding)


def _annulled(new: FirmFile, act: Annulment, before: FirmFile) -> tuple[FirmFile, tuple[Reason, Finding]]:
    if act.decision in before.annulled:
        raise _refused("decision", Refusal.ALREADY_REGISTERED)
    if len(before.annulled) >= ANNULMENTS:
        words = f"{ANNULMENTS} decisions on this firm are annulled, at most so many are"
        raise ControlRefused("decision", Refusal.TOO_MANY_OPEN, words)
    people = before.annulled_by if act.author in before.annulled_by else (*before.annulled_by, act.author)
    content: Content = {"pilot": act.of, "decision": act.decision}
    finding = Finding(rule="annulment", detail=act.reason, content=content)
    new = structs.replace(new, annulled=(*before.annulled, act.decision), annulled_by=people)
    return new, (Reason.DECISION_ANNULLED, finding)


def _check_end(act: FirmAct, received: int) -> None:
    """No record ends in the future: each later one would end before it, and be refused. As the time of an act, it is
    judged at home only."""
    if isinstance(act, Classification) and act.record.through > received + acts_once.AUTHOR_SKEW_MS:
        words = f"it ends at {act.record.through} ms, the act was received at {received} ms; compute it again"
        raise ControlRefused("record.through", Refusal.RECORD_OUTDATED, words)


def _check_role(sandbox: Sandbox, act: FirmAct, by: Proved, firm: str) -> None:
    """A firm belongs to no authority, so an officer or approver of any authority may act on it, and never itself."""
    authorities = frozenset(one.id for one in sandbox.authorities)
    why = refused_by_role(ACT_OF_FIRM[type(act)], roles_in(sandbox, act.author, by.key, authorities, firm))
    if why is not None:
        raise _refused("author", why)


def _valid_once(file: FirmFile, act: FirmAct, by: Proved) -> ActMemory:
    """A copy of what is remembered of acts, with this one judged. Raises ControlRefused unless it is valid once."""
    if by.key and act.expected_standing is None:  # else its id would have to be remembered without end
        raise _refused("expected_standing", Refusal.VALIDITY_MISSING)
    memory = ActMemory(recent=file.acts.recent[:], keys=dict(file.acts.keys))
    acts_once.check_valid(memory, act, by, False, file.standing, 0)
    return memory


def _refused(field: str, why: Refusal) -> ControlRefused:
    return ControlRefused(field, why, REFUSALS[why])
