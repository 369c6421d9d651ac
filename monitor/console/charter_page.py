"""The charter of a pilot as the board shows it: the text, its hash, and the decisions that put it in force."""

from __future__ import annotations

from html import escape

from monitor.compile.dump import charter_yaml
from monitor.console.fleet_view import PilotView
from monitor.projections.charter_record import CAUSES
from monitor.projections.formats import stamp
from monitor.projections.wording import sentence


def charter_body(view: PilotView) -> str:
    """The content of the page. Only a charter that a decision names is shown, never a refused one."""
    acts_in_force = "".join(
        f"<li>{stamp(d.at)}: {escape(sentence(d))}; by {escape(d.author or '?')}, "
        f"{escape(f'signed by key {d.signed}') if d.signed else 'not signed'}; entry at standing {d.standing}; "
        f"hash <code>{escape(d.charter)}</code></li>"
        for d in view.decisions
        if d.reason in CAUSES
    )
    acts = (
        f"<ul>{acts_in_force}</ul>"
        if acts_in_force
        else "<p>The decisions that put it in force are older than the decisions on this board.</p>"
    )
    hint = f"sandbox-monitor charter show {view.pilot} [--version N]"
    text = (
        f"<h2>Version {view.plan.version}</h2>"
        f"<p>Hash <code>{escape(view.charter)}</code>, as in the entries of the ledger.</p>"
        f'<pre class="charter" tabindex="0">{escape(charter_yaml(view.plan))}</pre>'
        if view.plan is not None
        else f"<p>The board has not yet read the charter with the hash <code>{escape(view.charter)}</code>.</p>"
    )
    return f'{acts}<p class="small">Export, also of earlier versions: <code>{escape(hint)}</code></p>{text}'
