"""A witness: cosigns a checkpoint only if it extends the one that it cosigned last, and stores it before it answers.

Checking the old size, storing the new checkpoint and making the cosignature happen under one lock per log, so that no
order of concurrent requests gives two cosignatures that contradict each other. The time in cosignatures of one log
never falls, also when the clock does: each says which tree was the largest at its time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from monitor.clock import wall_ms
from monitor.logs import EventLogger
from monitor.tlog.add_checkpoint import AddCheckpoint, cosignatures, parse_request
from monitor.tlog.errors import BadFormat
from monitor.tlog.keys import Signer
from monitor.tlog.note import sign
from monitor.witness.answers import AddAnswer, Response, refusal
from monitor.witness.evidence import EvidenceKind, EvidenceStore
from monitor.witness.judge import Accepted, Logs, Refusal, growth, signatures
from monitor.witness.state import Latest, WitnessState

logger = EventLogger(__name__)


class WitnessCounts(NamedTuple):
    """Where a witness reports: each answer, and how many forks it has kept."""

    answered: Callable[[AddAnswer], None] = lambda answer: None
    forks: Callable[[int], None] = lambda count: None


class Witness:
    """Cosigns checkpoints of `logs` with all of `signers` (types that carry a time). Safe for concurrent threads.

    Reads the state of every log at once. Raises Refused when a file of it cannot be read.
    """

    def __init__(
        self,
        state: WitnessState,
        logs: Logs,
        signers: Sequence[Signer],
        *,
        counts: WitnessCounts = WitnessCounts(),  # noqa: B008 (a frozen value)
        clock: Callable[[], int] = wall_ms,
        failpoint: Callable[[str], None] = lambda name: None,
    ) -> None:
        if not signers or not all(signer.verifier.kind.timed for signer in signers):
            raise ValueError("signers: at least one, of a type that carries a time")
        self._state, self._logs, self._signers = state, dict(logs), tuple(signers)
        self._clock, self._failpoint, self._counts = clock, failpoint, counts
        self._evidence = EvidenceStore(state.directory / "evidence")
        keys = [signer.verifier for signer in signers]
        self._latest = {origin: state.latest(origin, keys) for origin in self._logs}
        self._locks = {origin: threading.Lock() for origin in self._logs}
        self._keeping = threading.Lock()
        counts.forks(self._evidence.count(EvidenceKind.FORK))

    def latest(self, origin: str) -> bytes | None:
        """The checkpoint cosigned last, as a signed note; None when there is none or the log is unknown."""
        found = self._latest.get(origin)
        return None if found is None else found.note

    def size(self, origin: str) -> int:
        """The size of the checkpoint cosigned last; 0 when there is none or the log is unknown."""
        found = self._latest.get(origin)
        return 0 if found is None else found.checkpoint.size

    def add(self, body: bytes) -> Response:
        """Answer one `add-checkpoint`. Blocks on the disk; never raises for what a client sends."""
        response = self._add(body)
        self._counts.answered(response.answer)
        return response

    def _add(self, body: bytes) -> Response:
        try:
            request = parse_request(body)
        except BadFormat as error:
            return refusal(AddAnswer.MALFORMED, str(error))
        accepted = signatures(request, self._logs)
        if isinstance(accepted, Refusal):
            return accepted.response
        origin = request.checkpoint.origin
        with self._locks[origin]:
            latest = self._latest[origin]
            refused = growth(request, None if latest is None else latest.checkpoint)
            if refused is None:
                return self._cosign(request, accepted, latest)
        self._keep(request, refused, latest)
        return refused.response

    def _cosign(self, request: AddCheckpoint, accepted: Accepted, latest: Latest | None) -> Response:
        """Store, then answer; the lock of the log is held."""
        origin = accepted.checkpoint.origin
        time = max(self._clock() // 1000, 0 if latest is None else latest.time)
        lines = [sign(accepted.note.text, signer, time) for signer in self._signers]
        note = accepted.note.adding(lines).data
        try:
            self._state.store(origin, note)
        except OSError as error:
            # The file may hold the new checkpoint or the old one. Either is safe: no cosignature of the new one left
            # this process, so whatever is cosigned next on the old one contradicts nothing.
            logger.error("witness.not_stored", stage="record", origin=origin, error=error)
            return refusal(AddAnswer.NOT_STORED, "the witness cannot store the checkpoint; retry")
        self._latest[origin] = Latest(accepted.checkpoint, note, time)
        self._failpoint("stored")
        self._settle(origin, accepted.note.text)
        logger.info("witness.cosigned", stage="record", origin=origin, size=accepted.checkpoint.size)
        return Response(AddAnswer.COSIGNED, cosignatures(lines))

    def _settle(self, origin: str, text: str) -> None:
        try:
            self._evidence.settle(origin, text)
        except OSError as error:
            logger.warning("witness.evidence_failed", stage="record", origin=origin, error=error)

    def _keep(self, request: AddCheckpoint, refused: Refusal, latest: Latest | None) -> None:
        """Keep a signed checkpoint that contradicts what was cosigned, or that the log did not prove."""
        if not (refused.fork or refused.response.answer is AddAnswer.BAD_PROOF):
            return
        if latest is not None and latest.note.startswith(f"{request.note.text}\n".encode()):
            return  # the one cosigned last, sent with a wrong proof, as anybody can: it shows nothing
        kind = EvidenceKind.FORK if refused.fork else EvidenceKind.UNPROVEN
        origin, size = request.checkpoint.origin, request.checkpoint.size
        try:
            with self._keeping:
                path = self._evidence.keep(kind, request, b"" if latest is None else latest.note, self._clock())
                self._counts.forks(self._evidence.count(EvidenceKind.FORK))
        except OSError as error:
            logger.error("witness.evidence_failed", stage="record", origin=origin, error=error)
            return
        if path is None:  # known, or too many: the answer is counted, the log is not filled
            return
        report = logger.critical if refused.fork else logger.warning
        report("witness.refused", stage="record", origin=origin, size=size, kind=kind.value, kept=path)
