"""The grants as one table: who may do what on which resource. `python -m monitor.kafka.acl_matrix` prints it.

`acl-matrix.md` is that output for a deployment with two firms, kept in the repository to be reviewed: a test fails when
it differs from the grants, and tries every cell on a real broker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, structs

from monitor.kafka.acls import AclUsers, Grant, Resource, grants
from monitor.kafka.topics import TopicNames, topics

FILE = Path(__file__).with_name("acl-matrix.md")
FIRMS = ("firm-1", "firm-2")
LETTERS = {"Read": "R", "Write": "W", "Create": "C", "Describe": "d", "DescribeConfigs": "s"}
"""How each operation is written in a cell. Those that no user has (Alter, Delete ...) have no letter."""
IMPLYING_DESCRIBE = ("Read", "Write", "Delete", "Alter")
CLUSTER = "kafka-cluster"
HEAD = f"""# Who may do what on Kafka

Printed by `python -m monitor.kafka.acl_matrix` from [acls.py](acls.py), for two firms: {" and ".join(FIRMS)}. A test
tries every cell on a real broker, the empty ones too. R read, W write, C create, d describe (its partitions, where it
ends), s read its settings. No user may alter, delete or configure anything, or act on the cluster. The operator, a
super user, may do all and is not in the table.

"""


class Row(Struct, frozen=True):
    """One resource."""

    resource: Resource
    name: str


def users() -> list[str]:
    """The columns."""
    return [*FIRMS, *structs.astuple(AclUsers())]


def deployment(prefix: str) -> list[Grant]:
    """The grants of the table's deployment; its workers' group is called like the prefix."""
    return list(grants(prefix, prefix, FIRMS, AclUsers()))


def rows(prefix: str) -> list[Row]:
    """The rows: every topic, also those for participants without separate ones, and those of the second stage."""
    names, pool = TopicNames(prefix, FIRMS), TopicNames(f"{prefix}.pool")
    own = [topic.name for topic in topics(names, 1, 1)]
    shared = [topic for topic in (names.shared_telemetry, names.commands, names.permits) if topic not in own]
    firms = TopicNames(f"{pool.prefix}.firms")
    second = [pool.journal, pool.state, pool.decisions, firms.journal, firms.state]
    found = [Row("topic", topic) for topic in sorted([*own, *shared, *second, names.checkpoints, names.users])]
    found += [Row("group", prefix), Row("group", f"{prefix}-users")]
    ids = (f"{prefix}-0", f"{prefix}.pool-0", f"{firms.prefix}-0", names.checkpoints)
    found += [Row("transactional-id", name) for name in ids]
    return [*found, Row("cluster", CLUSTER)]


def allowed(granted: Sequence[Grant], user: str, row: Row) -> set[str]:
    """The operations that the grants let `user` do on a resource, with those that Kafka implies."""
    found: set[str] = set()
    for grant in granted:
        covers = row.name.startswith(grant.name) if grant.prefixed else row.name == grant.name
        if grant.user == user and grant.resource == row.resource and covers:
            found |= set(grant.operations)
    return found | ({"Describe"} if found & set(IMPLYING_DESCRIBE) else set())


def table(prefix: str = "sandbox") -> str:
    """The page."""
    return HEAD + "".join(f"{line}\n" for line in _lines(prefix))


def _lines(prefix: str) -> Iterator[str]:
    granted, columns = deployment(prefix), users()
    yield f"| resource | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for row in rows(prefix):
        cells = [_cell(allowed(granted, user, row)) for user in columns]
        yield f"| {row.resource} `{row.name}` | {' | '.join(cells)} |"


def _cell(operations: set[str]) -> str:
    if operations & {"Read", "Write"}:  # they imply it
        operations = operations - {"Describe"}
    return " ".join(letter for operation, letter in LETTERS.items() if operation in operations)


if __name__ == "__main__":
    print(table(), end="")
