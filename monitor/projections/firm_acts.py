"""Acts on firms, folded from decisions: the newest class with its grounds, and who did what. Pure. Bounded."""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import UNSET, Struct, field

from monitor.firms.record import FirmRecord
from monitor.firms.rules import EnoughRecord, FirmRules, Limits, Measure
from monitor.model.records import Content, Decision, Reason
from monitor.model.subjects import firm_of

FIRMS, ACTS = 1_024, 16  # as many firms as have a record
_RECORD, _RULES = "record/", "rules/"


class FirmAct(Struct, frozen=True, kw_only=True):
    """One act: a class that was set (`was` the one before), or a `decision` on a `pilot` that was annulled."""

    reason: Reason
    at: int
    number: int
    id: str
    author: str
    signed: bool
    gives: str = ""
    was: str = ""
    pilot: str = ""
    decision: str = ""


class SetClass(Struct, frozen=True, kw_only=True):
    """The class in force as it was set: its `grounds` in the words of the record, the numbers of the record that it
    follows from (without the positions), and the rules (`None`: the decision does not have them)."""

    act: FirmAct
    grounds: tuple[str, ...]
    rules_name: str
    rules_digest: str
    record: FirmRecord | None
    rules: FirmRules | None


class FirmActs(Struct):
    """What was done about one firm, oldest first; the class that was set last."""

    acts: deque[FirmAct] = field(default_factory=lambda: deque(maxlen=ACTS))
    standing: int = 0
    in_force: SetClass | None = None


class FirmActsFold:
    """All firms. A repeated decision changes nothing."""

    def __init__(self) -> None:
        self.firms: dict[str, FirmActs] = {}

    def decide(self, decision: Decision) -> None:
        """Add a decision on a firm; any other is passed over."""
        name, content = firm_of(decision.pilot), decision.finding.content
        if name is None or content is UNSET:
            return
        if name not in self.firms and len(self.firms) >= FIRMS:
            return
        firm = self.firms.setdefault(name, FirmActs())
        if decision.standing <= firm.standing:
            return
        firm.standing = decision.standing
        act = FirmAct(
            reason=decision.reason, at=decision.at, number=decision.standing, id=decision.id, author=decision.author,
            signed=bool(decision.signed), gives=_text(content, "class"), was=_text(content, "was"),
            pilot=_text(content, "pilot"), decision=_text(content, "decision"),
        )  # fmt: skip
        firm.acts.append(act)
        if decision.reason is Reason.FIRM_CLASSIFIED:
            grounds = content.get("grounds", ())
            firm.in_force = SetClass(
                act=act, grounds=tuple(map(str, grounds)) if isinstance(grounds, tuple | list) else (),
                rules_name=_text(content, "rules"), rules_digest=_text(content, "rules_digest"),
                record=_record(content), rules=_rules(content),
            )  # fmt: skip

    def of(self, firm: str) -> FirmActs:
        """What was done about one firm; nothing for one that is not known."""
        return self.firms.get(firm) or FirmActs()


def _text(content: Content, name: str) -> str:
    return str(content.get(name, ""))


def _record(content: Content) -> FirmRecord | None:
    found: dict[str, object] = {}
    for name, value in content.items():
        if name.startswith(_RECORD) and name != _RECORD + "positions":
            found[name.removeprefix(_RECORD)] = int(value) if isinstance(value, float) else value
    found["truncated"] = found.get("truncated") == "yes"
    try:
        return msgspec.convert(found, FirmRecord)
    except msgspec.ValidationError:
        return None


def _rules(content: Content) -> FirmRules | None:
    """The rules whose numbers a decision has."""
    numbers = {name.removeprefix(_RULES): value for name, value in content.items() if name.startswith(_RULES)}
    name, _, version = _text(content, "rules").partition("@")
    try:
        limits = {
            one: Limits(*(float(numbers[f"{one.value}.{letter}"]) for letter in "ABC"))  # type: ignore[arg-type]
            for one in Measure
            if f"{one.value}.A" in numbers
        }
        return FirmRules(
            schema="firm-rules/1", id=name, version=int(version), limits=limits,
            confidence=float(numbers["confidence"]),  # type: ignore[arg-type]
            enough=EnoughRecord(int(numbers["enough.pilots"]), float(numbers["enough.years"])),  # type: ignore[arg-type]
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None
