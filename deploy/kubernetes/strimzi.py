"""Topics and users of a deployment as Strimzi resources, from the tables of `topics create` and `topics acls`.

`python deploy/kubernetes/strimzi.py --participant acme > strimzi.yaml` prints a cluster of three brokers, a KafkaTopic
for each topic and a KafkaUser with its grants and quotas for each process and each firm. Firms log in with
SCRAM-SHA-512 on the external listener, the authority's processes with client certificates on the internal one.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from monitor.kafka.acls import AclUsers, Grant, grants
from monitor.kafka.quotas import FIRM
from monitor.kafka.topics import TopicNames, topics, users_topic

CLUSTER = "sandbox"
VERSION = "4.0.0"  # of Kafka, as this release of Strimzi offers it
HEADER = """\
# NOT EXECUTED HERE: rendered by deploy/kubernetes/strimzi.py and checked against the classes of Strimzi's API. Sizes of
# disks and replicas are a start; firms and their names come from `--participant`.
"""


def cluster(storage: str) -> Iterator[dict[str, Any]]:
    """Three nodes that are brokers and controllers, with TLS on every listener and simple authorization."""
    label = {"strimzi.io/cluster": CLUSTER}
    pool = {
        "replicas": 3,
        "roles": ["controller", "broker"],
        "storage": {"type": "jbod", "volumes": [{"id": 0, "type": "persistent-claim", "size": storage}]},
    }
    yield _resource("KafkaNodePool", "nodes", pool, label)
    listeners = [
        {"name": "authority", "port": 9093, "type": "internal", "tls": True, "authentication": {"type": "tls"}},
        {"name": "firms", "port": 9094, "type": "route", "tls": True, "authentication": {"type": "scram-sha-512"}},
    ]
    config = {
        "auto.create.topics.enable": False,
        "default.replication.factor": 3,
        "min.insync.replicas": 2,
        "offsets.topic.replication.factor": 3,
        "transaction.state.log.replication.factor": 3,
        "transaction.state.log.min.isr": 2,
        "group.min.session.timeout.ms": 1000,
    }
    kafka = {"version": VERSION, "listeners": listeners, "authorization": {"type": "simple"}, "config": config}
    operators = {"topicOperator": {}, "userOperator": {}}
    spec = {"kafka": kafka, "entityOperator": operators}
    yield _resource(
        "Kafka", CLUSTER, spec, annotations={"strimzi.io/node-pools": "enabled", "strimzi.io/kraft": "enabled"}
    )


def topic_resources(participants: Sequence[str], partitions: int) -> Iterator[dict[str, Any]]:
    """A KafkaTopic for each topic of the deployment."""
    names = TopicNames("sandbox", tuple(participants), per_participant=True)
    for topic in (*topics(names, partitions, 3), users_topic(names, partitions, 3)):
        spec = {"topicName": topic.name, "partitions": topic.partitions, "replicas": topic.replication}
        spec["config"] = {key: _plain(value) for key, value in sorted(topic.settings.items())}
        yield _resource("KafkaTopic", _name(topic.name), spec, {"strimzi.io/cluster": CLUSTER})


def user_resources(participants: Sequence[str], group: str) -> Iterator[dict[str, Any]]:
    """A KafkaUser for each user with grants; firms have quotas."""
    by_user: dict[str, list[Grant]] = defaultdict(list)
    for grant in grants("sandbox", group, participants, AclUsers()):
        by_user[grant.user].append(grant)
    for user, mine in by_user.items():
        firm = user in participants
        spec: dict[str, Any] = {
            "authentication": {"type": "scram-sha-512" if firm else "tls"},
            "authorization": {"type": "simple", "acls": [_acl(grant) for grant in mine]},
        }
        if firm:
            spec["quotas"] = QUOTAS
        yield _resource("KafkaUser", _name(user), spec, {"strimzi.io/cluster": CLUSTER})


QUOTAS = {
    "producerByteRate": int(FIRM.producer_byte_rate),
    "consumerByteRate": int(FIRM.consumer_byte_rate),
    "requestPercentage": int(FIRM.request_percentage),
}


def _acl(grant: Grant) -> dict[str, Any]:
    kind = {"transactional-id": "transactionalId"}.get(grant.resource, grant.resource)
    resource = {"type": kind} if kind == "cluster" else {"type": kind, "name": grant.name}
    if kind != "cluster":
        resource["patternType"] = "prefix" if grant.prefixed else "literal"
    return {"resource": resource, "operations": list(grant.operations)}


def _resource(
    kind: str, name: str, spec: dict[str, Any], labels: dict[str, str] | None = None, annotations: Any = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": kind, "metadata": metadata, "spec": spec}


def _name(text: str) -> str:
    """A name of a Kubernetes object: lower case, no underscores."""
    return text.lower().replace("_", "-")


def _plain(value: str) -> Any:
    return int(value) if value.lstrip("-").isdigit() else {"true": True, "false": False}.get(value, value)


def rendered(participants: Sequence[str], *, partitions: int = 3, group: str = "sandbox-monitor") -> str:
    """All resources as YAML documents."""
    resources = [
        *cluster("200Gi"),
        *topic_resources(participants, partitions),
        *user_resources(participants, group),
    ]
    return HEADER + "".join(f"---\n{msgspec.yaml.encode(one).decode()}" for one in resources)


def main() -> int:
    """Print the resources."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--participant", action="append", required=True, help="a firm; repeatable")
    parser.add_argument("--partitions", type=int, default=3, help="of each topic (default 3)")
    given = parser.parse_args()
    print(rendered(given.participant, partitions=given.partitions), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
