"""The settings of a `Pilot`, checked once and then frozen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from monitor.access.environment import AUTHOR
from monitor.model.signing import Signer, Trusted
from monitor.sdk.clock import Clock

Tier: TypeAlias = Literal["minimal", "limited", "high", "critical"]
Permits: TypeAlias = Literal["required", "off"]
OnLapse: TypeAlias = Literal["stop", "shout"]
STOPPING = ("high", "critical")  # tiers whose work stops when the permit lapses
WORDS: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    ("tier", (None, "minimal", "limited", "high", "critical")),
    ("permits", ("required", "off")),
    ("on_lapse", (None, "stop", "shout")),
)


class PilotSettings(Struct, frozen=True, kw_only=True):
    """What a `Pilot` was made with; its keywords are documented there. Durations in s unless the name says ms."""

    pilot: str
    participant: str
    source: str  # stem, without the incarnation
    model: str
    spool_dir: Path
    spool_bytes: int
    pack: int
    pack_ms: int
    heartbeat_s: float  # 0: no heartbeats
    follow: bool
    guard_timeout: float
    serving: Callable[[], bool] | None
    tier: Tier | None
    permits: Permits
    on_lapse: OnLapse | None
    keys: Trusted | None
    pins: bool  # without keys: trust the first one that signs
    signer: Signer | None
    pseudonyms: bool | None  # None: with a signer
    drain_s: float
    board: str
    runbook: str
    clock: Clock

    @property
    def pseudonym_key(self) -> bytes | None:
        """What ids of complaints, incidents and decisions are made pseudonyms with; None: they are sent as they are."""
        return None if self.signer is None or self.pseudonyms is False else self.signer.pseudonym_key

    @property
    def lapse_policy(self) -> OnLapse | None:
        """What the end of a permit means: as set, else by tier; None: what the permits themselves state."""
        if self.on_lapse or not self.tier:
            return self.on_lapse
        return "stop" if self.tier in STOPPING else "shout"

    @property
    def stops_at_first(self) -> bool:
        """Whether work needs a permit before any permit has stated what its end means."""
        return self.permits == "required" and self.lapse_policy != "shout"


def permits_of(permits: Permits | None, tier: Tier | None) -> Permits:
    """Return `permits`, or its default for the tier."""
    return permits or ("required" if tier in STOPPING else "off")


def check(settings: PilotSettings) -> None:
    """Raise ValueError, with the fix, on a setting that is out of range or contradicts another one."""
    for name, words in WORDS:
        value = getattr(settings, name)
        if value not in words:
            raise ValueError(f"{name} is {value!r}; give one of {', '.join(word for word in words if word)}")
    tier, permits, on_lapse = settings.tier, settings.permits, settings.on_lapse
    if settings.pseudonyms and settings.signer is None:
        raise ValueError("pseudonyms are made with the firm's key: give key=..., a file of `sandbox-monitor keys new`")
    if tier in STOPPING and (permits == "off" or on_lapse == "shout"):
        raise ValueError(
            f"a pilot of tier {tier} stops when its permit lapses: leave out permits='off', on_lapse='shout'"
        )
    if permits == "off" and on_lapse:
        raise ValueError("on_lapse says what the end of a permit means, but permits are off: give permits='required'")
    if permits == "required" and not (settings.heartbeat_s > 0 and settings.follow):
        raise ValueError("a permit answers a heartbeat: permits='required' needs heartbeat_s above 0 and follow=True")
    for name, least in (("pack", 1), ("pack_ms", 0), ("spool_bytes", 65536), ("drain_s", 0)):
        value = getattr(settings, name)
        if value < least:
            raise ValueError(f"{name} is {value:g}; give at least {least}")
    if tier in STOPPING and settings.follow and settings.keys is None and settings.pins:
        raise ValueError(
            f"a pilot of tier {tier} needs trust=: the public key of the authority, as it published it "
            "(`sandbox-monitor keys show`, GET /v1/key of an embedded monitor); for a trial without one give "
            'trust="none", and anybody who can write or respond there can release the pilot'
        )
    if not settings.participant:
        raise ValueError(
            f"participant is empty; give the firm's id as in the charter, or set {AUTHOR} in the environment"
        )
