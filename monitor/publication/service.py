"""Runs rounds of a publication in a thread, whatever fails: the ledger goes on without it, and metrics say so."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from monitor.clock import wall_ms
from monitor.errors import Refused, SigningRefused, TryAgain
from monitor.logs import EventLogger
from monitor.projections.metrics import Metrics
from monitor.publication.publisher import Publisher
from monitor.publication.refusals import SigningRefusal

_log = EventLogger(__name__)

EVERY_S = 1.0
RETRY_S = 5.0
REFUSED_S = 30.0  # after a refusal or a failure: a round then reads all leaves again, in the process of the notary


class RoundOutcome(StrEnum):
    """How a round ended; counted in `sandbox_monitor_publication_rounds_total`."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    UNAVAILABLE = "unavailable"
    """The second place did not answer, or too few witnesses did."""
    REFUSED = "refused"
    FAILED = "failed"
    """A disk error, or a ledger that cannot be read."""


class PublicationService:
    """A thread that publishes every `every_s` seconds. `stop` ends it after a last round."""

    def __init__(
        self, publisher: Publisher, metrics: Metrics, every_s: float = EVERY_S, clock: Callable[[], int] = wall_ms
    ) -> None:
        self._publisher, self._metrics, self._every_s, self._clock = publisher, metrics, every_s, clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publication", daemon=True)
        self._said = ""
        for outcome in RoundOutcome:
            metrics.publication_round(outcome.value, 0)

    def start(self) -> None:
        """Start publishing. Until the first round succeeds, the publication counts as current at the start."""
        self._metrics.published_until(self._clock())
        self._thread.start()

    def stop(self) -> None:
        """Publish what is left and end the thread. Blocks for at most one round. Idempotent."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._publisher.close()

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            wait = self.once()
        self.once()

    def once(self) -> float:
        """Run one round. Returns the seconds to wait before the next."""
        began, refused = self._clock(), Counter[str]()
        try:
            done = self._publisher.round()
        except SigningRefused as error:
            outcome, wait, problem = RoundOutcome.REFUSED, REFUSED_S, str(error)
            refused[str(error.reason)] = 1
        except (TryAgain, Refused) as error:
            outcome, wait, problem = RoundOutcome.UNAVAILABLE, RETRY_S, str(error)
        except Exception as error:  # the ledger must go on whatever cannot be published
            outcome, wait, problem = RoundOutcome.FAILED, REFUSED_S, str(error) or repr(error)
        else:
            outcome, wait, problem = RoundOutcome.PUBLISHED if done.logs else RoundOutcome.UNCHANGED, self._every_s, ""
            refused.update(str(why) for why in done.refused.values())
            self._metrics.published_until(began)
            self._metrics.published(done.size, done.entries, self._clock() if done.logs else None)
        for reason in SigningRefusal:
            self._metrics.publication_refused(reason.value, refused[reason.value])
        self._metrics.publication_round(outcome.value)
        if problem != self._said:
            self._said = problem
            if problem:
                _log.error("publication.stopped", stage="record", outcome=outcome, retry_s=wait, detail=problem)
            else:
                _log.info("publication.resumed", stage="record")
        return wait
