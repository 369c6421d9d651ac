"""The section of a pilot's page about its shadow charter, in English and Chinese."""

from __future__ import annotations

from html import escape

from monitor.console.fleet_view import PilotView
from monitor.projections.shadow_words import difference_words, facts

HEADING = "Shadow charter", "影子章程"
LEAD = (
    "Another charter is stepped with the telemetry of this pilot and compared with the one in force. It never acts: "
    "what is listed here moved no level and was sent to no service.",
    "另一份章程以本试点的遥测数据并行运行，并与现行章程比较。它从不生效：下列内容未改变任何级别，也未发送给任何服务。",
)


def shadow_section(view: PilotView) -> str:
    """The newest comparison; empty for a pilot without one."""
    if view.shadow is None:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in facts(view.shadow)
    )
    items = "".join(f"<li>{escape(difference_words(one))}</li>" for one in view.shadow.differences)
    listed = f"<ul>{items}</ul>" if items else ""
    return (
        f'<section id="shadow"><h2>{HEADING[0]} <span lang="zh">{HEADING[1]}</span></h2>'
        f'<p>{escape(LEAD[0])}</p><p lang="zh">{LEAD[1]}</p><table>{rows}</table>{listed}</section>'
    )
