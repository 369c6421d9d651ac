"""An HTTP server on loopback that records its requests and returns the configured responses: the peer of an actor."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Recorded(NamedTuple):
    """One request as it came: method, path with query, headers (lower-case names), body (parsed if it is JSON)."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Answer = tuple[int, Any]


class Recorder:
    """A context manager. `answer(recorded)` gives status and JSON body of each answer; it may be replaced at any time.

    >>> import urllib.request
    >>> with Recorder() as recorder:
    ...     _ = urllib.request.urlopen(recorder.url + "/hello", timeout=5).read()
    ...     recorder.seen[0].path
    '/hello'
    """

    def __init__(self, answer: Callable[[Recorded], Answer] = lambda recorded: (200, {})) -> None:
        self.answer = answer
        self.seen: list[Recorded] = []

    def __enter__(self) -> Recorder:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    body = json.loads(raw) if raw else None
                except ValueError:
                    body = raw
                headers = {name.lower(): value for name, value in self.headers.items()}
                recorded = Recorded(self.command, self.path, headers, body)
                recorder.seen.append(recorded)
                status, response = recorder.answer(recorded)
                out = json.dumps(response).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(out)))
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 (names that http.server looks up)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the overridden name)
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
