"""Who may do what: the table in the repository, tried cell by cell on a broker; and what a firm tries on others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.kafka.acl_matrix import FILE, FIRMS, allowed, deployment, rows, table, users
from monitor.kafka.acls import OPERATIONS
from monitor.kafka.topics import TopicNames
from monitor.testing.secure_broker import SecureBroker
from monitor.testing.wait import Until
from tests.security import attempts
from tests.security.goals import Goal
from tests.strength import examples


def test_the_table_in_the_repository_is_that_of_the_grants() -> None:
    """A changed grant changes a page that people review: `python -m monitor.kafka.acl_matrix > FILE`."""
    assert FILE.read_text() == table()


def test_no_user_may_change_or_delete() -> None:
    """Grants know five operations; none of them alters, deletes or acts on the cluster."""
    granted = deployment("sandbox")
    assert {operation for grant in granted for operation in grant.operations} <= set(OPERATIONS)
    assert not [grant for grant in granted if grant.resource == "cluster"]


def test_a_firm_has_grants_by_full_names_only() -> None:
    """A prefix would let `firm-1` reach `firm-10`; each firm's grants are those of its topics."""
    names = TopicNames("sandbox", FIRMS)
    for firm in FIRMS:
        mine = [grant for grant in deployment("sandbox") if grant.user == firm]
        assert not [grant for grant in mine if grant.prefixed]
        own = {names.telemetry_of(firm), names.commands_of(firm), names.permits_of(firm)}
        assert {grant.name for grant in mine} == own


@pytest.fixture(scope="module")
def names(secure_broker: SecureBroker) -> TopicNames:
    """A deployment for this file, which attempts may fill with garbage."""
    return secure_broker.deploy("matrix", FIRMS)


@pytest.mark.kafka
def test_every_cell_holds_on_a_real_broker(secure_broker: SecureBroker, names: TopicNames, goal: Goal) -> None:
    """Every user tries every operation on every resource: what the table allows passes, all else is denied."""
    granted, deviations, tried = deployment(names.prefix), [], 0
    for user in users():
        with attempts.Client(secure_broker.address(user), secure_broker.login(user)) as client:
            for row in rows(names.prefix):
                may = allowed(granted, user, row)
                for operation, request in attempts.BY_RESOURCE[row.resource].items():
                    tried += 1
                    if client.allowed(request(row.name)) != (operation in may):
                        deviations.append(f"{user} {operation} {row.resource} {row.name}")
    goal("acl_matrix_deviations", len(deviations), 0, note=f"of {tried} cells {'; '.join(deviations)}".strip())


def hostile(names: TopicNames, user: str, other: str) -> Iterator[Callable[[], Any]]:
    """Everything that `user` may try on another firm, on the monitor and on the cluster."""
    own, group, fence = names.telemetry_of(user), names.prefix, f"{names.prefix}-0"
    theirs = [names.telemetry_of(other), names.commands_of(other), names.permits_of(other)]
    monitors = [names.control, names.journal, names.state, names.decisions, names.evidence, names.rejected, names.users]
    for topic in [*theirs, *monitors]:
        yield from (lambda t=topic, r=request: r(t) for request in attempts.TOPIC.values())
        yield lambda t=topic: attempts.offsets(t)
        yield lambda t=topic: attempts.delete_topic(t)
        yield lambda t=topic: attempts.commit(group, t)
        yield lambda t=topic: attempts.forget_offsets(group, t)
        yield lambda t=topic: attempts.add_to_transaction(fence, t)
        yield lambda t=topic: attempts.commit_in_transaction(fence, group, t)
        yield lambda t=topic: attempts.write_markers(t)
        yield lambda t=topic: attempts.grant_all(user, t)
    for topic in (own, names.commands_of(user), names.permits_of(user)):  # its own, beyond what it was given
        for operation in ("DescribeConfigs", "Create", "Alter", "AlterConfigs", "Delete"):
            yield lambda t=topic, r=attempts.TOPIC[operation]: r(t)
        yield lambda t=topic: attempts.delete_topic(t)
    yield lambda: attempts.fetch(own)
    yield lambda: attempts.produce(names.commands_of(user))
    yield lambda: attempts.produce(names.permits_of(user))
    for new in (f"{own}-2", f"{names.prefix}.telemetry.{user}.x", names.telemetry_of("new"), "topic-of-mine"):
        yield lambda n=new: attempts.create_topic(n)
    for name in (group, user, f"{group}-2"):
        yield lambda n=name: attempts.join(n)
        yield lambda n=name: attempts.committed(n)
        yield lambda n=name: attempts.describe_group(n)
        yield lambda n=name: attempts.delete_group(n)
        yield lambda n=name: attempts.find_coordinator(n, 0)
    for name in (fence, f"{names.prefix}.pool-0", user):
        yield lambda n=name: attempts.begin(n)
        yield lambda n=name: attempts.end_transaction(n)
        yield lambda n=name: attempts.add_offsets(n, group)
        yield lambda n=name: attempts.find_coordinator(n, 1)
    yield attempts.revoke_all
    yield attempts.describe_acls
    yield attempts.broker_setting
    for victim in (user, other, "operator"):
        yield lambda v=victim: attempts.change_password(v)
        yield lambda v=victim: attempts.lift_quota(v)


@pytest.mark.kafka
def test_no_attempt_of_a_firm_on_others_is_accepted(secure_broker: SecureBroker, names: TopicNames, goal: Goal) -> None:
    """Two firms try everything on each other, the monitor and the cluster: none is accepted, each is in the broker's
    log of denied operations under the firm's name."""
    wanted, tried, accepted = examples(400, 10_000), 0, []
    before = {firm: denied(secure_broker, firm) for firm in FIRMS}
    counts = dict.fromkeys(FIRMS, 0)
    pairs = itertools.cycle([FIRMS, FIRMS[::-1]])
    clients = {f: attempts.Client(secure_broker.address(f), secure_broker.login(f)) for f in FIRMS}
    try:
        while tried < wanted:
            user, other = next(pairs)
            for number, make in enumerate(hostile(names, user, other)):
                tried += 1
                counts[user] += 1
                request = make()
                if clients[user].allowed(request):
                    accepted.append(f"{user} {number} {type(request).__name__}")
    finally:
        for client in clients.values():
            client.__exit__(None, None, None)
    goal("cross_tenant_attempts", tried, wanted, least=True)
    goal("cross_tenant_attempts_accepted", len(accepted), 0, note="; ".join(accepted[:5]))
    silent = 0
    for firm in FIRMS:
        expected = before[firm] + counts[firm]
        with_time = Until(30.0, every=0.1)
        with_time(lambda firm=firm, expected=expected: denied(secure_broker, firm) >= expected)
        silent += max(0, expected - denied(secure_broker, firm))
    goal("cross_tenant_attempts_not_logged", silent, 0)


def denied(broker: SecureBroker, user: str) -> int:
    """Lines of the authorizer's log about a user."""
    return sum(denial.user == user for denial in broker.denials())
