"""What the SDK logs of the monitor's notices."""

from __future__ import annotations

import logging

import pytest

from monitor.model.notice import Notice, Rejection
from monitor.sdk.notice_log import NoticeLog


def forged(events: int) -> Notice:
    return Notice(rejected={"forged": events, "not_json": 9}, newest=(Rejection(1, "signature", "forged", "why"),))


def test_somebody_who_sends_in_the_name_of_the_firm_is_logged_at_most_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """More forged events than were known are an error in the log, with their number; other rejections are not."""
    now = 100.0
    log = NoticeLog("p", forged(3), lambda: now)
    steps = [(0.0, 3), (1.0, 5), (2.0, 6), (62.0, 6), (130.0, 0), (200.0, 1)]
    with caplog.at_level(logging.ERROR, "monitor.sdk"):
        for later, events in steps:
            now = 100.0 + later
            log.heard(forged(events))
    fields = [record.__dict__["sandbox_fields"] for record in caplog.records]
    assert [each["events"] for each in fields] == [2, 1, 1]
