"""Which topics the commands and permits of a participant are written to, and which commands a change of that leaves
behind.

A service that reads a topic must find the newest command of its pilot there. So when a participant gets topics of its
own, loses them, or is written to the shared topics again, the command in force of each of its pilots is written once
more, before anything else goes there. How far that was done is stored in the state topic, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from monitor.engine.machine import Machine
from monitor.kafka.topics import TopicNames
from monitor.model.records import Command

Destination: TypeAlias = Literal["own", "shared"]
MOST_NAMED = 1_000  # participants without topics that are remembered by name


class Routing(Struct, frozen=True):
    """Participants in `own` are written to separate topics, all others to the shared ones; with `also_shared`
    everybody is. The default is a deployment without topics per participant.

    >>> Routing(("acme",)).destinations("acme"), Routing(("acme",)).destinations("bolt")
    (('own',), ('shared',))
    """

    own: tuple[str, ...] = ()
    also_shared: bool = False

    def destinations(self, participant: str) -> tuple[Destination, ...]:
        """Where outputs of this participant go; at least one."""
        if participant not in self.own:
            return ("shared",)
        return ("own", "shared") if self.also_shared else ("own",)


class Written(Struct, frozen=True, array_like=True):
    """Where the command in force of every pilot has been written: to the own topics of participants in `own`, and to
    the shared topic except for those in `not_shared`. The default is a deployment without topics per participant.

    >>> Written().missing("acme", Routing(("acme",)))
    ('own',)
    >>> Written.under(Routing(("acme",))).missing("acme", Routing())
    ('shared',)
    """

    own: tuple[str, ...] = ()
    not_shared: tuple[str, ...] = ()

    @staticmethod
    def under(routing: Routing) -> Written:
        """What is written once nothing is missing."""
        return Written(routing.own, () if routing.also_shared else routing.own)

    def missing(self, participant: str, routing: Routing) -> tuple[Destination, ...]:
        """Destinations that commands in force of this participant are missing in."""
        lacks = {"own": participant not in self.own, "shared": participant in self.not_shared}
        return tuple(where for where in routing.destinations(participant) if lacks[where])

    def since(self, routing: Routing) -> Written:
        """What can be relied on once anything was written under this routing: a destination that is not in use falls
        behind."""
        not_shared = {*self.not_shared, *(() if routing.also_shared else routing.own)}
        return Written(self.besides(set(self.own) - set(routing.own)).own, tuple(sorted(not_shared)))

    def besides(self, lost: Iterable[str]) -> Written:
        """The same without the own topics of these participants."""
        gone = set(lost)
        return Written(tuple(p for p in self.own if p not in gone), self.not_shared)


decode_written = msgspec.msgpack.Decoder(Written).decode


class OutputRoutes:
    """The topics of commands and permits in use by one worker; `use` changes them while it runs."""

    def __init__(self, names: TopicNames, unrouted: Iterable[str] = ()) -> None:
        self._names = names
        self._strict = bool(names.participants) or names.per_participant
        self.without_topics: set[str] = set()  # participants whose outputs went to the shared topics for want of others
        self.use(names.participants, unrouted)

    def use(self, participants: Iterable[str], unrouted: Iterable[str]) -> None:
        """From now on write to topics of these participants, except the `unrouted`, whose topics cannot be used:
        their outputs go to the shared topics, as do those of participants without topics."""
        own = tuple(sorted(set(participants) - set(unrouted)))
        self.routing = Routing(own, self._names.also_shared)
        self.without_topics = (self.without_topics | set(unrouted)) - set(own)
        self._commands = {p: self.commands_in(p, self.routing.destinations(p)) for p in own}
        self._permits = {p: self._permits_in(p, self.routing.destinations(p)) for p in own}

    def commands(self, participant: str) -> tuple[str, ...]:
        """The topics that a command to a service of this participant is written to."""
        found = self._commands.get(participant)
        return self._fallback(participant, self._names.commands) if found is None else found

    def permits(self, participant: str) -> tuple[str, ...]:
        """The topics that a permit of this participant is written to."""
        found = self._permits.get(participant)
        return self._fallback(participant, self._names.permits) if found is None else found

    def commands_in(self, participant: str, where: Iterable[Destination]) -> tuple[str, ...]:
        """The commands topics of these destinations."""
        names = self._names
        return tuple(names.commands_of(participant) if at == "own" else names.commands for at in where)

    def _permits_in(self, participant: str, where: Iterable[Destination]) -> tuple[str, ...]:
        names = self._names
        return tuple(names.permits_of(participant) if at == "own" else names.permits for at in where)

    def _fallback(self, participant: str, topic: str) -> tuple[str, ...]:
        if self._strict and len(self.without_topics) < MOST_NAMED:
            self.without_topics.add(participant)
        return (topic,)


def commands_in_force(machine: Machine) -> Iterator[tuple[str, Command]]:
    """The newest command of each pilot that ever had one, with the pilot's participant."""
    for pilot in machine.pilots.values():
        sending = pilot.standing.retransmission
        if sending is not None:
            yield pilot.charter.participant.id, sending.command
