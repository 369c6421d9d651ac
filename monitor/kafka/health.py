"""The pages `/metrics`, `/live` and `/ready` of a service, served from a separate thread.

Live: the watchdog has a recent proof of progress. Ready: the partitions assigned to this worker are recovered.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.http_server.in_thread import Page, serve_pages

__all__ = ["Page", "page", "serve"]

serve = serve_pages


def page(good: Callable[[], bool], word: str) -> Page:
    """A page with body `word` and status 200 while `good()`, else `not word` and 503."""

    def answer() -> tuple[int, str, bytes]:
        fine = good()
        return (200 if fine else 503), "text/plain; charset=utf-8", (word if fine else f"not {word}").encode() + b"\n"

    return answer
