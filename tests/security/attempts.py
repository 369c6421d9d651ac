"""Operations on a broker, one request each, to be tried as any user: what Kafka's authorizer decides, and no more.

Each attempt is the request that a real client would send, complete and valid, so that one that is allowed takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.protocol.admin import (
    AlterClientQuotasRequest,
    AlterUserScramCredentialsRequest,
    CreateAclsRequest,
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteAclsRequest,
    DeleteGroupsRequest,
    DeleteRecordsRequest,
    DeleteTopicsRequest,
    DescribeAclsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
    IncrementalAlterConfigsRequest,
)
from kafka.protocol.consumer import (
    FetchRequest,
    JoinGroupRequest,
    ListOffsetsRequest,
    OffsetCommitRequest,
    OffsetDeleteRequest,
    OffsetFetchRequest,
)
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest
from kafka.protocol.producer import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    ProduceRequest,
    TxnOffsetCommitRequest,
    WriteTxnMarkersRequest,
)
from kafka.record.memory_records import MemoryRecordsBuilder

DENIED = {29, 30, 31, 53}  # TOPIC_, GROUP_, CLUSTER_ and TRANSACTIONAL_ID_AUTHORIZATION_FAILED
NAMES_LAST = 12  # later versions of Produce and Fetch name a topic by an id that only a reader of its metadata knows


class Client:
    """One user's connection. `allowed` sends a request and says whether the authorizer let it pass."""

    def __init__(self, bootstrap: str, login: dict[str, Any]) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=15_000, **login)

    def ask(self, request: Any) -> Any:
        """The response."""
        manager = self._admin._manager  # any request of the protocol: what an attacker would send
        return manager.run(manager.send, request)

    def allowed(self, request: Any) -> bool:
        """False where the response has an authorization error."""
        return not DENIED & set(_codes(self.ask(request).to_dict()))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._admin.close()


def _codes(answer: Any) -> Iterator[int]:
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key.endswith("error_code"):
                yield value
            else:
                yield from _codes(value)
    elif isinstance(answer, list | tuple):
        for item in answer:
            yield from _codes(item)


