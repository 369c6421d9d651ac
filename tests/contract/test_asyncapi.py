"""The AsyncAPI page is the code's own word: same types, same fields, and its examples are really accepted."""

from __future__ import annotations

from importlib import resources
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from monitor import asyncapi
from monitor.lifecycle.sandbox_acts import ACT_TYPES
from monitor.model.events import EVENT_TYPES
from monitor.model.records import Record
from monitor.validate.parse import validate
from monitor.validate.rejections import RejectionReason

RECEIVED = 1_772_359_260_000  # a minute after the examples
PAGE: dict[str, Any] = yaml.load(
    resources.files("monitor").joinpath("asyncapi.yaml").read_text("utf-8"), yaml.CSafeLoader
)
TOPICS = [
    "telemetry",
    "control",
    "users",
    "journal",
    "state",
    "decisions",
    "commands",
    "permits",
    "evidence",
    "rejected",
    "shadow",
]


def follow(ref: dict[str, str]) -> Any:
    """What a `$ref` points at; fails when it points nowhere."""
    found: Any = PAGE
    for step in ref["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def refs(value: Any) -> list[dict[str, str]]:
    """Every `$ref` of the page."""
    if isinstance(value, dict):
        own = [value] if set(value) == {"$ref"} or "$ref" in value else []
        return own + [ref for item in value.values() for ref in refs(item)]
    return [ref for item in value for ref in refs(item)] if isinstance(value, list) else []


def schema(payload: dict[str, Any]) -> jsonschema.Draft202012Validator:
    whole = {**payload, "components": PAGE["components"]}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


def test_the_committed_page_is_what_the_code_says() -> None:
    """A changed struct needs a new page: `python -m monitor.asyncapi > monitor/asyncapi.yaml`."""
    assert resources.files("monitor").joinpath("asyncapi.yaml").read_text("utf-8") == asyncapi.text()


def test_the_yaml_says_what_the_document_says() -> None:
    """Our own few lines of YAML writer lose and change nothing."""
    assert asyncapi.document() == PAGE


def test_every_topic_is_a_channel_with_messages_and_an_operation() -> None:
    """Nine channels, each read or written by the monitor."""
    assert list(PAGE["channels"]) == TOPICS
    assert PAGE["asyncapi"] == "3.0.0"
    for name, channel in PAGE["channels"].items():
        assert channel["address"] == f"sandbox.{name}"
        assert channel["messages"]
        assert "Key:" in channel["description"]
    acted_on = {operation["channel"]["$ref"] for operation in PAGE["operations"].values()}
    assert acted_on == {f"#/channels/{name}" for name in TOPICS}


def test_every_reference_leads_somewhere() -> None:
    """No `$ref` is broken."""
    assert len(refs(PAGE)) > 100
    for ref in refs(PAGE):
        assert follow(ref)


def test_every_type_of_the_code_is_a_message_and_no_other_is() -> None:
    """Telemetry and control name exactly the types that the monitor reads."""
    for channel, types, extra in (("telemetry", EVENT_TYPES, {"batch"}), ("control", ACT_TYPES, set[str]())):
        names = {follow(ref)["name"] for ref in PAGE["channels"][channel]["messages"].values()}
        assert names == set(types) | extra


def test_every_field_of_telemetry_is_described() -> None:
    """A firm that reads the page alone knows what each field means."""
    for struct in EVENT_TYPES.values():
        event = PAGE["components"]["schemas"][struct.__name__]
        for fields in (event["properties"], follow(event["properties"]["data"])["properties"]):
            for name, field in fields.items():
                assert "$ref" in field or "enum" in field or field.get("description"), name


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_the_example_of_each_type_passes_its_schema_and_the_monitor(kind: str) -> None:
    """What the page shows can be sent as it stands."""
    message = PAGE["components"]["messages"][EVENT_TYPES[kind].__name__]
    payload = message["examples"][0]["payload"]
    schema(message["payload"]).validate(payload)
    headers = (("content-type", message["contentType"].encode()),)
    record = Record(0, RECEIVED, payload["subject"].encode(), msgspec.json.encode(payload), headers)
    events, _, rejected = validate(record, "t", 0, secret=b"k")
    assert (len(events), rejected) == (1, [])


def test_the_batch_example_passes_its_schema_and_the_monitor() -> None:
    """So can the packed one."""
    message = PAGE["components"]["messages"]["EventBatch"]
    payload = message["examples"][0]["payload"]
    schema(message["payload"]).validate(payload)
    headers = (("content-type", message["contentType"].encode()),)
    record = Record(0, RECEIVED, b"pilot-17", msgspec.json.encode(payload), headers)
    assert len(validate(record, "t", 0, secret=b"k").events) == 2


@pytest.mark.parametrize("kind", EVENT_TYPES)
@pytest.mark.parametrize("field", ["id", "time", "sequence", "data"])
def test_the_schema_refuses_what_the_monitor_refuses(kind: str, field: str) -> None:
    """A required field is required on both sides."""
    payload = {k: v for k, v in asyncapi.example(kind).items() if k != field}
    with pytest.raises(jsonschema.ValidationError):
        schema(PAGE["components"]["messages"][EVENT_TYPES[kind].__name__]["payload"]).validate(payload)
    assert validate(Record(0, RECEIVED, None, msgspec.json.encode(payload)), "t", 0, secret=b"k").rejected


def test_every_reason_of_a_rejection_is_on_the_page() -> None:
    """The closed list is part of the interface."""
    assert set(PAGE["components"]["schemas"]["Rejected"]["properties"]["reason"]["enum"]) == set(RejectionReason)
