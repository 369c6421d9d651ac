"""A random walk of acts by every role, under halts, amendments, exits and changes of the sandbox, and what must hold at
each step: nothing but a release ends a halt, a firm never gets more rights, no act changes who may release a halt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from msgspec import structs

from monitor.charter.control import (
    Agreement,
    Amendment,
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
    Withdrawal,
)
from monitor.charter.model_acts import ModelEntry, ModelEntryWithdrawal, Supplier
from monitor.charter.spec import Authority, Charter, Participant, charter_hash
from monitor.decide import authority
from monitor.decide.releasable import missing
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import SUBJECT, Person
from monitor.lifecycle.sandbox_acts import (
    Change,
    Proposal,
    ProposalApproval,
    ProposalWithdrawal,
    PutAuthority,
    PutPerson,
    PutTier,
    RemovePerson,
    SandboxFounding,
    change_digest,
)
from monitor.lifecycle.standards import SHIPPED_STANDARDS
from monitor.model.records import Decision, Level, Reason
from monitor.model.signing import Proved, Signer
from monitor.model.subjects import is_model
from tests.acts.cells import AUTHORS, CHARTER, MAKERS, PEOPLE, Author
from tests.acts.model_cells import NEXT
from tests.unit.engine.test_model_acts import V1
from tests.unit.lifecycle.founded import AUTHORITY, KEYS, OTHER, PUBLIC, RESULTS, SANDBOX, Founded

MODELS = ("model:m-1", "model:m-2")
LENGTH = 250  # acts of one episode
OF_A_RELEASE = frozenset({Role.OFFICER, Role.APPROVER, Role.EVALUATOR})
TAKEN_OVER = (Authority(AUTHORITY, approvers=("firm",), officers=("x",)), Authority(OTHER))
NEW_KEYS = {name: Signer(bytes([100 + number]) * 32) for number, name in enumerate(("mallory", "second"), 1)}
KEYS.update(NEW_KEYS)
People = dict[str, tuple[frozenset[Role], str, frozenset[str]]]  # person -> roles, authority, keys


class Walk:
    """Walks with one random source; `counts` says what came up, `side_doors` what should not have."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.counts: Counter[str] = Counter()
        self.side_doors: list[str] = []
        self._begin()

    def walk(self, acts: int) -> None:
        """Send so many acts."""
        for number in range(acts):
            if number % LENGTH == 0:
                self._begin()
            self._step()

    def _begin(self) -> None:
        self.world = Founded(PEOPLE, admit=CHARTER)
        self.people_at_halt: People = {}
        self.before: People = {}
        self.may_release: frozenset[tuple[str, str, Role]] = frozenset()

    # ---- one step

    def _step(self) -> None:
        world, random = self.world, self.random
        before, halted = len(world.decisions), world.pilot.standing.halted
        self.before = self._people()
        shape = random.random()
        if shape < 0.08 and world.sent:
            world.step(random.choice(world.sent))  # a copy
        elif shape < 0.12:
            self._telemetry()
        else:
            act, key = self._choice(shape)
            world.put(act, key)
        world.at += random.choice((0, 0, 1_000, 60_000, 3_600_000))
        self._check(world.decisions[before:], halted)

    def _choice(self, shape: float) -> tuple[ControlBase, str]:
        if shape < 0.30:
            return self._configuration()
        if shape < 0.55:
            return self._helpful()
        if shape < 0.70:
            return self._amendment()
        if shape < 0.74:
            return self._on_a_model()
        author = self._author()
        make = MAKERS[self.random.choice(list(MAKERS))]
        return make(self.world.by(author.name), self.world.pilot.life.pilot), author.key

    def _on_a_model(self) -> tuple[ControlBase, str]:
        """An entry or a withdrawal by anybody, on a model, a pilot or the sandbox."""
        random, world = self.random, self.world
        author, name = self._author(), random.choice((*MODELS, *MODELS, "p", SUBJECT))
        if random.random() < 0.5:
            entitled = random.choice(("officer", "supplier", "evaluator"))
            author = Author(entitled, entitled)
        by, kept = world.by(author.name, name), world.machine.models.get(name)
        if kept is not None and kept.entries and random.random() < 0.3:
            return ModelEntryWithdrawal(**by, entry=random.choice(kept.entries).id, reason="x"), author.key
        named = Supplier(random.choice(("supplier", "mallory", "firm")), "deployer")
        return ModelEntry(**by, content=random.choice((named, V1, *NEXT))), author.key

    def _author(self) -> Author:
        """Any author; sometimes one signs in the name of another."""
        random = self.random
        found = random.choice(AUTHORS)
        if random.random() < 0.2:
            return Author(found.name, random.choice(["", *KEYS]))
        if random.random() < 0.15:
            return Author("mallory", random.choice(("mallory", "firm", "")))
        return found

    def _helpful(self) -> tuple[ControlBase, str]:
        """A step towards a halt or a release by somebody who may do it."""
        world, steps = self.world, self.world.pilot.standing.lifting
        if not world.pilot.standing.halted:
            return Override(**world.by("officer"), level="halt", reason="x"), "officer"
        if not steps.rectified:
            by = world.by("firm")
            return Rectification(**by, finding="f", cause="c", action="a", evidence="e"), "firm"
        if not steps.evaluated:
            return Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS), "evaluator"
        if len(steps.approvals) < 2:
            name = self.random.choice(("approver-1", "approver-2", "approver-3", "mallory"))
            return Approval(**world.by(name)), name
        name = self.random.choice(("officer", "officer", "mallory"))
        if self.random.random() < 0.05:
            return Withdrawal(**world.by("officer"), reason="x"), "officer"
        return Release(**world.by(name), reason="x"), name

    def _amendment(self) -> tuple[ControlBase, str]:
        """The firm signs a charter, or an author amends to one: other authorities, keys, conditions or tier."""
        random, world = self.random, self.world
        author = self._author()
        charters = list(_charters(world.pilot.charter))
        signed = [one for one in charters if charter_hash(one) == world.pilot.life.signed_by_firm]
        if signed and random.random() < 0.5:
            return Amendment(**world.by("officer"), charter=signed[0]), "officer"
        charter = random.choice(charters)
        if random.random() < 0.4:
            return Agreement(**world.by("firm"), charter=charter_hash(charter)), "firm"
        return Amendment(**world.by(author.name), charter=charter), author.key

    def _configuration(self) -> tuple[ControlBase, str]:
        """A proposal, approval or withdrawal by anybody, or a second founding."""
        random, world = self.random, self.world
        author = random.choice((Author("officer", "officer"), Author("approver-1", "approver-1"), self._author()))
        by, waiting = world.by(author.name, SUBJECT), world.state.open
        shape = random.random()
        if shape < 0.02:
            return SandboxFounding(**by, sandbox=SANDBOX), author.key
        if waiting and shape < 0.6:
            name = random.choice(list(waiting))
            return ProposalApproval(**by, proposal=name, digest=change_digest(waiting[name].change)), author.key
        if waiting and shape < 0.65:
            return ProposalWithdrawal(**by, proposal=random.choice(list(waiting))), author.key
        return Proposal(**by, change=random.choice(list(_changes(random)))), author.key

    def _telemetry(self) -> None:
        world = self.world
        if world.pilot.exited:
            return
        if world.commands and self.random.random() < 0.4:
            command = world.commands[-1]
            world.say(world.service.acknowledged(world.at, command.id, command.standing))
        else:
            world.at += 1_000
            world.say(world.service.heartbeat(world.at, self.random.random() < 0.5))

    # ---- what must hold

    def _check(self, new: list[Decision], was_halted: bool) -> None:
        pilot = self.world.pilot
        for decision in new:
            self.counts[decision.reason.value] += 1
            self._check_author(decision)
            if is_model(decision.pilot):
                self._check_model(decision)
            if decision.reason is Reason.RELEASED:
                self._check_release()
        released = any(decision.reason is Reason.RELEASED for decision in new)
        if was_halted and not released:
            self._hold(pilot.standing.halted, "a halt ended without a release")
            self._hold(pilot.standing.level is Level.HALT, "a halted pilot has another level")
            self._hold(bool(self.world.commands) and self.world.commands[-1].halts, "its command does not halt")
            verified = pilot.standing.halt_state.state == "verified"
            self._hold(not pilot.exited or verified, "it left before its stop was verified")
            self._hold(self._releasers() <= self.may_release, "somebody else may release a halt that stands")
            self._hold(not missing(self.world.state, pilot), "a halt that stands has lost the people of its release")
        if pilot.standing.halted and (not was_halted or released):
            self.people_at_halt, self.may_release = self._people(), self._releasers()
        firm = authority.roles(self.world.state, pilot, "firm", Proved(KEYS["firm"].key_id))
        self._hold(firm == {Role.FIRM}, "the firm has another role")

    def _check_author(self, decision: Decision) -> None:
        """The author that it names signed it, with a key of that author."""
        if not decision.cause.startswith("control:") or not decision.author or decision.reason is Reason.FOUNDED:
            return
        if decision.author == "firm":
            self._hold(decision.signed == KEYS["firm"].key_id, "an act of the firm is not signed by it")
            return
        none = (frozenset(), "", frozenset())
        _, _, keys = self._people().get(decision.author, none)
        known = keys | self.before.get(decision.author, none)[2]  # an act may change the keys of its author
        self._hold(decision.signed in known, f"{decision.author} acted with a key of somebody else")
        self._hold(decision.signed != KEYS["firm"].key_id, "the firm acted as somebody else")

    def _check_model(self, decision: Decision) -> None:
        """The configuration gave the author the role in which it spoke; only officers name suppliers and inspect."""
        roles, _, _ = self.before.get(decision.author, (frozenset(), "", frozenset()))
        content = decision.finding.content or {}
        self._hold(content["by"] in roles, f"{decision.author} spoke in a role that it has not")
        added = decision.reason is Reason.MODEL_ENTRY_ADDED
        if added and content["kind"] in ("supplier", "inspection"):
            self._hold(content["by"] == Role.OFFICER, "somebody else named a supplier or inspected")

    def _check_release(self) -> None:
        """Two people approved who were approvers when the halt began, after a rectification and an evaluation."""
        decisions = [one for one in self.world.decisions if one.pilot == "p"]
        last = max(i for i, one in enumerate(decisions) if one.reason is Reason.RELEASED)
        began = max(i for i, one in enumerate(decisions[:last]) if one.level > one.was and one.level is Level.HALT)
        steps = decisions[began:last]
        order = [one.reason for one in steps]
        self._hold(Reason.RECTIFICATION_RECORDED in order, "released without a rectification")
        evaluated = [i for i, one in enumerate(steps) if one.reason is Reason.EVALUATION_RECORDED]
        self._hold(bool(evaluated), "released without an evaluation")
        since = steps[evaluated[-1] :] if evaluated else steps
        approvers = {one.author for one in since if one.reason is Reason.APPROVAL_RECORDED}
        may = {name for name, (roles, place, _) in self.people_at_halt.items()
               if Role.APPROVER in roles and place == AUTHORITY}  # fmt: skip
        self._hold(len(approvers & may) >= 2, "released without two approvers of the time of the halt")
        author = decisions[last].author
        roles, place, keys = self.people_at_halt.get(author, (frozenset(), "", frozenset()))
        self._hold(Role.OFFICER in roles and place == AUTHORITY, "released by somebody who was no officer then")
        self._hold(decisions[last].signed in keys, "released with a key that was added since")

    def _people(self) -> People:
        sandbox = self.world.state.sandbox
        assert sandbox is not None
        return {
            person.id: (frozenset(person.roles), person.authority, frozenset(_ids(person))) for person in sandbox.people
        }

    def _releasers(self) -> frozenset[tuple[str, str, Role]]:
        """Who may do a step of a release now: person, key and role."""
        pilot, state = self.world.pilot, self.world.state
        found: set[tuple[str, str, Role]] = set()
        for name, (_, _, keys) in self._people().items():
            for key in keys:
                found |= {(name, key, role) for role in authority.roles(state, pilot, name, Proved(key)) & OF_A_RELEASE}
        return frozenset(found)

    def _hold(self, good: bool, what: str) -> None:
        if not good:
            last = [f"{one.standing} {one.reason} by {one.author}" for one in self.world.decisions[-5:]]
            self.side_doors.append(f"{what}: after {'; '.join(last)}")


