"""Every private part of Faust, mode and aiokafka that is overridden or used here, with its reason, and how to retire
it.

A private part may change in any release, so the three are pinned exactly: `check_versions` refuses others. A new
version of any of them means to read the source of each entry again, then to change `PINNED`. A test finds every access
to a private name in this folder and holds it to `HOOKS`; another holds that each entry exists in the installed version.
"""

from __future__ import annotations

from typing import Any

import aiokafka
import faust
import kafka.admin
from aiokafka import client, conn
from aiokafka.consumer import fetcher
from aiokafka.producer import sender
from aiokafka.protocol import api
from aiokafka.record.default_records import DefaultRecordBatch
from faust.transport.drivers import aiokafka as driver
from msgspec import Struct


class Hook(Struct, frozen=True):
    """`owner.name` is used although it is not public. `reason`: what it is used for. `upstream`: the change of the
    library that would make the use unnecessary."""

    owner: Any
    name: str
    reason: str
    upstream: str


_OWN_CONSUMER = "faust: a setting for the consumer class of a transport"
_OWN_LOOP = "faust: a public hook that receives fetched lists instead of the built-in drain"
_RECORD_FACTORY = "aiokafka: a `record_factory` argument of AIOKafkaConsumer"
_BATCH_READER = "aiokafka: a pluggable checksum function, or the processor's instruction in its C extension"
_PORTIONS = "aiokafka: a limit for what a batch may unpack to, and for the bytes of one `getmany`"
_RECEIVE_BUFFER = "aiokafka: responses received with BufferedProtocol instead of StreamReader"
_RANGE = "faust: a setting for the assignor, and isolation level per consumer"

