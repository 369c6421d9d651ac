"""The history of one pilot holds the configuration of the sandbox without people's names and contacts, and replays to
the same decisions."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Amendment, Approval, Evaluation, Override, Rectification, Submission
from monitor.charter.model_acts import ModelEntry, ModelVersion
from monitor.charter.spec import Participant
from monitor.decide.signatures import signature_of
from monitor.engine.history import (
    ConfigurationLine,
    ControlLine,
    EndLine,
    Header,
    HistoryLine,
    JournalLine,
    control_line,
    decode,
    encode,
)
from monitor.engine.history_authority import commitment
from monitor.engine.history_of import PilotSelection
from monitor.engine.history_replay import HistoryReplay
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import SUBJECT, Person, Sandbox, SandboxAuthority, without_contacts
from monitor.lifecycle.sandbox_acts import (
    Change,
    Proposal,
    ProposalApproval,
    PutAuthority,
    PutPerson,
    RemovePerson,
    SeveralChanges,
    change_digest,
)
from monitor.model.records import Claim, Decision, Outputs, Record, TimeRead
from monitor.state.acts_once import validity
from monitor.state.applicant import OPEN_OF_FIRM
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import AUTHORITY, OTHER, OWN, PUBLIC, RESULTS, SANDBOX, Founded

SECRET = ("Jane Doe", "jane@city.example", "desk@city.example", "+1 555 0100")


def with_contacts(sandbox: Sandbox, words: tuple[str, str, str] = SECRET[:3]) -> Sandbox:
    """A configuration in which every person and authority has a contact, and every person a name."""
    name, contact, desk = words
    people = tuple(structs.replace(one, name=name, contact=contact) for one in sandbox.people)
    authorities = tuple(structs.replace(one, contacts=(desk,)) for one in sandbox.authorities)
    return structs.replace(sandbox, people=people, authorities=authorities)


class Recorded(Founded):
    """A founded sandbox that remembers its control records as a history."""

    def __init__(self, sandbox: Sandbox | None = None, partition: int = 0) -> None:
        self.history: list[HistoryLine] = [
            JournalLine(offset=0, received=0, entry=Claim(1, admitters=(PUBLIC["admitter"],), open_mode=False))
        ]
        super().__init__(sandbox or with_contacts(SANDBOX), partition=partition)

    def step(self, record: Record) -> Outputs:
        out = super().step(record)
        self.history.append(control_line(structs.replace(record, offset=self.number, received=self.at)))
        return out

    def change(self, change: Change, officer: str = "officer", approver: str = "approver-1") -> None:
        """Propose and approve a change; only the home of the sandbox decides on it."""
        version = self.state.sandbox.version if self.state.sandbox else 0
        proposal = Proposal(**self.by(officer, SUBJECT), change=change)
        self.put(proposal)
        approved = {"proposal": proposal.id, "digest": change_digest(change)}
        self.put(ProposalApproval(**self.by(approver, SUBJECT), **approved))
        assert self.state.sandbox is not None
        assert self.state.sandbox.version == version + 1, self.rejected

    def tell(self) -> list[HistoryLine]:
        """The history so far, with a time at its end."""
        return [*self.history, JournalLine(offset=1, received=self.at + 1, entry=TimeRead(1, {}, 0))]

    def of(self, pilot: str, partition: int = 0) -> list[HistoryLine]:
        """The history of one pilot."""
        selection = PilotSelection(frozenset({pilot}), partition)
        kept = [one for line in self.tell() for one in selection.feed(line)]
        return [*kept, *selection.rest()]


def replayed(lines: Iterable[HistoryLine], pilot: str, partition: int = 0) -> list[Decision]:
    """The decisions of one pilot that a file of these lines replays to."""
    header = Header(runtime="kafka", partition=partition, keyed=True, control_topic="control")
    raw = [encode(line) for line in (header, *lines, EndLine(next={}, records=0, received=0))]
    steps = HistoryReplay().steps(decode(raw))
    return [structs.replace(d, epoch=0) for out in steps for d in out.decisions if d.pilot == pilot]


def halted_and_released(world: Recorded) -> None:
    """A halt, whose release is approved by people with keys, while the configuration changes."""
    world.change(PutPerson(Person("second", (Role.APPROVER,), AUTHORITY, (PUBLIC["stranger"],), *SECRET[:2])))
    world.put(Override(**world.by("officer"), level="halt", reason="stop"))
    world.change(PutAuthority(SandboxAuthority("third", "sectoral", contacts=(SECRET[3],))))
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
    world.put(Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS))
    world.change(RemovePerson("second"))
    world.put(Override(**world.by("officer"), level="watch", reason="no release"))


@pytest.mark.parametrize("partition", [0, 3])
def test_a_pilots_history_names_no_contact_and_replays_to_the_same_decisions(partition: int) -> None:
    """Acts on the sandbox are left out; each configuration that came into force stands in their place. In every
    partition, whether it is the one that decides on them or not."""
    world = Recorded(partition=partition)
    halted_and_released(world)
    mine = world.of("p", partition)
    text = b"".join(encode(line) for line in mine)
    for secret in SECRET:
        assert secret.encode() not in text
    assert b"sandbox.control.proposal" not in text
    assert [line.sandbox.version for line in mine if isinstance(line, ConfigurationLine)] == [1, 2, 3, 4]
    found = replayed(mine, "p", partition)
    assert len(found) > 8
    assert found == replayed(world.tell(), "p", partition)
    assert found == [structs.replace(d, epoch=0) for d in world.decisions if d.pilot == "p"]


def test_no_decision_depends_on_what_is_left_out() -> None:
    """Other names and contacts give the same history but for commitment and digest, so no replay can depend on them."""
    worlds = [Recorded(with_contacts(SANDBOX, words)) for words in (SECRET[:3], ("A", "b@example.org", "c"))]
    for world in worlds:
        halted_and_released(world)
    first, second = (
        [
            structs.replace(line, commitment="", digest="") if isinstance(line, ConfigurationLine) else line
            for line in world.of("p")
        ]
        for world in worlds
    )
    assert first == second
    assert worlds[0].of("p") != worlds[1].of("p")


def test_every_field_of_a_person_and_an_authority_is_needed_or_left_out() -> None:
    """A new field has to be put in one of the two sets."""
    needed = {"id", "roles", "authority", "keys", "accredited"}, {"id", "level", "name", "region", "sectors"}
    left_out = {"name", "contact"}, {"contacts"}
    for kind, keep, drop in zip((Person, SandboxAuthority), needed, left_out, strict=True):
        assert set(kind.__struct_fields__) == keep | drop
    shown = without_contacts(with_contacts(SANDBOX))
    assert not any(person.name or person.contact for person in shown.people)
    assert not any(one.contacts for one in shown.authorities)
    assert shown == without_contacts(SANDBOX)


def test_the_commitment_is_that_of_the_act_and_cannot_be_made_without_its_signature() -> None:
    """The authority can show later which act it was; the reader of the history cannot test guesses."""
    world = Recorded()
    (line,) = [one for one in world.of("p") if isinstance(one, ConfigurationLine)]
    (founding,) = [one for one in world.sent if one.key == SUBJECT.encode()]
    assert line.commitment == commitment(founding)
    assert signature_of(founding).encode() not in b"".join(encode(one) for one in world.of("p"))
    assert commitment(structs.replace(founding, value=founding.value + b" ")) != line.commitment  # type: ignore[operator]
    assert commitment(structs.replace(founding, headers=())) == ""


def rival(world: Recorded, number: int = 0) -> Submission:
    """An application of another firm."""
    charter = structs.replace(OWN, participant=Participant("rival", keys=(PUBLIC["supplier"],)))
    stated = application(charter)
    stated = structs.replace(stated, applicant=structs.replace(stated.applicant, contact="rival@example.org"))
    return Submission(**{**world.by("rival"), "id": f"rival-{number}"}, application=stated, charter=charter)


def test_another_firms_application_for_the_same_name_is_not_in_the_history() -> None:
    """Neither before nor after the admission; decisions are the same."""
    world = Recorded()
    world.put(rival(world), "supplier")
    world.put(Amendment(**world.by("officer"), charter=rival(world).charter))
    assert [line.withheld for line in world.of("p")[-3:-1] if isinstance(line, ControlLine)] == [True, True]
    early = Recorded.__new__(Recorded)
    early.history = world.history[:2]  # claim and founding
    early.at = world.at
    early.history.append(control_line(Record(9, world.at, b"p", msgspec.json.encode(rival(world)))))
    early.history += world.history[2:]
    for one in (world, early):
        mine = one.of("p")
        assert b"rival" not in b"".join(encode(line) for line in mine)
        assert replayed(mine, "p") == replayed(one.tell(), "p")


def test_an_application_for_which_there_was_no_room_is_not_replayed() -> None:
    """Whether there is room depends on other applications, which the history does not hold."""
    world = Recorded()
    for number in range(OPEN_OF_FIRM + 1):
        name = f"q{number}"
        charter = structs.replace(OWN, pilot=name)
        world.put(Submission(**world.by("firm", name), application=application(charter), charter=charter))
    last = f"q{OPEN_OF_FIRM}"
    assert world.rejected[-1].detail.startswith("too_many_applications")
    assert not replayed(world.of(last), last)
    assert not replayed(world.tell(), last)
    assert replayed(world.of("q0"), "q0") == replayed(world.tell(), "q0") != []


def test_the_file_of_a_model_replays_to_the_same_decisions() -> None:
    """Its decisions name the digest of the whole configuration, which the history states."""
    world = Recorded()
    entry = ModelVersion(version="1.0", digest="m1")
    by = {**world.by("officer", "model:m"), **validity(0, world.at)}
    assert world.put(ModelEntry(**by, content=entry)).decisions, world.rejected
    found = replayed(world.of("model:m"), "model:m")
    assert found == [structs.replace(d, epoch=0) for d in world.decisions if d.pilot == "model:m"] != []


def test_an_officer_of_another_authority_has_no_rights_in_the_replay_either() -> None:
    """Roles come from the configuration in the history."""
    world = Recorded()
    world.put(Override(**world.by("other-officer"), level="halt", reason="stop"))
    assert world.rejected[-1].pilot == "p"
    assert OTHER in {one.authority for one in without_contacts(SANDBOX).people}
    assert replayed(world.of("p"), "p") == replayed(world.tell(), "p")


def test_a_change_that_was_refused_for_a_halt_is_not_in_the_history_of_a_pilot() -> None:
    """Of whichever pilot: it never came into force. The release that follows replays to the same decisions."""
    world = Recorded()
    world.put(Override(**world.by("officer"), level="halt", reason="stop"))
    spare = Person("spare", (Role.APPROVER,), AUTHORITY, (PUBLIC["stranger"],))
    change = SeveralChanges((PutPerson(spare), RemovePerson("approver-2")))
    proposal = Proposal(**world.by("officer", SUBJECT), change=change)
    world.put(proposal)
    approval = {"proposal": proposal.id, "digest": change_digest(change)}
    world.put(ProposalApproval(**world.by("approver-1", SUBJECT), **approval))
    assert world.rejected[-1].detail.startswith("halt_stands")
    world.put(Rectification(**world.by("firm"), finding="override", cause="c", action="a", evidence="e"))
    world.put(Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS))
    for name in ("approver-1", "approver-2"):
        world.put(Approval(**world.by(name)))
    for pilot in ("p", "another"):
        assert [one.sandbox.version for one in world.of(pilot) if isinstance(one, ConfigurationLine)] == [1]
    found = replayed(world.of("p"), "p")
    assert found == replayed(world.tell(), "p")
    assert found == [structs.replace(d, epoch=0) for d in world.decisions if d.pilot == "p"]
