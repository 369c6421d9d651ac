"""A firm without a pilot applies through the gateway, in its own name; it reaches no other firm's pilot or outcome."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import msgspec
from msgspec import structs

from monitor.charter.control import Agreement, ApplicationWithdrawal, ControlBase, Screening, Submission
from monitor.charter.spec import Charter, Participant, charter_hash
from monitor.model.signing import Signer
from monitor.state.acts_once import validity
from tests.security.gateway_bench import KEYS, OF_FIRM, PILOTS, Bench, bench
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN

NEW, OTHER = Signer(b"8" * 32), Signer(b"9" * 32)


def charter(firm: str = "firm-8", signer: Signer = NEW, pilot: str = "p-8") -> Charter:
    """The charter that a firm proposes."""
    return structs.replace(OWN, pilot=pilot, participant=Participant(firm, keys=(signer.public,)))


def submission(proposed: Charter, name: str = "s-1") -> bytes:
    given = validity(0, int(time.time() * 1000))
    author = proposed.participant.id
    stated = application(proposed)
    return msgspec.json.encode(
        Submission(id=name, pilot=proposed.pilot, author=author, application=stated, charter=proposed, **given)
    )


def outcome(pilot: str, name: str = "s-1") -> str:
    return f"/v1/acts/{quote(pilot)}?id={name}&offset=0&partition=0"


def test_a_firm_without_a_pilot_applies_and_reads_what_became_of_it() -> None:
    """Its application is appended byte for byte; it, and no other firm, may ask for the outcome."""

    async def story(b: Bench) -> None:
        body = submission(charter())
        assert await b.status(b.signed("firm-8", "POST", "/v1/control", body, signer=NEW)) == 202
        assert [sent for _, sent, _ in b.control.appended] == [body]
        assert await b.status(b.signed("firm-8", "GET", outcome("p-8"), signer=NEW)) == 204
        for firm, signer in (("firm-8", OTHER), ("firm-1", KEYS["firm-1"]), ("firm-9", OTHER)):
            assert await b.status(b.signed(firm, "GET", outcome("p-8"), signer=signer)) == 403
        assert await b.status(b.signed("firm-8", "GET", outcome("p-8", "s-2"), signer=NEW)) == 403

    asyncio.run(in_bench(story))


def test_no_firm_applies_in_the_name_of_another_firm_or_for_its_pilot() -> None:
    """Neither with other keys, nor with a pilot that is admitted, nor with an act that another one signed."""

    async def story(b: Bench) -> None:
        taken = structs.replace(OF_FIRM["firm-2"], participant=charter().participant)
        attacks = (
            ("firm-8", submission(charter()), OTHER, OTHER),
            ("firm-8", submission(charter()), NEW, OTHER),
            ("firm-1", submission(charter("firm-1")), NEW, NEW),
            ("firm-8", submission(taken), NEW, NEW),
            ("firm-9", submission(charter()), NEW, NEW),
            ("firm-8", submission(structs.replace(charter(), participant=Participant("firm-8"))), NEW, NEW),
        )
        for firm, body, signer, act_signer in attacks:
            request = b.signed(firm, "POST", "/v1/control", body, signer=signer, act_signer=act_signer)
            assert await b.status(request) == 403, firm
        assert b.control.appended == []

    asyncio.run(in_bench(story))


def test_an_applicant_agrees_and_withdraws_but_screens_nothing() -> None:
    """The acts of a firm, on the pilot that it applied for; an officer's act is refused."""

    async def story(b: Bench) -> None:
        given = validity(2, int(time.time() * 1000))
        acts: list[tuple[ControlBase, int]] = [
            (Agreement(id="g", pilot=PILOTS["firm-1"], author="firm-1", charter=charter_hash(OWN), **given), 202),
            (ApplicationWithdrawal(id="w", pilot=PILOTS["firm-1"], author="firm-1", **given), 202),
            (Screening(id="s", pilot=PILOTS["firm-1"], author="firm-1", **given), 403),
        ]
        for act, status in acts:
            body = msgspec.json.encode(act)
            assert await b.status(b.signed("firm-1", "POST", "/v1/control", body)) == status

    asyncio.run(in_bench(story))


def test_a_flood_of_applicants_is_slowed_together_and_slows_no_firm() -> None:
    """All who have no pilot share one rate, under any name."""

    async def story() -> list[int]:
        async with bench(burst=20.0) as b:
            statuses = []
            for number in range(6):
                signer = Signer(bytes([50 + number]) * 32)
                body = submission(charter(f"new-{number}", signer, f"p-{number}"))
                request = b.signed(f"new-{number}", "POST", "/v1/control", body, signer=signer)
                statuses.append(await b.status(request))
            statuses.append(await b.status(b.signed("firm-1", "GET", f"/v1/standing/{quote(PILOTS['firm-1'])}")))
            return statuses

    statuses = asyncio.run(story())
    assert statuses[0] == 202
    assert 429 in statuses[:6]
    assert statuses[-1] in (200, 204)


async def in_bench(story: Callable[[Bench], Awaitable[None]]) -> None:
    async with bench() as b:
        await story(b)