def records() -> Any:
    """One batch with one small record."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=1024)
    builder.append(timestamp=None, key=b"pilot-1", value=b"{}", headers=[])
    builder.close()
    return builder.buffer()


def produce(topic: str) -> Any:
    partition = ProduceRequest.TopicProduceData.PartitionProduceData(index=0, records=records())
    data = ProduceRequest.TopicProduceData(name=topic, partition_data=[partition])
    return ProduceRequest(
        transactional_id=None, acks=-1, timeout_ms=5_000, topic_data=[data], min_version=3, max_version=NAMES_LAST
    )


def fetch(topic: str) -> Any:
    partition = FetchRequest.FetchTopic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1024)
    return FetchRequest(
        replica_id=-1,
        max_wait_ms=0,
        min_bytes=0,
        topics=[FetchRequest.FetchTopic(topic=topic, partitions=[partition])],
        min_version=4,
        max_version=NAMES_LAST,
    )


def metadata(topic: str) -> Any:
    return MetadataRequest(topics=[MetadataRequest.MetadataRequestTopic(name=topic)], allow_auto_topic_creation=False)


def offsets(topic: str) -> Any:
    asked = ListOffsetsRequest.ListOffsetsTopic
    partition = asked.ListOffsetsPartition(partition_index=0, timestamp=-1)
    return ListOffsetsRequest(replica_id=-1, isolation_level=0, topics=[asked(name=topic, partitions=[partition])])


def describe_configs(topic: str) -> Any:
    wanted = DescribeConfigsRequest.DescribeConfigsResource
    return DescribeConfigsRequest(resources=[wanted(resource_type=2, resource_name=topic, configuration_keys=None)])


def alter_configs(topic: str, kind: int = 2) -> Any:
    resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    change = resource.AlterableConfig(name="retention.ms", config_operation=0, value="1000")
    return IncrementalAlterConfigsRequest(
        resources=[resource(resource_type=kind, resource_name=topic, configs=[change])], validate_only=False
    )


def add_partitions(topic: str) -> Any:
    wanted = CreatePartitionsRequest.CreatePartitionsTopic(name=topic, count=9, assignments=None)
    return CreatePartitionsRequest(topics=[wanted], timeout_ms=5_000, validate_only=False)


def delete_topic(topic: str) -> Any:
    return DeleteTopicsRequest(topic_names=[topic], timeout_ms=5_000, max_version=5)


def delete_records(topic: str) -> Any:
    named = DeleteRecordsRequest.DeleteRecordsTopic
    partition = named.DeleteRecordsPartition(partition_index=0, offset=-1)
    return DeleteRecordsRequest(topics=[named(name=topic, partitions=[partition])], timeout_ms=5_000)


def create_topic(topic: str) -> Any:
    wanted = CreateTopicsRequest.CreatableTopic(
        name=topic, num_partitions=1, replication_factor=1, assignments=[], configs=[]
    )
    return CreateTopicsRequest(topics=[wanted], timeout_ms=5_000, validate_only=False)


def join(group: str) -> Any:
    protocol = JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=b"")
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=6_000,
        rebalance_timeout_ms=6_000,
        member_id="",
        protocol_type="consumer",
        protocols=[protocol],
        max_version=3,
    )


def commit(group: str, topic: str) -> Any:
    named = OffsetCommitRequest.OffsetCommitRequestTopic
    partition = named.OffsetCommitRequestPartition(partition_index=0, committed_offset=0, committed_metadata="")
    return OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=-1,
        member_id="",
        topics=[named(name=topic, partitions=[partition])],
        max_version=9,
    )


def committed(group: str) -> Any:
    return OffsetFetchRequest(group_id=group, topics=None, max_version=7, min_version=2)


def forget_offsets(group: str, topic: str) -> Any:
    named = OffsetDeleteRequest.OffsetDeleteRequestTopic
    partition = named.OffsetDeleteRequestPartition(partition_index=0)
    return OffsetDeleteRequest(group_id=group, topics=[named(name=topic, partitions=[partition])])


def describe_group(group: str) -> Any:
    return DescribeGroupsRequest(groups=[group], include_authorized_operations=False)


def delete_group(group: str) -> Any:
    return DeleteGroupsRequest(groups_names=[group])


def find_coordinator(name: str, kind: int) -> Any:
    return FindCoordinatorRequest(key=name, key_type=kind, max_version=3)


def begin(transactional_id: str) -> Any:
    return InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=10_000, max_version=4)


def add_to_transaction(transactional_id: str, topic: str) -> Any:
    named = AddPartitionsToTxnRequest.AddPartitionsToTxnTransaction.AddPartitionsToTxnTopic
    return AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=transactional_id,
        v3_and_below_producer_id=0,
        v3_and_below_producer_epoch=0,
        v3_and_below_topics=[named(name=topic, partitions=[0])],
        max_version=3,
    )


def add_offsets(transactional_id: str, group: str) -> Any:
    return AddOffsetsToTxnRequest(transactional_id=transactional_id, producer_id=0, producer_epoch=0, group_id=group)


def commit_in_transaction(transactional_id: str, group: str, topic: str) -> Any:
    named = TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic
    partition = named.TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=0, committed_metadata="")
    return TxnOffsetCommitRequest(
        transactional_id=transactional_id,
        group_id=group,
        producer_id=0,
        producer_epoch=0,
        generation_id=-1,
        member_id="",
        topics=[named(name=topic, partitions=[partition])],
        max_version=4,
    )


def end_transaction(transactional_id: str) -> Any:
    return EndTxnRequest(
        transactional_id=transactional_id, producer_id=0, producer_epoch=0, committed=False, max_version=4
    )


def write_markers(topic: str) -> Any:
    marker = WriteTxnMarkersRequest.WritableTxnMarker
    named = marker.WritableTxnMarkerTopic(name=topic, partition_indexes=[0])
    one = marker(producer_id=0, producer_epoch=0, transaction_result=True, topics=[named], coordinator_epoch=0)
    return WriteTxnMarkersRequest(markers=[one])


def grant_all(user: str, topic: str) -> Any:
    wanted = CreateAclsRequest.AclCreation(
        resource_type=2,
        resource_name=topic,
        resource_pattern_type=3,
        principal=f"User:{user}",
        host="*",
        operation=2,
        permission_type=3,
    )
    return CreateAclsRequest(creations=[wanted])


def revoke_all() -> Any:
    every = DeleteAclsRequest.DeleteAclsFilter(
        resource_type_filter=1,
        resource_name_filter=None,
        pattern_type_filter=1,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
    )
    return DeleteAclsRequest(filters=[every])


def describe_acls() -> Any:
    return DescribeAclsRequest(
        resource_type_filter=1,
        resource_name_filter=None,
        pattern_type_filter=1,
        principal_filter=None,
        host_filter=None,
        operation=1,
        permission_type=1,
    )


def change_password(user: str) -> Any:
    return AlterUserScramCredentialsRequest(deletions=[], upsertions=[(user, 2, 4096, b"salt", b"x" * 64)])


def lift_quota(user: str) -> Any:
    entry = AlterClientQuotasRequest.EntryData
    return AlterClientQuotasRequest(
        entries=[
            entry(
                entity=[entry.EntityData(entity_type="user", entity_name=user)],
                ops=[entry.OpData(key="producer_byte_rate", value=1e12, remove=False)],
            )
        ],
        validate_only=False,
    )


def broker_setting() -> Any:
    return alter_configs("1", kind=4)


TOPIC: dict[str, Callable[[str], Any]] = {
    "Read": fetch,
    "Write": produce,
    "Describe": metadata,
    "DescribeConfigs": describe_configs,
    "Create": create_topic,
    "Alter": add_partitions,
    "AlterConfigs": alter_configs,
    "Delete": delete_records,
}
"""One request for each operation on a topic."""
GROUP: dict[str, Callable[[str], Any]] = {
    "Read": join,
    "Describe": committed,
    "Delete": delete_group,
}
TRANSACTIONAL_ID: dict[str, Callable[[str], Any]] = {
    "Write": begin,
    "Describe": lambda name: find_coordinator(name, 1),
}
CLUSTER: dict[str, Callable[[str], Any]] = {
    "Alter": lambda _: lift_quota("firm-1"),
    "AlterConfigs": lambda _: broker_setting(),
    "Describe": lambda _: describe_acls(),
    "ClusterAction": write_markers,
}
BY_RESOURCE = {"topic": TOPIC, "group": GROUP, "transactional-id": TRANSACTIONAL_ID, "cluster": CLUSTER}
