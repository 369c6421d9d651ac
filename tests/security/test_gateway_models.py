"""A supplier or evaluator of the sandbox acts on the files of models through the gateway, in its own name only."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from random import Random
from urllib.parse import quote

import msgspec
from msgspec import structs

from monitor.charter.control import ControlBase, Drill
from monitor.charter.model_acts import ModelEntry, ModelEntryWithdrawal, ModelVersion
from monitor.kafka.firm_directory import FirmDirectory
from monitor.lifecycle.sandbox_acts import AnyAct, PutPerson, RemovePerson
from monitor.model.records import Decision
from monitor.model.signing import Signer
from monitor.state.acts_once import validity
from tests.security.gateway_bench import KEYS, PILOTS, STRANGER, Bench, bench
from tests.unit.lifecycle.founded import KEYS as PEOPLE
from tests.unit.lifecycle.founded import PUBLIC, SANDBOX, Founded

MODEL = "model:m-1"
MAKER = PEOPLE["supplier"]
STANDING = f"/v1/standing/{quote(MODEL, safe='')}"


def entry(author: str = "supplier", model: str = MODEL) -> bytes:
    given = validity(0, int(time.time() * 1000))
    content = ModelVersion("1.0", "sha256:aa")
    return msgspec.json.encode(ModelEntry(id="e-1", pilot=model, author=author, content=content, **given))


def acts_of(world: Founded) -> list[ControlBase]:
    """The acts that were sent to a machine."""
    return [msgspec.json.decode(record.value or b"", type=AnyAct) for record in world.sent]


def feed(directory: FirmDirectory, world: Founded) -> None:
    for act in acts_of(world):
        directory.act(act)
    for decision in world.decisions:
        directory.decision(decision)


def in_bench(story: Callable[[Bench], Awaitable[None]]) -> None:
    async def run() -> None:
        async with bench() as b:
            feed(b.routes._directory, Founded(admit=None))
            await story(b)

    asyncio.run(run())


def test_a_supplier_sends_an_entry_and_reads_what_became_of_it() -> None:
    """Appended byte for byte under the key of the model; the standing of the model may be read."""

    async def story(b: Bench) -> None:
        for body in (entry(), msgspec.json.encode(
            ModelEntryWithdrawal(id="w-1", pilot=MODEL, author="supplier", entry="e-1", reason="x")
        )):  # fmt: skip
            assert await b.status(b.signed("supplier", "POST", "/v1/control", body, signer=MAKER)) == 202
            assert b.control.appended[-1][:2] == (MODEL, body)
        evaluator = PEOPLE["evaluator"]
        assert await b.status(b.signed("evaluator", "POST", "/v1/control", entry("evaluator"), signer=evaluator)) == 202
        outcome = f"/v1/acts/{quote(MODEL, safe='')}?id=e-1&offset=0&partition=0"
        for target in (outcome, STANDING):
            assert await b.status(b.signed("supplier", "GET", target, signer=MAKER)) == 204

    in_bench(story)


def test_everybody_else_is_refused() -> None:
    """Other keys, other names, firms, officers, other acts, and a supplier on a pilot; nothing is appended."""

    async def story(b: Bench) -> None:
        firm, pilot = next(iter(PILOTS.items()))
        given = validity(0, int(time.time() * 1000))
        drill = msgspec.json.encode(Drill(id="d-1", pilot=MODEL, author="supplier", **given))
        on_pilot = msgspec.json.encode(Drill(id="d-1", pilot=pilot, author="supplier", **given))
        attacks: tuple[tuple[str, bytes, Signer, Signer], ...] = (
            ("supplier", entry(), STRANGER, STRANGER),
            ("supplier", entry(), MAKER, STRANGER),
            ("supplier", entry("evaluator"), MAKER, MAKER),
            ("supplier", drill, MAKER, MAKER),
            ("supplier", on_pilot, MAKER, MAKER),
            ("supplier", entry(model=pilot), MAKER, MAKER),
            ("officer", entry("officer"), PEOPLE["officer"], PEOPLE["officer"]),
            (firm, entry(firm), KEYS[firm], KEYS[firm]),
            (firm, entry(firm, pilot), KEYS[firm], KEYS[firm]),
        )
        for name, body, signer, act_signer in attacks:
            asked = b.signed(name, "POST", "/v1/control", body, signer=signer, act_signer=act_signer)
            assert await b.status(asked) == 403, body
        for stream in ("export", "decisions", "rejected"):
            target = f"/v1/{stream}/{quote(MODEL, safe='')}"
            assert await b.status(b.signed("supplier", "GET", target, signer=MAKER)) == 403
        assert await b.status(b.signed(firm, "GET", STANDING)) == 403
        assert not b.control.appended

    in_bench(story)


def test_people_are_those_of_the_configuration_in_force_in_whatever_order_the_logs_are_read() -> None:
    """A supplier that is removed is refused from then on, one that is added is known; refused acts change nothing."""
    world = Founded(admit=None)
    maker = next(one for one in SANDBOX.people if one.id == "supplier")
    world.change(PutPerson(structs.replace(maker, id="new", keys=(PUBLIC["stranger"],))))
    world.change(RemovePerson("supplier"))
    world.put(structs.replace(acts_of(world)[0], id="again"), "admitter")
    for seed in range(20):
        steps: list[ControlBase | Decision] = [*acts_of(world), *world.decisions, *world.decisions[:2]]
        Random(seed).shuffle(steps)
        directory = FirmDirectory()
        for step in steps:
            directory.decision(step) if isinstance(step, Decision) else directory.act(step)
        new = directory.third_party(MODEL, "new")
        assert new is not None
        assert new.keys == (PUBLIC["stranger"],)
        assert directory.third_party(MODEL, "supplier") is None
        for subject, name in itertools.product((MODEL, "p", "sandbox"), ("officer", "firm", "auditor", "")):
            assert directory.third_party(subject, name) is None
        assert directory.third_party("p", "new") is None
