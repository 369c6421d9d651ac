"""The links of an alert: its heading in the runbook and the pilot's page on the board, as absolute URLs."""

from __future__ import annotations

import urllib.parse

from msgspec import Struct

from monitor.errors import Refused

RUNBOOK = "https://example.org/sandbox-monitor/runbook.md"
"""A placeholder; `--runbook-url` names the page where this installation keeps `deploy/runbook.md`."""
RUNBOOK_VARIABLE = "SANDBOX_MONITOR_RUNBOOK_URL"
BOARD_VARIABLE = "SANDBOX_MONITOR_BOARD_URL"
_SCHEMES = ("http", "https", "file")


class Links(Struct, frozen=True):
    """`runbook` is the page whose headings are names of alerts, `board` the board's address (empty: no links to it).

    >>> links = Links("https://wiki.example.org/runbook", "https://board.example.org/")
    >>> links.heading("SandboxPilotHalted")
    'https://wiki.example.org/runbook#sandboxpilothalted'
    >>> links.page("pilot 1")
    'https://board.example.org/pilot/pilot%201'
    """

    runbook: str = RUNBOOK
    board: str = ""

    def heading(self, alert: str) -> str:
        """The address of an alert's heading in the runbook."""
        return f"{self.runbook}#{alert.lower()}"

    def page(self, pilot: str) -> str:
        """The address of a pilot's page, "" when no board is known."""
        return f"{self.board.rstrip('/')}/pilot/{urllib.parse.quote(pilot, safe='')}" if self.board else ""


def checked(address: str, option: str) -> str:
    """`address` if it is absolute. Raises Refused with the option and the fix."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in _SCHEMES or not (parts.netloc or parts.path.startswith("/")):
        raise Refused(f"{option} {address!r} is not an absolute URL; write it as https://host/path")
    return address
