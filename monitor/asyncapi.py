"""The AsyncAPI 3 document of all topics, made from the code: what a firm in any language reads to take part.

`python -m monitor.asyncapi > monitor/asyncapi.yaml` writes it again; a test holds the committed file against this.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import msgspec

from monitor import __version__
from monitor.charter.users_acts import UsersAct
from monitor.lifecycle.sandbox_acts import ACT_TYPES
from monitor.model import events as telemetry
from monitor.model import records as model
from monitor.model import shadow_records
from monitor.validate.rejections import MAX_BYTES, MAX_DEPTH, MAX_EVENTS, SENTENCES

INFO = f"""
A sandbox monitor reads what the AI systems under test ("pilots") report, compares it with the plan that firm and
authority signed ("charter"), and answers with decisions and commands. This page is the whole interface.

**To take part, a firm** (1) sends telemetry about its pilots, (2) reads `commands` and `permits` before and while it
serves, (3) acknowledges each command with `sandbox.command.acknowledged`. Everything else on this page is read-only.

**Key.** Every record's key is the pilot's id in UTF-8, equal to the event's `subject`. Order is kept per key; a record
whose key and `subject` differ is rejected.

**Form.** CloudEvents 1.0 in JSON, in one of three content modes: *structured* (header `content-type:
application/cloudevents+json`, one event per record), *batch* (`application/cloudevents-batch+json`, a JSON array of
events; our documented extension of the Kafka binding), *binary* (headers `ce_specversion`, `ce_id`, `ce_source`,
`ce_type`, `ce_subject`, `ce_time`, `ce_sequence`; the value is `data` alone). Without headers the first byte decides
between object and array. At most {MAX_EVENTS:,} events and {MAX_BYTES:,} bytes per record after decompression, nested
at most {MAX_DEPTH} deep. gzip, lz4, snappy and zstd are read. Send batches: nothing else lowers the cost per event as
much. All events of a batch are about the same pilot.

**Source and sequence.** `source` names one incarnation of one emitter: a restart that has lost its counter takes a new
name, and two replicas never share one. Another event (id, type, time or payload) under a used number is rejected as
`source_conflict`. `sequence` is a decimal string that rises by one with every event of the source, zero-padded to a
width of your choice. A resent event keeps both and counts once; a number left out is a gap, which marks the period as
partial. Send in order; after an outage send stored events before new ones.

**Time.** `time` is when it happened, RFC 3339 with a UTC offset; at most 5 minutes after the broker's own time. Events
are counted in the period that holds their `time`. What arrives after the period has closed counts as late.

**Model.** `data.model` is the digest of the model that was serving, as registered in the charter.

**Forward compatibility.** Unknown fields are ignored, of a doubled key the last wins (a doubled `type` must agree). An
event that cannot be read is never lost and never stops anything: it appears on `rejected` with its position, field and
reason.

**Sandbox rules.** No free text and no direct identifiers: ids are pseudonyms that only the firm can resolve. Producers
use `acks=all`. Delivery is at least once with idempotent effects: readers keep the highest `standing` of a pilot and
drop repeated ids. The service obeys a halt when it reads it, acknowledges it, and then sends heartbeats with `serving:
false`.

**Permits.** For each heartbeat of a pilot that may run the monitor emits a permit with its `nonce` and `source`. The
lease of `lease_ms` starts when that heartbeat was sent; a permit of a lower `standing` than the highest command
received is void. A command with `dry_run` is acknowledged like any other and stops nothing. `notice` states what of
the pilot's telemetry was rejected and which findings are active.

**Release.** A release starts nothing: the firm resumes by a separate act. Every command names in `lifted` the decision
of the pilot's newest release; a service works only if the firm has resumed from that one, whatever command came after
it. `ground` is what a halt rests on.

**Signatures.** `commands`, `permits` and, where the charter names a key for the author, `control` and `telemetry` carry
the header `signature`: `<key id>:<base64>`, Ed25519 over `sandbox-monitor/1 command` (or `permit`, `control`,
`telemetry`), a line feed and the record's value. The key id is the first 16 hex digits of the SHA-256 of the public
key. By HTTP the header is `Sandbox-Signature`. Where the charter names keys of the firm, every record of telemetry must
be signed by one of them, or by a reporter that the charter names (incidents and complaints only); others are rejected
as `forged`. `signed-by` has the public key of a command or permit (HTTP: `Sandbox-Signed-By`).

