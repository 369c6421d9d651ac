"""Serves `/metrics`, `/live` and `/ready` from a separate thread.

Live: the watchdog has a recent proof of progress. Ready: the partitions assigned to this worker are recovered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from monitor.errors import Refused
from monitor.projections.metrics import CONTENT_TYPE, Metrics

Page = Callable[[], tuple[int, str, bytes]]  # status, media type, body


def page(good: Callable[[], bool], word: str) -> Page:
    """A page with body `word` and status 200 while `good()`, else `not word` and 503."""

    def answer() -> tuple[int, str, bytes]:
        fine = good()
        return (200 if fine else 503), "text/plain; charset=utf-8", (word if fine else f"not {word}").encode() + b"\n"

    return answer


def serve_metrics(metrics: Metrics, host: str, port: int) -> int:
    """Serve `/metrics` and `/live` of a reader until the process ends; port 0 picks a free one.

    Returns the port. Raises Refused."""
    pages: dict[str, Page] = {
        "/metrics": lambda: (200, CONTENT_TYPE, metrics.exposition()),
        "/live": page(lambda: True, "live"),
    }
    return serve(port, pages, host)


def serve(port: int, pages: dict[str, Page], host: str = "127.0.0.1") -> int:
    """Serve GET on these paths until the process ends; port 0 picks a free one. Returns the port.

    Raises Refused when host and port cannot be listened on.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pages.get(self.path.partition("?")[0])
            status, kind, body = found() if found else (404, "text/plain; charset=utf-8", b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the overridden name)
            """Does nothing: health checks are too frequent to log."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise Refused(f"{host}:{port} cannot be listened on: {error.strerror}; choose another") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return int(server.server_address[1])
