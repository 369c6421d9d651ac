"""What a service may ask of its pilot, and which of it contradicts itself."""

from __future__ import annotations

from typing import Literal

Tier = Literal["minimal", "limited", "high", "critical"]
STOPPING = ("high", "critical")  # tiers whose work stops when the permit lapses


def consistent(tier: str | None, permits: str, on_lapse: str | None, heartbeat_s: float, follow: bool) -> None:
    """Raise ValueError on settings that contradict each other."""
    for name, value, words in (
        ("tier", tier, (None, "minimal", "limited", "high", "critical")),
        ("permits", permits, ("required", "off")),
        ("on_lapse", on_lapse, (None, "stop", "shout")),
    ):
        if value not in words:
            raise ValueError(f"{name} is {value!r}; give one of {', '.join(word for word in words if word)}")
    if tier in STOPPING and (permits == "off" or on_lapse == "shout"):
        raise ValueError(
            f"a pilot of tier {tier} stops when its permit lapses: leave out permits='off', on_lapse='shout'"
        )
    if permits == "off" and on_lapse:
        raise ValueError("on_lapse says what the end of a permit means, but permits are off: give permits='required'")
    if permits == "required" and not (heartbeat_s > 0 and follow):
        raise ValueError("a permit answers a heartbeat: permits='required' needs heartbeat_s above 0 and follow=True")
