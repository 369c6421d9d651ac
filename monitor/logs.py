"""Structured logs through the standard library: an event name and key=value fields; JSON lines on request.

    log = EventLogger(__name__)
    log.warning("partition.revoked", stage="observe", partition=3, epoch=7)

prints `partition.revoked stage=observe partition=3 epoch=7`, and with `SANDBOX_LOG=json` one JSON object per line with
`event`, `level`, `logger`, `time` and the fields. The event name never contains values, so that it can be searched for
and counted. A text for people goes into the field `detail`, an error into `error`. `stage` is the verb of the flow:
validate, observe, detect, decide, record or act.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal

Stage = Literal["validate", "observe", "detect", "decide", "record", "act"]
FIELD_CHARACTERS = 2_000  # of one value; a longer one is cut, so that no input fills the log
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ENVIRONMENT = "SANDBOX_LOG"  # `text` (default) or `json`


class EventLogger:
    """Events of one module, handed to `logging.getLogger(name)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, *, stage: Stage | None = None, **fields: Any) -> None:
        """For those who look for a fault."""
        self._emit(logging.DEBUG, event, stage, fields)

    def info(self, event: str, /, *, stage: Stage | None = None, **fields: Any) -> None:
        """A normal change that people may want to see."""
        self._emit(logging.INFO, event, stage, fields)

    def warning(self, event: str, /, *, stage: Stage | None = None, **fields: Any) -> None:
        """Something is wrong and is being dealt with."""
        self._emit(logging.WARNING, event, stage, fields)

    def error(self, event: str, /, *, stage: Stage | None = None, exc_info: Any = None, **fields: Any) -> None:
        """Something failed. `exc_info=True` adds the traceback."""
        self._emit(logging.ERROR, event, stage, fields, exc_info)

    def critical(self, event: str, /, *, stage: Stage | None = None, exc_info: Any = None, **fields: Any) -> None:
        """The process, or a service that it guards, cannot go on."""
        self._emit(logging.CRITICAL, event, stage, fields, exc_info)

    def _emit(
        self, level: int, event: str, stage: Stage | None, fields: Mapping[str, Any], exc_info: Any = None
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        found = {"stage": stage, **fields} if stage else dict(fields)
        # `stacklevel`: the line that logs, not this one. The text is ready, so nothing in it is taken for a `%`.
        self._logger.log(
            level,
            "%s",
            line(event, found),
            exc_info=exc_info,
            extra={"sandbox_event": event, "sandbox_fields": found},
            stacklevel=3,
        )


def line(event: str, fields: Mapping[str, Any]) -> str:
    """An event as one line of text, control characters escaped.

    >>> line("spool.full", {"bytes": 12, "path": "/a b", "error": None})
    'spool.full bytes=12 path="/a b"'
    """
    return " ".join([event, *(f"{key}={_text(value)}" for key, value in fields.items() if value is not None)])


def _text(value: Any) -> str:
    text = str(value)[:FIELD_CHARACTERS]
    plain = text.isascii() and text.isprintable() and not any(c in text for c in ' "=\\')
    if plain and text:
        return text
    # JSON alone leaves DEL, C1 control characters and line separators as they are, which a terminal would act on.
    return json.dumps(text, ensure_ascii=not text.isprintable())


class JsonFormatter(logging.Formatter):
    """One JSON object per line; also for records of other libraries, whose message becomes `event`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON. Values that JSON cannot hold become text."""
        shown: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "sandbox_event", None) or record.getMessage()[:FIELD_CHARACTERS],
        }
        fields = getattr(record, "sandbox_fields", {})
        shown |= {key: _json(value) for key, value in fields.items() if value is not None and key not in shown}
        if record.exc_info:
            shown["traceback"] = self.formatException(record.exc_info)
        return json.dumps(shown)


def _json(value: Any) -> Any:
    if isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    return str(value)[:FIELD_CHARACTERS]


RETRIED = (
    "Group Coordinator Request failed", "Unable connect to", "Unable to update metadata", "Failed fetch messages",
    "Failed fetch offsets", "Heartbeat send request failed", "Error sending HeartbeatRequest",
)  # fmt: skip
"""How messages of the Kafka client begin that it logs as errors, although it tries again by itself."""
BUSY = "Thread keepalive is not responding"  # of `mode`, after 3 s; a thread that blocks ends by our watchdog
STARTING = "GroupCoordinatorNotAvailableError"  # a new broker creates its topic of groups when the first one joins


def lower_retried(record: logging.LogRecord) -> bool:
    """Lower the level of what the Kafka client tries again: WARNING, and INFO for what every first start shows. What
    does not recover ends the worker, or raises an alert of ours. A filter: keeps every record."""
    if record.levelno == logging.ERROR:
        text = record.getMessage()
        retried = record.name.split(".")[0] in ("aiokafka", "kafka") and text.startswith(RETRIED)
        if retried or BUSY in text:
            record.levelno = logging.INFO if STARTING in text else logging.WARNING
            record.levelname = logging.getLevelName(record.levelno)
    return True


def set_up(environment: Mapping[str, str] = os.environ) -> None:
    """Send the logs of this process to stderr, as `SANDBOX_LOG` asks (`text` or `json`): ours from INFO on, those of
    other libraries from WARNING on.

    Raises ValueError for any other value of `SANDBOX_LOG`.
    """
    form = environment.get(ENVIRONMENT, "text")
    if form not in ("text", "json"):
        raise ValueError(f"{ENVIRONMENT} is {form!r}; fix: text or json")
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(TEXT))
    handler.addFilter(lower_retried)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("monitor").setLevel(logging.INFO)
