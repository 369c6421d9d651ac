"""Why a log refuses to sign a checkpoint: the closed list, counted in `sandbox_monitor_publication_refused_total`."""

from __future__ import annotations

from enum import StrEnum


class SigningRefusal(StrEnum):
    """The first four concern the authority log: nothing is signed. The others concern one pilot log."""

    OLDER = "older_than_newest"
    """The authority log holds fewer leaves than the newest checkpoint: the disk was restored from an older copy."""
    DIFFERENT = "different_from_newest"
    """The authority log has another root at the size of the newest checkpoint: another history, or damage."""
    SWAPPED = "another_signed"
    """Another process stored a newer checkpoint in between: two notaries publish one log."""
    NO_NEWEST = "second_place_is_empty"
    """The second place knows no checkpoint, although this log has signed before."""
    PILOT_OLDER = "pilot_older_than_published"
    """The ledger of a pilot holds fewer entries than the authority log says were published."""
    PILOT_DIFFERENT = "pilot_different_from_published"
    """The ledger of a pilot has another root at the size that was published."""
