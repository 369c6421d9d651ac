"""A stand-in for Grafana's HTTP API, as documented for dashboards, search and annotations: what `monitor.act.grafana`
calls. Use it as the answer of a `Recorder`."""

from __future__ import annotations

import urllib.parse
from typing import Any

from monitor.testing.recorder import Answer, Recorded

UNAUTHORIZED: Answer = (401, {"message": "Unauthorized"})
NOT_FOUND: Answer = (404, {"message": "Not found"})


class FakeGrafana:
    """Keeps dashboards by uid and annotations in their order. `token` is the one that it accepts, `prefix` the path
    under which it is served.

    >>> import urllib.request
    >>> from monitor.testing.recorder import Recorder
    >>> with Recorder(FakeGrafana()) as recorder:
    ...     ask = urllib.request.Request(recorder.url + "/grafana/api/annotations?tags=a")
    ...     ask.add_header("Authorization", "Bearer secret")
    ...     urllib.request.urlopen(ask, timeout=5).read()
    b'[]'
    """

    def __init__(self, token: str = "secret", prefix: str = "/grafana") -> None:
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.annotations: list[dict[str, Any]] = []
        self._token, self._prefix = token, prefix

    def __call__(self, seen: Recorded) -> Answer:
        """Answer one request."""
        if seen.headers.get("authorization") != f"Bearer {self._token}":
            return UNAUTHORIZED
        parts = urllib.parse.urlsplit(seen.path)
        if not parts.path.startswith(f"{self._prefix}/api/"):
            return NOT_FOUND
        path, query = parts.path.removeprefix(f"{self._prefix}/api/"), urllib.parse.parse_qs(parts.query)
        match seen.method, path.split("/"):
            case "POST", ["dashboards", "db"]:
                return self._store(seen.body)
            case "GET", ["dashboards", "uid", uid]:
                held = self.dashboards.get(urllib.parse.unquote(uid))
                return (200, {"dashboard": held, "meta": {}}) if held else (404, {"message": "Dashboard not found"})
            case "GET", ["search"]:
                wanted = set(query.get("tag", ()))
                return 200, [{"uid": uid} for uid, held in self.dashboards.items() if wanted <= set(held["tags"])]
            case "POST", ["annotations"]:
                return self._annotate(seen.body)
            case "GET", ["annotations"]:
                return 200, self.tagged(query.get("tags", []), int(query.get("limit", ["100"])[0]))
        return NOT_FOUND

    def tagged(self, tags: list[str], limit: int = 100) -> list[dict[str, Any]]:
        """The newest annotations that have all of these tags, as `GET /api/annotations` lists them."""
        found = [one for one in self.annotations if set(tags) <= set(one["tags"])]
        return sorted(found, key=lambda one: -int(one["time"]))[:limit]

    def _store(self, body: Any) -> Answer:
        board = body["dashboard"]
        if board["uid"] in self.dashboards and not body.get("overwrite"):
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        self.dashboards[board["uid"]] = board
        return 200, {"uid": board["uid"], "url": f"/d/{board['uid']}/x", "status": "success", "version": 1}

    def _annotate(self, body: Any) -> Answer:
        if not body.get("text"):
            return 400, {"message": "Failed to save annotation", "error": "text field should not be empty"}
        made = {"id": len(self.annotations) + 1, "time": body["time"], "timeEnd": body.get("timeEnd", body["time"])}
        self.annotations.append({**made, "tags": list(body.get("tags", ())), "text": body["text"]})
        return 200, {"message": "Annotation added", "id": made["id"]}
