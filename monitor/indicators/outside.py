"""Whether a complaint was made outside the firm. Pure."""

from __future__ import annotations

from monitor.model.events import Envelope

OUTSIDE = ("users:", "reporter:")  # how the sources of the users' channel and of a charter's reporters begin


def is_outside(event: Envelope) -> bool:
    """Whether somebody other than the firm reported the event: no source of a firm that signs begins like this, and
    one of a firm that does not would count against that firm alone."""
    return event.source.startswith(OUTSIDE)
