"""What a door or the relay forwards to control: signed reports of a channel, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.control import Override
from monitor.charter.users_acts import ComplaintFiling, UserComplaint
from monitor.model.events import instant
from monitor.validate.users_report import REPORT_BYTES, report_of
from tests.unit.lifecycle.founded import KEYS, PUBLIC


class Channels:
    """One public channel."""

    def channel_keys(self, author: str) -> tuple[str, ...]:
        return (PUBLIC["public"],) if author == "public" else ()


def body(author: str = "public", count: int = 1) -> bytes:
    filed = tuple(
        UserComplaint(complaint=f"{n:032x}", time=instant(1_790_000_000_000), segment="\U0001f6d1" * 64, text="a" * 64)
        for n in range(count)
    )
    return msgspec.json.encode(ComplaintFiling(id="r", pilot="p", author=author, complaints=filed))


def judged(raw: bytes, signer: str = "public", key: bytes = b"p") -> object:
    return report_of(Channels(), key, raw, KEYS[signer].sign("control", raw))


def test_a_signed_report_passes_also_with_as_many_items_as_an_act_has() -> None:
    """The bound in bytes has space for fifty complaints with all fields at their largest."""
    raw = body(count=50)
    assert len(raw) < REPORT_BYTES
    assert isinstance(judged(raw), ComplaintFiling)


@pytest.mark.parametrize(
    ("raw", "signer", "key", "why"),
    [
        (body(), "firm", b"p", "not signed by the author"),
        (body("firm"), "firm", b"p", "no public channel"),
        (body(), "public", b"other", "not the pilot"),
        (body(count=51), "public", b"p", "no act"),
        (b"{", "public", b"p", "no act"),
        (b" " * (REPORT_BYTES + 1), "public", b"p", "too large"),
        (
            msgspec.json.encode(Override(id="o", pilot="p", author="public", level="halt", reason="x")),
            "public",
            b"p",
            "no report of users",
        ),
    ],
)
def test_everything_else_is_refused_with_its_reason(raw: bytes, signer: str, key: bytes, why: str) -> None:
    """A channel that signs an act of an officer does not reach control either."""
    found = judged(raw, signer, key)
    assert isinstance(found, str)
    assert why in found
