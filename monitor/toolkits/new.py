"""Writes a charter to fill in from a toolkit, with the toolkit that it comes from. Pure."""

from __future__ import annotations

import re

from monitor.toolkits.spec import LoadedToolkit

_AFTER = re.compile(r"^schema:.*\n", re.MULTILINE)


def new_charter(toolkit: LoadedToolkit) -> str:
    """The template as text, with the field `toolkit`."""
    ref = toolkit.ref
    lines = (
        "# The toolkit that this charter comes from: `charter check` says what was loosened or removed since.\n"
        f"toolkit: {{id: {ref.id}, version: {ref.version}, digest: {ref.digest}}}\n"
    )
    return _AFTER.sub(lambda found: found[0] + lines, toolkit.charter_text, count=1)
