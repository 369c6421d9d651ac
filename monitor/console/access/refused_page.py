"""The page for a request without a reader, or where a login is needed."""

from __future__ import annotations

import htpy as h
from markupsafe import Markup

from monitor.console.access.gate import REFUSALS
from monitor.console.access.proxy_login import LoginRefusal
from monitor.console.frame import page
from monitor.translation import tr


def refused_page(reason: LoginRefusal) -> Markup:
    """Says what to do."""
    return page(tr("No access"), [h.h1[tr("No access")], h.p(".empty")[tr(REFUSALS[reason])]], "refused")
