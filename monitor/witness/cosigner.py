"""Collects the cosignatures that a policy needs: the policy file is the contract between authority, firm and world.

Each policy (C2SP tlog-policy) names the logs it is for (`log` lines: the name of a key is the origin of its log), the
witnesses with their addresses, and the quorum. A checkpoint whose quorum is not reached is not published: the one
before stays visible, entries go on being recorded, and the next round asks again. `quorum none` publishes with whatever
cosignatures came in time. So whether a missing firm or witness holds back publication is written in the policy, and
nowhere else.

All witnesses of a log are asked at once. Publication waits for them for at most `WITHIN_S`, and for all logs together
for at most a tenth of the time and a burst of `BURST_S` (`patience.py`). A witness that did not answer is not asked
again for `FIRST_PAUSE_S`, which doubles up to `LONGEST_PAUSE_S` with each failure; one that refused a checkpoint is not
asked for the same one again, in the same way.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from monitor.clock import wall_ms
from monitor.errors import Refused
from monitor.logs import EventLogger
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint import parse as parse_checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.keys import Verifier, signature_time
from monitor.tlog.note import Signature, SignedNote, parse_note
from monitor.tlog.policy import KnownKey, Policy, parse_policy
from monitor.witness.client import Consistency, Cosignature, Outcome, WitnessClient
from monitor.witness.cosignature_time import time_problem
from monitor.witness.own import OwnWitness
from monitor.witness.patience import Patience

logger = EventLogger(__name__)

WITHIN_S = 5.0
BURST_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 120.0
ALARMING = frozenset({Outcome.FORK, Outcome.AHEAD})


class CosignerCounts(NamedTuple):
    """Where a cosigner reports: the outcome of each witness by the name of its key, and since when (ms since 1970)
    the log of an origin has lacked its quorum; None when it does not."""

    asked: Callable[[str, Outcome], None] = lambda witness, outcome: None
    lacking: Callable[[str, int | None], None] = lambda origin, since: None


class _Pause:
    """Longer with each failure in a row: `FIRST_PAUSE_S`, doubled up to `LONGEST_PAUSE_S`."""

    def __init__(self) -> None:
        self._length, self._until = 0.0, 0.0

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._until

    def failed(self) -> None:
        self._length = min(LONGEST_PAUSE_S, self._length * 2 or FIRST_PAUSE_S)
        self._until = time.monotonic() + self._length

    def succeeded(self) -> None:
        self._length = 0.0


class _Kept(NamedTuple):
    """The newest checkpoint of a log: its text, when it was first submitted (seconds since 1970), who cosigned it, and
    who refused it."""

    text: str
    made_s: int
    found: dict[Verifier, Signature]
    refused: dict[Verifier, _Pause]

    def waits(self, key: Verifier) -> bool:
        """Whether this witness refused it, and is not asked again yet."""
        return key in self.refused and not self.refused[key].over

    def take(self, key: Verifier, answer: Cosignature) -> None:
        """Keep what a witness answered. `_Asked` has the pause after no answer."""
        if answer.signature is not None:
            self.found[key] = answer.signature
        elif answer.outcome is not Outcome.UNAVAILABLE:
            self.refused.setdefault(key, _Pause()).failed()


class PolicyCosigner:
    """Asks the witnesses of `policies`; `own` is the witness whose keys this process holds. Implements
    `monitor.publication.hooks.Cosigner`; one thread at a time.

    A witness that cosigned a checkpoint is not asked again for the same one: the cosignature is kept until the log has
    another. Raises Refused when two policies name one log.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        own: OwnWitness | None = None,
        *,
        within_s: float = WITHIN_S,
        counts: CosignerCounts = CosignerCounts(),  # noqa: B008 (a frozen value)
    ) -> None:
        self._within_s, self._counts = within_s, counts
        self._policies: dict[str, Policy] = {}
        self._asked: dict[str, _Asked] = {}
        self._patience = Patience(BURST_S, time.monotonic())
        self._since: dict[str, int] = {}
        self._own = own
        self._kept: dict[str, _Kept] = {}
        for policy in policies:
            for origin in {log.name for log in policy.logs}:
                if origin in self._policies:
                    raise Refused(f"two policies name the log {origin}; name each log in one policy")
                self._policies[origin] = policy

    @property
    def policies(self) -> dict[str, Policy]:
        """The policy of each log."""
        return dict(self._policies)

    def cosign(self, origin: str, checkpoint: bytes, consistency: Consistency) -> Sequence[bytes]:
        """The cosignature lines that came in time, verified. No lines for a log without a policy.

        Raises Refused when the policy of the log is not satisfied with them: the checkpoint must not become visible.
        """
        policy = self._policies.get(origin)
        if policy is None:
            return ()
        note = parse_note(checkpoint)
        kept = self._kept.get(origin)
        if kept is None or kept.text != note.text:
            kept = self._kept[origin] = _Kept(note.text, wall_ms() // 1000, {}, {})
        self._ask_own(policy, note, consistency, kept)
        self._collect(policy, note, consistency, kept)
        lines = [kept.found[w.verifier] for w in policy.witnesses if w.verifier in kept.found]
        result = policy.satisfied(note.adding(lines))
        if result:
            self._since.pop(origin, None)
            self._counts.lacking(origin, None)
            return [line.line.encode() for line in lines]
        self._counts.lacking(origin, self._since.setdefault(origin, wall_ms()))
        raise Refused(f"{origin}: the policy (sha256 {policy.sha256[:16]}...) is not satisfied: {result.problem}")

    def close(self) -> None:
        """Unlock what the own witness remembers. Idempotent."""
        if self._own is not None:
            self._own.close()

    def _ask_own(self, policy: Policy, note: SignedNote, consistency: Consistency, kept: _Kept) -> None:
        """Have the keys sign that this process holds, as far as what they cosigned before lets them."""
        own = self._own
        if own is None:
            return
        mine = [w.verifier for w in policy.witnesses if w.verifier in own.keys - kept.found.keys()]
        if all(map(kept.waits, mine)):  # they are asked together, and answer alike
            return
        head = parse_checkpoint(note.text)
        answers = own.cosign(note, head, consistency)
        for key in mine:
            answer = answers[key]
            if answer.signature is not None:
                time_s = signature_time(answer.signature.signature)
                if problem := time_problem(time_s, kept.made_s, wall_ms() // 1000):
                    answer = Cosignature(Outcome.BAD_ANSWER, None, problem)
            self._report(key.name, head, answer)
            kept.take(key, answer)

    def _collect(self, policy: Policy, note: SignedNote, consistency: Consistency, kept: _Kept) -> None:
        """Ask all witnesses with an address at once; those that have not answered when the time is over are left."""
        head, began = parse_checkpoint(note.text), time.monotonic()
        until = began + self._patience.wait(self._within_s, began)
        answers: queue.Queue[tuple[str, Cosignature]] = queue.Queue()
        proofs = _SharedProofs(consistency)
        open_ones, own = set[str](), frozenset() if self._own is None else self._own.keys
        for witness in policy.witnesses:
            if witness.url is None or witness.verifier in kept.found or witness.verifier in own:
                continue
            asked = self._asked_of(witness)
            waits = kept.waits(witness.verifier)
            if not waits and asked.begin(note, head, proofs, (began + self._within_s, answers)):
                open_ones.add(asked.key)
            else:
                self._report(witness.verifier.name, head, Cosignature(Outcome.SKIPPED))
        keys = {_key(witness): witness.verifier for witness in policy.witnesses}
        while open_ones:
            try:
                key, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            open_ones.discard(key)
            self._report(keys[key].name, head, answer)
            kept.take(keys[key], answer)
        if open_ones:
            self._patience.spend(time.monotonic() - began)
        for key in open_ones:
            late = f"no answer within {until - began:.1f} s"
            self._report(keys[key].name, head, Cosignature(Outcome.UNAVAILABLE, None, late))

    def _asked_of(self, witness: KnownKey) -> _Asked:
        key = _key(witness)
        if key not in self._asked:
            assert witness.url is not None
            self._asked[key] = _Asked(key, WitnessClient(witness.url, witness.verifier))
        return self._asked[key]

    def _report(self, name: str, head: Checkpoint, answer: Cosignature) -> None:
        self._counts.asked(name, answer.outcome)
        if answer.outcome in (Outcome.COSIGNED, Outcome.SKIPPED):
            return
        report = logger.critical if answer.outcome in ALARMING else logger.warning
        report(
            "cosignature.missing",
            stage="record",
            witness=name,
            origin=head.origin,
            size=head.size,
            outcome=answer.outcome.value,
            detail=answer.detail,
        )


class _SharedProofs:
    """Consistency proofs by old size, for the threads of one checkpoint: the source is asked by one at a time."""

    def __init__(self, consistency: Consistency) -> None:
        self._consistency, self._found, self._lock = consistency, dict[int, list[bytes]](), threading.Lock()

    def __call__(self, old: int) -> list[bytes]:
        with self._lock:
            if old not in self._found:
                self._found[old] = self._consistency(old)
            return self._found[old]


class _Asked:
    """One witness: at most one request at a time, and a pause after one that did not answer."""

    def __init__(self, key: str, client: WitnessClient) -> None:
        self.key, self._client = key, client
        self._busy = threading.Lock()
        self._pause = _Pause()

    def begin(
        self,
        note: SignedNote,
        head: Checkpoint,
        proofs: _SharedProofs,
        rest: tuple[float, queue.Queue[tuple[str, Cosignature]]],
    ) -> bool:
        """Ask in a thread, which puts its answer into the queue. Returns False when the witness is not asked now."""
        if not self._pause.over or not self._busy.acquire(blocking=False):
            return False
        until, answers = rest

        def ask() -> None:
            try:
                answer = self._ask(note, head, proofs, until)
            finally:
                self._busy.release()
            answers.put((self.key, answer))

        threading.Thread(target=ask, name="cosignature", daemon=True).start()
        return True

    def _ask(self, note: SignedNote, head: Checkpoint, proofs: _SharedProofs, until: float) -> Cosignature:
        try:
            answer = self._client.cosign(note, head, proofs, until)
        except Exception as error:  # a proof that cannot be made; the log is damaged or the witness is ahead
            return Cosignature(Outcome.REFUSED, None, f"cannot be asked: {error!r}")
        if answer.outcome is Outcome.UNAVAILABLE:
            self._pause.failed()
        else:
            self._pause.succeeded()
        return answer


def _key(witness: KnownKey) -> str:
    return f"{witness.verifier.vkey} {witness.url or ''}"


def read_policy(path: Path) -> Policy:
    """The policy in a file. Raises Refused, with line and fix."""
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    except BadFormat as error:
        raise Refused(f"{path}: {error}") from error
