"""The style of pictures: CSS custom properties for light and dark, and for print. Colour is never the only sign."""

from __future__ import annotations

STYLE = """
.smp{--ink:#1d2733;--soft:#5a6675;--grid:#dfe4ea;--paper:#ffffff;--line1:#1f5fa8;--line2:#7a3f9d;--line3:#0f766e;
--count:#a9b8c9;--over:#c46a4a;--allow:#1d2733;--bar:#b3202a;--normal:#47745c;--watch:#8f6900;--escalate:#b84c0a;
--halt:#b3202a;--gone:#5a6675;--hatch:#98a4b3;--onlevel:#fff;print-color-adjust:exact;-webkit-print-color-adjust:exact}
@media screen and (prefers-color-scheme:dark){.smp{--ink:#e8edf3;--soft:#a3afbd;--grid:#313c49;--paper:#141a21;
--line1:#7db3f0;--line2:#c79be6;--line3:#5fc9bd;--count:#4f6177;--over:#d98a6c;--allow:#e8edf3;--bar:#ff7b7b;
--normal:#79b395;--watch:#e0b341;--escalate:#ff9a4d;--halt:#ff7b7b;--gone:#a3afbd;--hatch:#66758a;--onlevel:#10151b}}
.smp{display:block;max-width:100%;height:auto}
.smp text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans CJK SC",
"PingFang SC","Microsoft YaHei",sans-serif;font-size:11px;fill:var(--ink)}
.smp .soft{fill:var(--soft)}.smp .h1{font-size:17px;font-weight:600}.smp .h2{font-size:13.5px;font-weight:600}
.smp .b{font-weight:600}
.smp .paper{fill:var(--paper)}.smp .grid{stroke:var(--grid);stroke-width:1}.smp .axis{stroke:var(--soft);
stroke-width:1}
.smp .line1,.smp .line2,.smp .line3{fill:none;stroke-width:2;stroke-linejoin:round}
.smp .part{stroke-dasharray:2 3}
.smp .line1{stroke:var(--line1)}.smp .line2{stroke:var(--line2)}.smp .line3{stroke:var(--line3)}
.smp .ink1{fill:var(--line1)}.smp .ink2{fill:var(--line2)}.smp .ink3{fill:var(--line3)}
.smp .bar{fill:none;stroke:var(--bar);stroke-width:1.6;stroke-dasharray:7 4}.smp .half{fill:none;stroke:var(--bar);
stroke-width:1.1;stroke-dasharray:2 4}
.smp .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.smp .bar.s-escalate,.smp .half.s-escalate{stroke:var(--escalate)}.smp .bar.s-watch{stroke:var(--watch)}
.smp .bar.s-halt{stroke:var(--halt)}
.smp .count{fill:var(--count)}.smp .over{fill:var(--over)}.smp .allow{fill:none;stroke:var(--allow);stroke-width:1.5}
.smp .open{fill:none;stroke:var(--over);stroke-width:1.2;stroke-dasharray:2 2}
.smp .normal{fill:var(--normal)}.smp .watch{fill:var(--watch)}.smp .escalate{fill:var(--escalate)}
.smp .halt{fill:var(--halt)}.smp .gone{fill:var(--gone)}
.smp .stem{stroke-width:1.2;stroke-dasharray:1 3}.smp .outline{fill:none;stroke-width:1.6}
.smp .frame{fill:none;stroke:var(--soft);stroke-width:1}
.smp .s-normal{stroke:var(--normal)}.smp .s-watch{stroke:var(--watch)}.smp .s-escalate{stroke:var(--escalate)}
.smp .s-halt{stroke:var(--halt)}.smp .hatch{stroke:var(--hatch);stroke-width:1.4}
.smp .veil{opacity:.5}
.smp .onlevel{fill:var(--onlevel);font-weight:600}
"""
"""Of every picture, alone or in a page."""

PAIR_STYLE = """
.smp.narrow{display:none}
@media screen and (max-width:640px){.smp.wide{display:none}.smp.narrow{display:block;width:100%;max-width:480px}}
"""
"""Of a page that holds both drawings of a chart: the wide one for desks and print, the narrow one for phones."""
