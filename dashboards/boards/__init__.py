"""The table of dashboards: one file per dashboard, read by `classic.py` and `schema_v2.py`."""

from __future__ import annotations

from . import across, detectors, fleet, halts, health, life, pilot
from .table import Board

BOARDS: tuple[Board, ...] = tuple(module.BOARD for module in (fleet, pilot, halts, life, across, detectors, health))
