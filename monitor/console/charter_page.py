"""The charter of a pilot as the board shows it: the text, its hash, and the decisions that put it in force."""

from __future__ import annotations

from html import escape

from monitor.compile.dump import charter_yaml
from monitor.console.fleet_view import PilotView
from monitor.projections.charter_record import CAUSES
from monitor.projections.formats import stamp
from monitor.projections.wording import sentence


def charter_body(view: PilotView) -> str:
    """What stands on the page: only a charter that a decision names is shown, never one that was refused."""
    said = "".join(
        f"<li>{stamp(d.at)}: {escape(sentence(d))}; by {escape(d.author or '?')}, "
        f"{escape(f'signed by key {d.signed}') if d.signed else 'not signed'}; entry at standing {d.standing}; "
        f"hash <code>{escape(d.charter)}</code></li>"
        for d in view.decisions
        if d.reason in CAUSES
    )
    acts = (
        f"<ul>{said}</ul>" if said else "<p>The decisions that put it in force are older than what the board keeps.</p>"
    )
    hint = f"sandbox-monitor charter show {view.pilot} [--version N]"
    text = (
        f"<h2>Version {view.plan.version}</h2><p>Hash <code>{escape(view.charter)}</code>, as the entries of the ledger carry it.</p>"
        f'<pre class="charter" tabindex="0">{escape(charter_yaml(view.plan))}</pre>'
        if view.plan is not None
        else f"<p>The board has not read the charter with the hash <code>{escape(view.charter)}</code> yet.</p>"
    )
    return f'{acts}<p class="small">As a file, and earlier versions: <code>{escape(hint)}</code></p>{text}'
