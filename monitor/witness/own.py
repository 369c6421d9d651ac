"""The witness whose keys the publisher holds itself: bound by what it cosigned, like every other witness.

A cosignature states that the checkpoint extends all that this key cosigned before. So the keys sign through a
`Witness` with its own directory: a second root for one size, or a smaller size, is refused, also after a restart and
also where the log key signed it. On another disk than the ledgers, it refuses a restored old copy of a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.errors import Refused
from monitor.tlog.add_checkpoint import AddCheckpoint, parse_cosignatures
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.keys import Signer, Verifier
from monitor.tlog.note import SignedNote
from monitor.tlog.policy import Policy
from monitor.witness.answers import AddAnswer
from monitor.witness.client import Consistency, Cosignature, Outcome
from monitor.witness.state import WitnessState
from monitor.witness.witness import Witness

_OUTCOMES = {
    AddAnswer.FORK: Outcome.FORK,
    AddAnswer.BAD_PROOF: Outcome.FORK,
    AddAnswer.NOT_STORED: Outcome.UNAVAILABLE,
    AddAnswer.UNKNOWN_LOG: Outcome.UNKNOWN_LOG,
    AddAnswer.NOT_SIGNED: Outcome.NOT_SIGNED,
}


class OwnWitness:
    """Cosigns the logs of those `policies` that name one of `signers`; `state` is closed with it.

    Raises Refused when a signer is no witness of any policy, or the state cannot be read. One thread at a time.
    """

    def __init__(self, signers: Sequence[Signer], state: WitnessState, policies: Iterable[Policy]) -> None:
        self.keys = frozenset(signer.verifier for signer in signers)
        self._state = state
        logs: dict[str, list[Verifier]] = {}
        named = set[Verifier]()
        for policy in policies:
            mine = self.keys & {witness.verifier for witness in policy.witnesses}
            named |= mine
            for log in policy.logs if mine else ():
                logs.setdefault(log.name, []).append(log.verifier)
        for verifier in self.keys - named:
            raise Refused(f"no policy names the witness key {verifier.vkey}; add a line: witness NAME {verifier.vkey}")
        self._witness = Witness(state, logs, signers)

    def cosign(self, note: SignedNote, head: Checkpoint, consistency: Consistency) -> dict[Verifier, Cosignature]:
        """What each key says of the checkpoint; durable before this returns. Never raises."""
        held = self._witness.size(head.origin)
        if held > head.size:
            return self._all(Cosignature(Outcome.AHEAD, None, f"cosigned size {held} before, this is {head.size}"))
        try:
            response = self._witness.add(AddCheckpoint(held, tuple(consistency(held)), note).data)
            if response.answer is not AddAnswer.COSIGNED:
                outcome = _OUTCOMES.get(response.answer, Outcome.REFUSED)
                return self._all(Cosignature(outcome, None, response.body.decode(errors="replace").strip()))
            lines = parse_cosignatures(response.body)
        except Exception as error:  # a proof that cannot be made: the log is damaged
            return self._all(Cosignature(Outcome.REFUSED, None, f"cannot be asked: {error!r}"))
        return {key: Cosignature(Outcome.COSIGNED, line) for key in self.keys for line in lines if line.is_by(key)}

    def close(self) -> None:
        """Unlock the state. Idempotent."""
        self._state.close()

    def _all(self, answer: Cosignature) -> dict[Verifier, Cosignature]:
        return dict.fromkeys(self.keys, answer)