A monitor with a key signs all that it writes to Kafka: the header `output-signature` covers one line and then key and
value. The line is `sandbox-monitor/2`, `type`, `topic/partition`, `epoch`, `number`, and the bytes of key and value
(`-` without one), separated by spaces, and a line feed. `number` rises with each record of one epoch in a partition.

Times inside the monitor's own records (`at`, `start`, `end`, `received`) are milliseconds since 1970-01-01T00:00Z. The
embedded runtime takes the same bodies by HTTP: `POST /v1/telemetry`, `POST /v1/control`.
"""

CHANNELS: dict[str, tuple[str, str, str]] = {  # name: (who writes, key, what)
    "telemetry": ("firms", "pilot", "What happens in a pilot. Or `sandbox.telemetry.<participant>`, one per firm."),
    "control": (
        "authorities",
        "pilot, or `sandbox`",
        "Acts of people: admission, amendment, override, release. One per record. Acts on the configuration of the "
        "sandbox have the key `sandbox`; partition 0 decides, and the others get copies.",
    ),
    "users": (
        "channels",
        "pilot",
        "Signed reports of users' channels: complaints, what became of them, users who left. No firm may write here; "
        "the gateway forwards them to control.",
    ),
    "journal": (
        "the monitor",
        "none",
        "Time, order and epoch of a partition: with it, every replay gives the same result.",
    ),
    "state": (
        "the monitor",
        "`kind/epoch/pilot`",
        "Snapshots of the monitor, MessagePack, compacted. Internal: the format may change.",
    ),
    "decisions": ("the monitor", "pilot", "The record: every move, finding, flag and act. Retained without limit."),
    "commands": ("the monitor", "pilot", "What a service must obey. Compacted: read it to its end before you serve."),
    "permits": ("the monitor", "pilot", "The lease under which a service may run, one per heartbeat. Compacted."),
    "evidence": ("the monitor", "pilot", "Every closed period with the score of each detector."),
    "rejected": ("the monitor", "pilot, if known", "Input that could not be used, and why."),
    "shadow": (
        "the monitor",
        "pilot",
        "What shadow charters would have decided, and summaries of the differences. Without any effect on the pilot.",
    ),
}

READ = ("firms", "authorities", "channels")  # who writes what the monitor reads

FIELDS = {  # what a field means, wherever it stands in telemetry
    "id": "Unique within `source`.",
    "source": "One incarnation of one emitter.",
    "subject": "The pilot; equal to the record's key.",
    "time": "When it happened, RFC 3339 with a UTC offset.",
    "sequence": "Rises by one with every event of the source.",
    "dataschema": "Optional reference to this page.",
    "model": "Digest of the model that was serving.",
    "complaint": "Pseudonym of the complaint, the same in all its events.",
    "incident": "Pseudonym of the incident, the same in all its events.",
    "aware": "Since when the firm knew of the incident, if that is earlier than this event is received.",
    "segment": "Group of users, as the charter names it; empty for none.",
    "category": "The firm's own category, no free text.",
    "boundary": "What was crossed, as the charter's `data_boundary` lists it.",
    "claim": "Pseudonym of the claim, the same in all its events.",
    "kind": "Kind of claim, as the charter names it: takedown, copyright, portrait, data ...",
    "withdrawn": "Whether the claim was withdrawn by who filed it; else it was answered.",
    "measure": "What was looked at, as the charter names it: labelled, harmful ...",
    "marked": "Items that have the property: that carry the label, in which the harm was found.",
    "unmarked": "Items that have it not.",
    "about": "When what is complained of happened, if that is known.",
    "dry_run": "Whether this acknowledges a drill.",
    "filed": "When the complaint or claim was filed: its first event's `time`.",
    "was": "What it was before: the severity, or the model's digest.",
    "tp": "True positives.",
    "fp": "False positives.",
    "tn": "True negatives.",
    "fn": "False negatives.",
    "unit": "As the charter names it: users, decisions, hours, miles ...",
    "amount": "How much, since the last event of this kind; not a running total. Below 0 in a correction.",
    "currency": "ISO 4217.",
    "share": "0.2 = 20 % less effort than without the pilot; negative = a loss.",
    "nonce": "Fresh for each heartbeat; its permit repeats it.",
    "serving": "Whether the service takes work now.",
    "exposure": "Running total since the emitter started.",
    "command": "Id of the command.",
    "standing": "Standing of the command.",
    "last_decision": "The firm's id of the last case decided before it stopped.",
}

EXAMPLES: dict[str, dict[str, Any]] = {  # `data` of one event of each type
    "sandbox.complaint.filed": {"complaint": "c-81", "segment": "under-25", "category": "delay"},
    "sandbox.complaint.resolved": {"complaint": "c-81", "filed": "2026-03-01T09:30:00Z", "segment": "under-25"},
    "sandbox.complaint.withdrawn": {"complaint": "c-82", "filed": "2026-03-01T09:40:00Z"},
    "sandbox.incident.reported": {"incident": "i-7", "severity": "incident", "harm": "minor_injury"},
    "sandbox.incident.updated": {
        "incident": "i-7",
        "severity": "serious_incident",
        "harm": "serious_injury",
        "was": "incident",
    },
    "sandbox.outcomes.tallied": {"tp": 12, "fp": 3, "tn": 480, "fn": 5, "segment": "over-64"},
    "sandbox.exposure.tallied": {"unit": "decisions", "amount": 500},
    "sandbox.cost.reported": {"amount": 1250.5, "currency": "EUR"},
    "sandbox.gain.reported": {"share": 0.18},
    "sandbox.model.changed": {"was": "sha256:9f2c"},
    "sandbox.heartbeat": {"nonce": "b1946ac9", "serving": True, "exposure": 15200},
    "sandbox.command.acknowledged": {"command": "4f0c", "standing": 3, "last_decision": "d-4411"},
    "sandbox.exposure.corrected": {"unit": "decisions", "amount": -900.0, "segment": "under-25"},
    "sandbox.outcomes.corrected": {"fp": -5, "tn": -95},
    "sandbox.boundary.breached": {"boundary": "no transfer outside the region"},
    "sandbox.items.tallied": {"measure": "labelled", "marked": 970, "unmarked": 30, "segment": "under-25"},
    "sandbox.claim.filed": {"claim": "r-12", "kind": "takedown", "segment": "under-25"},
    "sandbox.claim.closed": {"claim": "r-12", "kind": "takedown", "filed": "2026-03-01T09:20:00Z"},
}

# Struct -> the schema name on the page: generated clients are named after it, so it outlives a rename of the struct.
PUBLISHED = {"DetectorSpec": "Watcher"}

OUTPUTS: dict[str, tuple[type, ...]] = {
    "journal": (model.Claim, model.ControlRead, model.TimeRead, model.Skipped),
    "decisions": (model.Decision,),
    "commands": (model.Command,),
    "permits": (model.Permit,),
    "evidence": (model.Evidence, model.Closed),
    "rejected": (model.Rejected,),
    "shadow": (shadow_records.ShadowDecision, shadow_records.ShadowSummary),
}


def example(kind: str) -> dict[str, Any]:
    """A whole event of one type."""
    number = list(EXAMPLES).index(kind) + 1
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/acme/scoring/2026-03-01T08:00:00Z",
        "type": kind,
        "subject": "pilot-17",
        "time": "2026-03-01T10:00:00Z",
        "sequence": f"{number:012d}",
        "data": {"model": "sha256:4be1", **EXAMPLES[kind]},
    }


def document() -> dict[str, Any]:
    """The AsyncAPI document as plain values."""
    schemas = _schemas()
    messages: dict[str, Any] = {}
    carried: dict[str, list[str]] = {name: [] for name in CHANNELS}
    for kind, struct in telemetry.EVENT_TYPES.items():
        name = struct.__name__
        carried["telemetry"].append(name)
        messages[name] = {
            "name": kind,
            "title": name,
            "summary": _words(struct),
            "contentType": "application/cloudevents+json",
            "headers": _ref("schemas", "StructuredHeaders"),
            "payload": _ref("schemas", name),
            "bindings": _key("the pilot, equal to `subject`"),
            "examples": [{"name": kind, "payload": example(kind)}],
        }
    carried["telemetry"].append("EventBatch")
    messages["EventBatch"] = {
        "name": "batch",
        "title": "EventBatch",
        "summary": "Any of these events, packed; all about the same pilot.",
        "contentType": "application/cloudevents-batch+json",
        "headers": _ref("schemas", "BatchHeaders"),
        "payload": {
            "type": "array",
            "maxItems": MAX_EVENTS,
            "items": {"oneOf": [_ref("schemas", t.__name__) for t in telemetry.EVENT_TYPES.values()]},
        },
        "bindings": _key("the pilot, equal to the `subject` of every event"),
        "examples": [{"name": "two", "payload": [example("sandbox.exposure.tallied"), example("sandbox.heartbeat")]}],
    }
    for kind, act in ACT_TYPES.items():
        carried["control"].append(act.__name__)
        if act in get_args(UsersAct):
            carried["users"].append(act.__name__)
        messages[act.__name__] = _message(kind, act, "the pilot, equal to `pilot`")
    for channel, structs in OUTPUTS.items():
        for struct in structs:
            keyed = channel != "journal" and struct.__name__ != "Closed"
            carried[channel].append(struct.__name__)
            messages[struct.__name__] = _message(struct.__name__, struct, "the pilot" if keyed else "")
    carried["state"].append("State")
    messages["State"] = {
        "name": "State",
        "title": "State",
        "summary": "A snapshot, a watermark, or how far outputs are written. An empty value deletes its key.",
        "contentType": "application/vnd.msgpack",
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sandbox monitor",
            "version": __version__,
            "description": INFO.strip(),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "The sandbox's cluster. Timestamps are the broker's own (LogAppendTime).",
            }
        },
        "channels": {
            name: {
                "address": f"sandbox.{name}",
                "description": f"{what} Written by {who}. Key: {key}.",
                "messages": {message: _ref("messages", message) for message in carried[name]},
            }
            for name, (who, key, what) in CHANNELS.items()
        },
        "operations": {
            f"{'read' if who in READ else 'write'}_{name}": {
                "action": "receive" if who in READ else "send",
                "channel": _ref_to(f"#/channels/{name}"),
                "summary": f"The monitor {'reads' if who in READ else 'writes'} {name}.",
            }
            for name, (who, _, _) in CHANNELS.items()
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def text() -> str:
    """The document as YAML."""
    return "# Written by `python -m monitor.asyncapi`; do not edit.\n" + "\n".join(_yaml(document())) + "\n"


def _schemas() -> dict[str, Any]:
    structs = [*telemetry.EVENT_TYPES.values(), *ACT_TYPES.values()]
    structs += [struct for group in OUTPUTS.values() for struct in group]
    _, made = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    raw = msgspec.json.encode(made)
    for name, published in PUBLISHED.items():
        raw = raw.replace(f'"{name}"'.encode(), f'"{published}"'.encode())
        raw = raw.replace(f'"#/components/schemas/{name}"'.encode(), f'"#/components/schemas/{published}"'.encode())
    schemas: dict[str, Any] = msgspec.json.decode(raw)  # plain lists where defaults are tuples
    for name, schema in schemas.items():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
        described = getattr(telemetry, name, None)
        if not isinstance(described, type) or issubclass(described, Enum):
            continue
        for field, definition in schema.get("properties", {}).items():
            if field in FIELDS and "$ref" not in definition:
                definition["description"] = FIELDS[field]
    schemas["Rejected"]["properties"]["reason"] = {
        "enum": [why.value for why in SENTENCES],
        "description": "\n".join(f"- `{why.value}`: {sentence}" for why, sentence in SENTENCES.items()),
    }
    for name, content in (("StructuredHeaders", "cloudevents+json"), ("BatchHeaders", "cloudevents-batch+json")):
        schemas[name] = {
            "type": "object",
            "properties": {"content-type": {"type": "string", "enum": [f"application/{content}"]}},
        }
    return dict(sorted(schemas.items()))


def _message(name: str, struct: type, key: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "title": struct.__name__,
        "summary": _words(struct),
        "contentType": "application/json",
        "payload": _ref("schemas", struct.__name__),
    }
    return {**made, "bindings": _key(key)} if key else made


def _words(struct: type) -> str:
    """The first sentence of a docstring."""
    return " ".join((inspect.getdoc(struct) or "").split("\n\n")[0].split())


def _key(what: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": f"UTF-8: {what}."}, "bindingVersion": "0.5.0"}}


def _ref(group: str, name: str) -> dict[str, str]:
    return _ref_to(f"#/components/{group}/{name}")


def _ref_to(path: str) -> dict[str, str]:
    return {"$ref": path}


def _yaml(value: Any, indent: int = 0) -> Iterator[str]:
    """Plain values as block YAML: keys plain or quoted, texts of several lines as literals, all else as JSON."""
    pad = "  " * indent
    pairs = ((json.dumps(k) if k[0] in "$" else k, v) for k, v in value.items()) if isinstance(value, dict) else None
    for head, item in pairs if pairs is not None else (("-", v) for v in value):
        lead = f"{pad}{head}:" if pairs is not None else f"{pad}-"
        if isinstance(item, str) and "\n" in item:
            yield f"{lead} |-"
            yield from (f"{pad}  {line}".rstrip() for line in item.splitlines())
        elif isinstance(item, dict | list) and item:
            yield lead
            yield from _yaml(item, indent + 1)
        else:
            yield f"{lead} {json.dumps(item, ensure_ascii=False)}"


if __name__ == "__main__":
    print(text(), end="")