def _charters(charter: Charter) -> Iterator[Charter]:
    new = structs.replace(charter, version=charter.version + 1)
    yield new
    yield structs.replace(new, authorities=TAKEN_OVER)
    yield structs.replace(new, authorities=TAKEN_OVER[1:])
    yield structs.replace(new, authorities=(*charter.authorities, Authority("nowhere")))
    yield structs.replace(new, evaluation=())
    yield structs.replace(new, tier="minimal")
    yield structs.replace(new, participant=Participant("firm", keys=(PUBLIC["firm"], KEYS["mallory"].public)))
    yield structs.replace(new, participant=Participant("mallory", keys=(PUBLIC["firm"],)))


def _changes(random: Random) -> Iterator[Change]:
    """Changes that would help somebody who is not entitled, and their reversal."""
    mallory = KEYS["mallory"].public
    yield PutPerson(Person("mallory", (Role.OFFICER, Role.APPROVER), AUTHORITY, (mallory,)))
    yield RemovePerson("mallory")
    for name in ("officer", "approver-1", "approver-2", "approver-3", "evaluator"):
        person = PEOPLE.person(name)
        assert person is not None
        yield PutPerson(structs.replace(person, keys=(KEYS["second"].public,)))
        yield PutPerson(structs.replace(person, keys=(*person.keys, KEYS["second"].public)))
        yield PutPerson(person)
        yield RemovePerson(name)
    moved = PEOPLE.person("other-approver")
    assert moved is not None
    yield PutPerson(structs.replace(moved, authority=AUTHORITY))
    yield PutPerson(Person("firm", (Role.OFFICER, Role.APPROVER), AUTHORITY, (mallory,)))
    yield PutAuthority(structs.replace(PEOPLE.authorities[0], region=random.choice(("", "north"))))
    for authorities in (1, 2):
        yield PutTier(structs.replace(SHIPPED_STANDARDS[1], authorities=authorities))


def _ids(person: Person) -> Iterator[str]:
    for key in person.keys:
        yield next(one.key_id for one in KEYS.values() if one.public == key)
