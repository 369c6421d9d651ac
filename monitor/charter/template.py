"""Templates: what another pilot may take over from the charter of a finished one. Pure.

A template is the public part of a charter, as its ledger holds it, without what identifies the firm and its stay. So
everybody with a copy of the ledger computes the same digest, and confidential parts of a firm never reach another.
"""

from __future__ import annotations

import hashlib
from typing import Any

from monitor.model.canonical import canonical

OWN = (
    "pilot", "participant", "version", "models", "vendor", "data_source", "cycle", "reporters", "confidential",
    "ledger_policy", "replicates", "chain", "changes",
)  # fmt: skip
"""Fields of a charter that belong to one pilot and are not in a template."""
_FILL_IN: dict[str, Any] = {
    "schema": "sandbox-charter/1",
    "version": 1,
    "pilot": "<pilot-id>",
    "participant": {"id": "<firm-id>", "name": "<Firm>"},
    "models": [{"digest": "<sha256 of the model>"}],
    "cycle": {"start": "<YYYY-MM-DD>", "end": "<YYYY-MM-DD>"},
}


def template_of(public: dict[str, Any]) -> dict[str, Any]:
    """The template that the public part of a charter gives."""
    return {name: value for name, value in public.items() if name not in OWN}


def template_digest(template: dict[str, Any]) -> str:
    """SHA-256 (hex) of a template as canonical JSON."""
    return hashlib.sha256(canonical(template)).hexdigest()


def charter_to_fill_in(public: dict[str, Any], name: str) -> dict[str, Any]:
    """A charter for a replica, with placeholders in <angle brackets> for what is its own, and its provenance. `public`
    is the public part of the charter that became the template `name`."""
    template = template_of(public)
    origin = {"pilot": public["pilot"], "template": name, "digest": template_digest(template)}
    return {**_FILL_IN, **template, "replicates": origin}
