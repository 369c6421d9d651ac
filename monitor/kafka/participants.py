"""Participants with separate topics: found by the names of topics, when a worker starts and while it runs."""

from __future__ import annotations

from msgspec import Struct, structs

from monitor.errors import SandboxMonitorError
from monitor.kafka.ownership import PartitionOwnership
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.topics import TopicMismatch, TopicNames, check_topics, participant_topics, participants_of
from monitor.logs import EventLogger

logger = EventLogger(__name__)


class FoundParticipants(Struct, frozen=True):
    """Participants by what their topics allow. `present` have a telemetry topic; that of `readable` can be read;
    commands and permits of `unrouted`, which are among these, go to the shared topics. `wrong` is what is wrong, with
    the fixes."""

    present: tuple[str, ...]
    readable: tuple[str, ...]
    unrouted: tuple[str, ...]
    wrong: tuple[TopicMismatch, ...]

    @property
    def detail(self) -> str:
        """What is wrong, a line each."""
        return "\n".join(f"  {m}" for m in self.wrong)


async def find_participants(bootstrap: str, prefix: str, partitions: int, replication: int = 1) -> FoundParticipants:
    """Look at the topics of every participant that has a telemetry topic. Raises `Unavailable`, `LogBroken`."""
    found = await participants_of(bootstrap, prefix)
    names = TopicNames(prefix, found, per_participant=True)
    wrong = await check_topics(bootstrap, participant_topics(names, partitions, replication)) if found else []
    bad = {m.topic for m in wrong}
    readable = tuple(p for p in found if names.telemetry_of(p) not in bad)
    unrouted = tuple(p for p in readable if bad & {names.commands_of(p), names.permits_of(p)})
    return FoundParticipants(found, readable, unrouted, tuple(wrong))


def with_participants(settings: WorkerSettings, found: FoundParticipants) -> WorkerSettings:
    """The settings of a worker that begins with these participants."""
    report_refused(found)
    return structs.replace(settings, participants=found.readable, unrouted=found.unrouted)


def report_refused(found: FoundParticipants) -> None:
    """Log topics that are not used, with the fix of each."""
    if found.wrong:
        logger.error(
            "participants.topics_refused",
            stage="validate",
            detail=found.detail,
            not_read=",".join(sorted({m.topic for m in found.wrong})),
            to_shared_topics=",".join(found.unrouted),
        )


class ParticipantDiscovery:
    """What a running worker knows of the participants' topics."""

    def __init__(self, settings: WorkerSettings, ownership: PartitionOwnership, partitions: int) -> None:
        self._settings = settings
        self._ownership = ownership
        self._partitions = partitions
        self._known = settings.participants
        self._missing: frozenset[str] = frozenset()  # known ones without a telemetry topic at the last look
        self._reported: FoundParticipants | None = None
        self._without: set[str] = set()

    async def look(self) -> bool:
        """Look once. Returns whether telemetry topics were created or deleted, so that the worker has to subscribe
        again; other changes are in force at once. Does not raise."""
        s = self._settings
        try:
            found = await find_participants(s.bootstrap, s.prefix, self._partitions, s.replication)
        except SandboxMonitorError as error:  # an outage of the broker is the watchdog's to judge
            logger.info("participants.lookup_failed", error=error)
            return False
        if self._reported is None or found.wrong != self._reported.wrong:
            report_refused(found)
        self._reported = found
        added = sorted(set(found.readable) - set(self._known))
        gone = self._gone(found)
        if added:
            logger.warning("participants.found", participants=",".join(added))
        if gone:
            logger.error(
                "participants.gone",
                stage="observe",
                participants=",".join(sorted(gone)),
                detail="their telemetry topics were deleted; nothing of these firms is judged until they exist again",
            )
        if added or gone:
            self._known = tuple(sorted({*self._known, *added} - gone))
            self._ownership.set_participants(self._known)
        self._ownership.routes.use(found.readable, found.unrouted)
        self._report_without_topics()
        return bool(added or gone)

    def _gone(self, found: FoundParticipants) -> set[str]:
        """Known participants whose telemetry topic was deleted: missing in two looks, or in one while the group assigns
        partitions without it, which the worker cannot claim."""
        before, self._missing = self._missing, frozenset(self._known) - frozenset(found.present)
        return set(self._missing if self._ownership.partial else self._missing & before)

    def _report_without_topics(self) -> None:
        """Log participants whose commands and permits go to the shared topics."""
        without = set(self._ownership.routes.without_topics)
        if new := without - self._without:
            logger.error(
                "participants.without_topics",
                stage="act",
                participants=",".join(sorted(new)),
                detail="their commands and permits go to the shared topics; fix: sandbox-monitor topics create "
                "--participant NAME, or check with topics check --participant NAME",
            )
        self._without = without
