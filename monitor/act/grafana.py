"""The only home of grafana-api: five calls of Grafana's HTTP API; errors are `Unavailable` or `Refused`."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Callable
from typing import Any

import requests
from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace

from monitor.access.address import http_address
from monitor.act.http import TIMEOUT_SECONDS, judge
from monitor.errors import Unavailable

TOKEN_VARIABLE = "SANDBOX_MONITOR_GRAFANA_TOKEN"


def _credentials(address: str) -> tuple[str, str] | None:
    parts = urllib.parse.urlsplit(address)
    if parts.username is None:
        return None
    return urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")


class Grafana:
    """`address` is the base URL, a path prefix included; `token` a service account's, by default from the environment.
    User and password in the URL take its place (basic authentication).

    Every method raises `Unavailable` or `Refused`.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        base = http_address(address, "https://host:3000")
        parts = urllib.parse.urlsplit(base.url)
        self._address = base.shown
        prefix = parts.path.strip("/")
        self._face = GrafanaFace(
            _credentials(address) or (os.environ.get(TOKEN_VARIABLE, "") if token is None else token),
            host=parts.hostname,
            port=parts.port,
            url_path_prefix=prefix + "/" if prefix else "",
            protocol=parts.scheme,
            timeout=TIMEOUT_SECONDS,
        )
        self._face.api.s.headers["Connection"] = "close"  # calls are rare: no socket is kept open between them

    def push(self, dashboard: dict[str, Any], message: str) -> str:
        """Create or overwrite the dashboard of that `uid`; returns its URL path. The `message` stands in its
        history."""
        payload = {"dashboard": dashboard | {"id": None}, "overwrite": True, "message": message}
        answer = self._call(lambda: self._face.dashboard.update_dashboard(payload))
        return str(answer["url"])

    def get(self, uid: str) -> dict[str, Any]:
        """The dashboard as Grafana has it now."""
        answer: dict[str, Any] = self._call(
            lambda: self._face.dashboard.get_dashboard(urllib.parse.quote(uid, safe=""))
        )
        return dict(answer["dashboard"])

    def search(self, tag: str) -> list[str]:
        """The uids of all dashboards with that tag."""
        found = self._call(lambda: self._face.search.search_dashboards(tag=urllib.parse.quote(tag, safe="")))
        return [str(item["uid"]) for item in found]

    def annotated(self, tag: str) -> bool:
        """Whether an annotation with that tag exists."""
        quoted = urllib.parse.quote(tag, safe="")
        return bool(self._call(lambda: self._face.annotations.get_annotation(tags=[quoted], limit=1)))

    def annotate(self, text: str, tags: list[str], at_ms: int) -> None:
        """Mark a moment on every dashboard that shows one of the tags."""
        self._call(lambda: self._face.annotations.add_annotation(time_from=at_ms, tags=tags, text=text))

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except GrafanaException as error:
            judge(int(error.status_code), str(error.message), self._address)
            raise
        except (requests.RequestException, ValueError) as error:  # ValueError: an answer that is not JSON
            raise Unavailable(f"{self._address} does not answer as Grafana does: {error}") from error
