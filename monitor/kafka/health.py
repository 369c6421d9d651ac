"""The pages `/metrics`, `/live` and `/ready` of a service, served from a separate thread.

Live: the watchdog has a recent proof of progress. Ready: the partitions assigned to this worker are recovered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.http_server.in_thread import Page, serve_pages
from monitor.projections.metrics import CONTENT_TYPE, Metrics

__all__ = ["Page", "page", "serve", "serve_metrics"]

serve = serve_pages


def page(good: Callable[[], bool], word: str) -> Page:
    """A page with body `word` and status 200 while `good()`, else `not word` and 503."""

    def answer() -> tuple[int, str, bytes]:
        fine = good()
        return (200 if fine else 503), "text/plain; charset=utf-8", (word if fine else f"not {word}").encode() + b"\n"

    return answer


def serve_metrics(metrics: Metrics, host: str, port: int, host_names: Sequence[str] = ()) -> int:
    """Serve `/metrics` and `/live` of a reader until the process ends; port 0 picks a free one. `host_names`: see
    `HttpServer`.

    Returns the port. Raises Refused."""
    pages: dict[str, Page] = {
        "/metrics": lambda: (200, CONTENT_TYPE, metrics.exposition()),
        "/live": page(lambda: True, "live"),
    }
    return serve(port, pages, host, names=host_names, count=metrics.http_refused)
