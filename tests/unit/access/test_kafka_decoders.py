"""The decoders of kafka-python are usable in every thread, whichever of them prepared one first."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.access import kafka_decoders
from monitor.sdk import kafka_link

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.protocol.api_header import ResponseClassRegistry
    from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse, MetadataResponse
    from kafka.protocol.schemas.fields.struct import StructField

assert kafka_link  # importing it makes them safe
VERSION = 9
MEET_S = 1.0  # that the first thread waits, halfway, for the second
LONG_S = 60.0


def in_two_threads(work: Callable[[], Any]) -> None:
    """Call `work` in two threads at once, and wait for both."""
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_decoder_compiled_in_two_threads_at_once_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clients that receive their first response of a kind at once can both read it, and all later ones."""
    sent = MetadataResponse(
        version=VERSION, throttle_time_ms=0, brokers=[], cluster_id="c", controller_id=3, topics=[]
    ).encode()
    struct, emit = MetadataResponse._struct, StructField.emit_decode_from
    both, one_done = threading.Barrier(2), threading.Event()
    came: list[int] = []

    def halfway(self: Any, ctx: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        """Both threads meet here, unless one of them is blocked; the second goes on when the first has finished."""
        if self is struct and name == "obj":
            came.append(threading.get_ident())
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(MEET_S)
            if came[0] != threading.get_ident():
                one_done.wait(LONG_S)
        return emit(self, ctx, name, *args, **kwargs)

    def decode() -> None:
        struct.compiled_decode_from(VERSION, compact=True, tagged=True, data_class=MetadataResponse)
        one_done.set()

    monkeypatch.setattr(struct, "_compiled_encoders", {})
    monkeypatch.setattr(StructField, "emit_decode_from", halfway)
    in_two_threads(decode)
    assert MetadataResponse.decode(sent, version=VERSION).controller_id == 3


@pytest.fixture(name="fresh_versions")
def without_classes_of_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No class of a version of the first response of every connection exists, as in a new process."""
    registry = ResponseClassRegistry._response_class_registry
    monkeypatch.setitem(registry, ApiVersionsResponse.API_KEY, registry[ApiVersionsResponse.API_KEY])
    monkeypatch.setattr(ApiVersionsResponse, "_VERSIONS", {})


@pytest.mark.usefixtures("fresh_versions")
def test_a_class_made_in_two_threads_at_once_stays_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clients that connect at once can both read what the broker supports, and so can all later ones."""
    register, second_done = ResponseClassRegistry.register_response_class, threading.Event()
    came: list[int] = []

    def registered(made: Any) -> None:
        """The first thread goes on when the second has finished, unless that one is blocked."""
        register(made)
        came.append(threading.get_ident())
        if came[0] == threading.get_ident():
            second_done.wait(MEET_S)

    def make() -> None:
        assert ApiVersionsResponse[4] is not None
        if came[0] != threading.get_ident():
            second_done.set()

    monkeypatch.setattr(ResponseClassRegistry, "register_response_class", registered)
    in_two_threads(make)
    gc.collect()
    request = ApiVersionsRequest(version=4)
    request.with_header()
    assert request.header.get_response_class().API_KEY == ApiVersionsResponse.API_KEY


def test_a_process_forked_while_a_decoder_is_prepared_can_prepare_one() -> None:
    """The lock that another thread held at the fork does not block the child."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with kafka_decoders._lock:
            held.set()
            done.wait(LONG_S)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(LONG_S)
    child = os.fork()
    if child == 0:
        signal.alarm(int(LONG_S))
        os._exit(7 if ApiVersionsResponse[3] is not None else 0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 7


def test_every_module_with_a_client_of_kafka_python_prepares_decoders_one_at_a_time() -> None:
    """A module that imports `KafkaConsumer`, `KafkaProducer` or `KafkaAdminClient` calls `serialise_decoders`, or
    imports one of the product that does."""
    folder = Path(kafka_decoders.__file__).parents[1]
    texts = {
        path: path.read_text() for name in ("sdk", "client", "kafka") for path in sorted((folder / name).glob("*.py"))
    }
    makes = {
        path
        for path, text in texts.items()
        if re.search(r"^from kafka import|^    KafkaAdmin|^from kafka\.admin", text, re.M)
    }
    calls = {path for path, text in texts.items() if re.search(r"^serialise_decoders\(\)$", text, re.M)}
    names = {f"{path.parent.name}.{path.stem}" for path in calls}
    left = [p for p in makes - calls if not any(f"from monitor.{name} import" in texts[p] for name in names)]
    assert len(makes) >= 4
    assert left == []
