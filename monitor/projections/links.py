"""Absolute URLs of pages of the board, headings of the runbook and Grafana dashboards. Pure.

Ids come from firms and may have any character: each is percent-encoded as one part of a path, or as a value of a query.
"""

from __future__ import annotations

import urllib.parse

from msgspec import Struct

from monitor.errors import Refused

RUNBOOK = "https://example.org/sandbox-monitor/runbook.md"
"""A placeholder; `--runbook-url` names the page where this installation keeps `deploy/runbook.md`."""
BOARD = "http://127.0.0.1:8321"
"""Where the board of `sandbox-monitor serve` is by default; what dashboards link to as shipped."""
RUNBOOK_VARIABLE = "SANDBOX_MONITOR_RUNBOOK_URL"
BOARD_VARIABLE = "SANDBOX_MONITOR_BOARD_URL"
GRAFANA_VARIABLE = "SANDBOX_MONITOR_GRAFANA_URL"
PILOT_DASHBOARD, FLEET_DASHBOARD = "sandbox-pilot", "sandbox-fleet"  # uids of `dashboards/build.py`
_SCHEMES = ("http", "https", "file")


class Links(Struct, frozen=True):
    """`runbook` is the page whose headings are names of alerts, `board` and `grafana` the addresses of these two as
    people reach them. A link to what has no address is "".

    >>> links = Links("https://wiki.example.org/runbook", "https://board.example.org/", "https://grafana.example.org")
    >>> links.heading("SandboxPilotHalted")
    'https://wiki.example.org/runbook#sandboxpilothalted'
    >>> links.page("pilot 1/a?")
    'https://board.example.org/pilot/pilot%201%2Fa%3F'
    >>> links.entry("p&1", 7)
    'https://board.example.org/ledger/p%261/7'
    >>> links.dashboard(PILOT_DASHBOARD, pilot="p&1", participant="acme")
    'https://grafana.example.org/d/sandbox-pilot?var-pilot=p%261&var-participant=acme'
    >>> Links().page("p1"), Links().dashboard(FLEET_DASHBOARD)
    ('', '')
    """

    runbook: str = RUNBOOK
    board: str = ""
    grafana: str = ""

    def heading(self, alert: str) -> str:
        """The address of an alert's heading in the runbook."""
        return f"{self.runbook}#{alert.lower()}"

    def page(self, pilot: str) -> str:
        """The page of a pilot on the board."""
        return self.on_board("pilot", pilot)

    def charter(self, pilot: str) -> str:
        """The page of a pilot's charter."""
        return self.on_board("charter", pilot)

    def model(self, model: str) -> str:
        """The page of a model file."""
        return self.on_board("model", model)

    def firm(self, firm: str) -> str:
        """The page of a firm."""
        return self.on_board("firm", firm)

    def authority(self, authority: str) -> str:
        """The page of an authority."""
        return self.on_board("authority", authority)

    def entry(self, pilot: str, number: int) -> str:
        """The page of an entry of a pilot's ledger."""
        return self.on_board("ledger", pilot, str(number))

    def on_board(self, *parts: str) -> str:
        """A page of the board by the parts of its path, which are encoded here; no part: the page of today."""
        path = "/".join(urllib.parse.quote(part, safe="") for part in parts)
        return f"{self.board.rstrip('/')}/{path}" if self.board else ""

    def dashboard(self, uid: str, **variables: str) -> str:
        """A Grafana dashboard by its uid, with its variables set."""
        if not self.grafana:
            return ""
        query = urllib.parse.urlencode(
            {f"var-{name}": value for name, value in variables.items()}, quote_via=urllib.parse.quote
        )
        return f"{self.grafana.rstrip('/')}/d/{urllib.parse.quote(uid, safe='')}" + (f"?{query}" if query else "")


def checked(address: str, option: str) -> str:
    """`address` if it is absolute. Raises Refused with the option and the fix."""
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in _SCHEMES or not (parts.netloc or parts.path.startswith("/")):
        raise Refused(f"{option} {address!r} is not an absolute URL; write it as https://host/path")
    return address