HOOKS: tuple[Hook, ...] = (
    # Faust: membership and lifecycle stay with it; fetching, acknowledging and committing are replaced.
    Hook(faust.App, "_new_transport", "makes the transport with our consumer", _OWN_CONSUMER),
    Hook(driver.Transport, "Consumer", "names our consumer class", _OWN_CONSUMER),
    Hook(driver.Consumer, "_new_consumer_thread", "makes our consumer thread", _OWN_CONSUMER),
    Hook(driver.Consumer, "_drain_messages", "whole fetched lists go to the worker; no agent acknowledges", _OWN_LOOP),
    Hook(driver.Consumer, "_wait_next_records", "fetches the next lists and waits while flow is stopped", _OWN_LOOP),
    Hook(driver.Consumer, "_getmany", "what `_wait_next_records` calls; its buffering was read", _OWN_LOOP),
    Hook(driver.Consumer, "verify_event_path", "its search for stuck streams does not know our loop", _OWN_LOOP),
    Hook(
        driver.Consumer,
        "perform_seek",
        "recovery runs here: after assignment, with heartbeats, before records flow",
        "faust: an awaited callback between assignment and the start of the flow",
    ),
    Hook(
        driver.Consumer,
        "on_partitions_revoked",
        "waits for the batch in progress and releases before the group moves on",
        "faust: the same callback as a public, awaited setting",
    ),
    Hook(
        driver.Consumer,
        "subscribe",
        "subscribes to our topics: Faust's conductor knows of no channel",
        "faust: topics that are consumed without an agent",
    ),
    Hook(
        driver.Consumer,
        "_thread",
        "calls `position` and `commit` of the aiokafka consumer in its own thread",
        "faust: public `position` and `commit(offsets)` of its consumer",
    ),
    Hook(driver.Consumer, "_stopped", "ends the loop when the service stops", "mode: a public `stopped` event"),
    Hook(driver.AIOKafkaConsumerThread, "_create_worker_consumer", "range assignment, read_committed", _RANGE),
    Hook(driver.AIOKafkaConsumerThread, "_fetch_records", "installs `PrefetchedRecords` first", _RECORD_FACTORY),
    Hook(
        driver.AIOKafkaConsumerThread,
        "_ensure_consumer",
        "the aiokafka consumer whose position and commit are asked for",
        "faust: public `position` and `commit(offsets)` of its consumer",
    ),
    Hook(
        driver.AIOKafkaConsumerThread,
        "call_thread",
        "runs a coroutine in the consumer's thread",
        "faust: public `position` and `commit(offsets)` of its consumer",
    ),
    # aiokafka: how long a fetch waits, and what a record is made into.
    Hook(
        aiokafka.AIOKafkaConsumer,
        "_fetcher",
        "its class is replaced by `PatientFetcher`, its mapping by `PrefetchedRecords`",
        _RECORD_FACTORY,
    ),
    Hook(
        fetcher.Fetcher,
        "_get_actions_per_node",
        "sets the longest wait of each fetch",
        "aiokafka: `fetch_max_wait_ms` as a callable, asked for each fetch",
    ),
    Hook(
        fetcher.Fetcher,
        "_fetch_max_wait_ms",
        "the longest wait of the next fetch",
        "aiokafka: `fetch_max_wait_ms` as a callable, asked for each fetch",
    ),
    Hook(
        fetcher.Fetcher,
        "_prefetch_backoff",
        "no topic waits until records of another are taken",
        "aiokafka: a `prefetch_backoff_ms` argument of AIOKafkaConsumer",
    ),
    Hook(fetcher.Fetcher, "_records", "whether fetched records wait; the mapping they wait in", _RECORD_FACTORY),
    Hook(fetcher.FetchResult, "_partition_records", "the records of a fetch, whose factory is set", _RECORD_FACTORY),
    Hook(fetcher.FetchResult, "_topic_partition", "whose records they are", _PORTIONS),
    Hook(fetcher.FetchResult, "_update_position", "moves past what was taken", _PORTIONS),
    Hook(fetcher.FetchResult, "getall", "takes a portion of bounded size", _PORTIONS),
    Hook(fetcher, "FetchResult", "replaced, so that records are taken in portions", _PORTIONS),
    Hook(fetcher, "PartitionRecords", "replaced, so that what a batch unpacks to is bounded", _PORTIONS),
    Hook(fetcher.PartitionRecords, "_unpack_records", "what the replacement does as well", _PORTIONS),
    Hook(fetcher, "MemoryRecords", "replaced, so that each batch is checked by the processor", _BATCH_READER),
    Hook(DefaultRecordBatch, "validate_crc", "replaced by the processor's instruction", _BATCH_READER),
    Hook(
        sender,
        "BACKOFF_OVERRIDE",
        "a transaction may begin 2 ms after the last one instead of 20",
        "aiokafka: a `transaction_backoff_ms` argument of AIOKafkaProducer",
    ),
    Hook(
        kafka.admin.KafkaAdminClient,
        "_manager",
        "sends requests about quotas, as the methods of the client do",
        "kafka-python: `alter_client_quotas` and `describe_client_quotas` of KafkaAdminClient",
    ),
    # aiokafka: responses to fetches are received where they stay.
    Hook(
        aiokafka.AIOKafkaConsumer,
        "_client",
        "its class is replaced by `ZeroCopyClient`; it learns many topics in one request",
        _RECEIVE_BUFFER,
    ),
    Hook(client.AIOKafkaClient, "_get_conn", "each connection for fetches gets a `FrameReceiver`", _RECEIVE_BUFFER),
    Hook(conn.AIOKafkaConnection, "_writer", "its transport gets our protocol", _RECEIVE_BUFFER),
    Hook(conn.AIOKafkaConnection, "_requests", "the request that a response answers", _RECEIVE_BUFFER),
    Hook(conn.AIOKafkaConnection, "_last_action", "kept current, or the connection counts as idle", _RECEIVE_BUFFER),
    Hook(conn.AIOKafkaConnection, "_handle_frame", "handles responses other than fetches", _RECEIVE_BUFFER),
    Hook(conn.AIOKafkaConnection, "_read", "runs on and meets the end of the connection", _RECEIVE_BUFFER),
    Hook(conn.AIOKafkaConnection, "_on_read_task_error", "what then closes the connection", _RECEIVE_BUFFER),
    Hook(api.RequestStruct, "parse_response_header", "matches a response to its request", _RECEIVE_BUFFER),
)
