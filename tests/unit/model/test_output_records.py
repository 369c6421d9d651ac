"""Judging records of output topics: what is no output has a reason, and nothing raises."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.output_records import TYPES, JudgedOutput, OutputRejection, judge_output
from monitor.model.records import Closed, Command, Decision, Evidence, Level, Reason
from tests.strength import examples

DECISION = Decision(
    id="d", pilot="p-1", participant="acme", charter="c", kind="level", level=Level.HALT, was=Level.NORMAL,
    reason=Reason.HARD_RULE, at=1, standing=1, epoch=3, cause="event:s#1",
)  # fmt: skip
COMMAND = Command(id="c", pilot="p-1", action="halt", standing=1, epoch=3, reason=Reason.HARD_RULE, decision="d", at=1)
EVIDENCE = Evidence(
    pilot="p-1", participant="acme", vendor="v", data_source="", model="", indicator="i", segment="", kind="count",
    start=0, end=10, k=1.0, m=2.0,
)  # fmt: skip
CHANGED = msgspec.structs.replace


def headers(word: str, epoch: str = "3") -> list[tuple[str, bytes | None]]:
    return [("content-type", b"application/json"), ("type", word.encode()), ("epoch", epoch.encode())]


def judge(value: object, word: str = "decision", topic: str = "s.decisions", epoch: str = "3", key: bytes = b"p-1"):  # type: ignore[no-untyped-def]
    raw = value if isinstance(value, bytes | None) else msgspec.json.encode(value)
    return judge_output(topic, key, raw, headers(word, epoch))


def test_an_output_is_accepted_on_its_topic() -> None:
    """Shared topics, topics of a participant, and topics whose names tell nothing."""
    assert judge(DECISION) == JudgedOutput(3, DECISION)
    for topic in ("s.commands", "s.commands.acme", "s.commands.decisions", "elsewhere"):
        assert judge(COMMAND, "command", topic) == JudgedOutput(3, COMMAND)
    assert judge_output("s.evidence", None, b'{"partition":0,"through":5}', headers("closed")) == JudgedOutput(
        3, Closed(partition=0, through=5)
    )


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (judge(None), "no_value"),
        (judge(b" " * 2_000_000), "too_large"),
        (judge(b" " * 100_000, "evidence", "s.evidence"), "too_large"),
        (judge(DECISION, "verdict"), "unknown_type"),
        (judge_output("s.decisions", None, b"{}", []), "unknown_type"),
        (judge_output("s.decisions", None, b"{}", [("type", None)]), "unknown_type"),
        (judge(DECISION, topic="s.commands"), "wrong_topic"),
        (judge(COMMAND, "command"), "wrong_topic"),
        *[(judge(DECISION, epoch=epoch), "bad_epoch") for epoch in ("", "-1", "1_0", " 1", "9" * 400, "9" * 16, "x")],
        (judge(b"\xff\x00"), "unreadable"),
        (judge(b"[" * 200_000), "unreadable"),
        (judge(b"{}"), "unreadable"),
        (judge(CHANGED(DECISION, at=1 << 60)), "out_of_range"),
        (judge(CHANGED(DECISION, standing=-1)), "out_of_range"),
        (judge(CHANGED(DECISION, epoch=1 << 60)), "out_of_range"),
        (judge(CHANGED(DECISION, pilot="")), "out_of_range"),
        (judge(CHANGED(DECISION, pilot="p" * 9_999)), "out_of_range"),
        (judge(CHANGED(EVIDENCE, k=1e300), "evidence", "s.evidence"), "out_of_range"),
        (judge(CHANGED(EVIDENCE, start=11), "evidence", "s.evidence"), "out_of_range"),
        (judge(DECISION, key=b"p-2"), "key_mismatch"),
        (judge(DECISION, key=b"\xff"), "key_mismatch"),
    ],
)  # fmt: skip
def test_what_is_no_output_has_a_reason(found: object, reason: str) -> None:
    """Each kind of foreign record is skipped with its reason."""
    assert found == OutputRejection(reason)


@settings(max_examples=examples(200, 5_000), deadline=None)
@given(
    value=st.none() | st.binary(max_size=200),
    key=st.none() | st.binary(max_size=20),
    word=st.sampled_from([*TYPES, b"", b"\xff", None]),
    epoch=st.none() | st.binary(max_size=30),
    topic=st.sampled_from(["s.decisions", "s.evidence", "s", "", "s.commands.acme"]),
)
def test_nothing_in_a_record_raises(
    value: bytes | None, key: bytes | None, word: bytes | None, epoch: bytes | None, topic: str
) -> None:
    """Random bytes in every part of a record."""
    found = judge_output(topic, key, value, [("type", word), ("epoch", epoch)])
    assert isinstance(found, OutputRejection | JudgedOutput)
