"""The style of pictures: one style sheet, inside a standalone picture or next to a page that shows pictures."""

from __future__ import annotations

from importlib.resources import files

STYLE = files("monitor.console").joinpath("chart.css").read_text("utf-8")
