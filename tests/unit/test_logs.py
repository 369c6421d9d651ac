"""Logs are structured: an event name without values, key=value fields, JSON on request."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from monitor.logs import FIELD_CHARACTERS, EventLogger, JsonFormatter, line, set_up


def test_an_event_is_one_line_of_text(caplog: pytest.LogCaptureFixture) -> None:
    """The message is the event name and its fields; the record carries them as values too."""
    with caplog.at_level(logging.INFO, "some.module"):
        EventLogger("some.module").info("partition.revoked", stage="observe", partition=3, reason=None)
    [record] = caplog.records
    assert record.getMessage() == "partition.revoked stage=observe partition=3"
    assert (record.__dict__["sandbox_event"], record.__dict__["sandbox_fields"]["partition"]) == (
        "partition.revoked",
        3,
    )
    assert record.filename == "test_logs.py"


@pytest.mark.parametrize(
    "value", ["a b", 'say "x"', "line\nbreak", "\x1b[31mred", "\x9b31mred", "a\u2028b", "\x7f", "k=v", "", "é"]
)
def test_a_value_never_breaks_its_line(value: str) -> None:
    """Control characters, quotes and spaces are escaped, and the value can be read back."""
    shown = line("event", {"key": value})
    assert "\n" not in shown
    assert shown.isprintable()
    assert json.loads(shown.removeprefix("event key=")) == value


def test_a_long_value_is_cut() -> None:
    """No input fills the log."""
    assert len(line("event", {"key": "x" * 10_000_000})) < FIELD_CHARACTERS + 20


def test_percent_signs_are_text(caplog: pytest.LogCaptureFixture) -> None:
    """A value with a percent sign is not taken for a format."""
    with caplog.at_level(logging.WARNING, "some.module"):
        EventLogger("some.module").warning("disk.full", used="100%s")
    assert caplog.records[0].getMessage() == "disk.full used=100%s"


def test_json_lines_on_request() -> None:
    """With SANDBOX_LOG=json each line is one JSON object, also the lines of other libraries."""
    code = (
        "import logging\nfrom monitor.logs import EventLogger, set_up\nset_up()\n"
        "EventLogger('a').error('write.failed', stage='record', offset=7, error=ValueError('x'))\n"
        "logging.getLogger('faust').warning('rebalance %s', 'begins')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"SANDBOX_LOG": "json"}, capture_output=True, text=True, check=True
    )
    first, second = [json.loads(text) for text in done.stderr.splitlines()]
    assert first | {"time": ""} == {
        "time": "",
        "level": "error",
        "logger": "a",
        "event": "write.failed",
        "stage": "record",
        "offset": 7,
        "error": "x",
    }
    assert (second["event"], second["level"]) == ("rebalance begins", "warning")


def test_a_traceback_stays_inside_the_object() -> None:
    """One line per record, also with a traceback."""
    record = logging.LogRecord("a", logging.ERROR, "f.py", 1, "boom", None, None)
    try:
        raise ValueError("x")
    except ValueError:
        record.exc_info = sys.exc_info()
    shown = JsonFormatter().format(record)
    assert "\n" not in shown
    assert "ValueError: x" in json.loads(shown)["traceback"]


def test_another_form_is_refused() -> None:
    """A mistyped setting is an error that names the values."""
    with pytest.raises(ValueError, match="text or json"):
        set_up(environment={"SANDBOX_LOG": "yaml"})


def test_json_lines_hold_no_value_that_json_has_not() -> None:
    """NaN and control characters of a sender stay inside valid, printable JSON."""
    record = logging.LogRecord("a", logging.ERROR, "f.py", 1, "boom", None, None)
    record.__dict__["sandbox_fields"] = {"share": float("nan"), "name": "\x9b31m\u2028"}
    shown = JsonFormatter().format(record)
    assert shown.isprintable()
    assert json.loads(shown, parse_constant=pytest.fail)["name"] == "\x9b31m\u2028"


def test_what_the_kafka_client_tries_again_is_no_error() -> None:
    """A healthy start of a group on a new broker logs no error; what is retried is a warning, all else stays."""
    code = (
        "import logging\nfrom monitor.logs import set_up\nset_up()\n"
        "log = logging.getLogger('aiokafka.consumer.group_coordinator')\n"
        "log.error('Group Coordinator Request failed: %s', '[Error 15] GroupCoordinatorNotAvailableError')\n"
        "log.error('Unable connect to node with id %s: %s', 1, 'refused')\n"
        "log.error('Topic %s is not authorized for this client', 't')\n"
        "logging.getLogger('monitor.x').error('Unable connect to nothing')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    levels = [text.split()[2] for text in done.stderr.splitlines()]
    assert levels == ["INFO", "WARNING", "ERROR", "ERROR"]
