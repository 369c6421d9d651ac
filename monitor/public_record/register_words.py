"""The words of the register in English and Chinese. What charters and entries say is shown as it stands there."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}

WORDS: dict[str, tuple[str, str]] = {
    "register": ("Public register of the AI sandbox", "人工智能沙盒公开登记册"),
    "lead": (
        "Every pilot that was admitted, made from the ledgers alone. Parts that a charter lists as confidential, and "
        "names and contacts of people, are not shown.",
        "所有获准进入沙盒的试点，内容仅来自账本。章程列为保密的部分以及人员姓名和联系方式不予公开。",
    ),
    "pilot": ("Pilot", "试点"),
    "firm": ("Firm", "企业"),
    "state": ("State", "状态"),
    "tier": ("Tier", "风险等级"),
    "sector": ("Sector", "行业"),
    "region": ("Region", "地区"),
    "authority": ("Authority", "主管机关"),
    "changed": ("Last change", "最近变更"),
    "halts": ("Halts", "停止命令"),
    "list": ("Lists", "列表"),
    "by": ("by {what}", "按{what}"),
    "charter": ("Charter: public part", "章程：公开部分"),
    "withheld": ("withheld", "保密"),
    "withheld_fields": ("Withheld as confidential", "列为保密"),
    "nothing_withheld": ("nothing", "无"),
    "changes": ("What happened", "经过"),
    "statement": ("statement of reasons", "理由说明"),
    "report": ("Written proof and exit report", "书面证明与退出报告"),
    "none": ("not issued", "尚未出具"),
    "issued": ("issued; the firm has not consented to publication", "已出具；企业尚未同意公开"),
    "report_withheld": ("issued; withheld from publication", "已出具；不予公开"),
    "published": ("issued; published with the consent of the firm", "已出具；经企业同意公开"),
    "outcome": ("outcome", "结论"),
    "ledger": ("Ledger", "账本"),
    "entries": ("entries", "条"),
    "begun": ("commanded", "下达"),
    "acknowledged": ("acknowledged", "已确认"),
    "verified": ("stop verified", "停止已核实"),
    "released": ("released", "已解除"),
    "annulled": ("annulled: the decision was wrong", "已撤销：该决定有误"),
    "not_yet": ("not on record", "无记录"),
    "model": ("Models", "模型"),
    "scenario": ("Scenario", "场景"),
    "cycle": ("Cycle", "试点期"),
    "unstated": ("not stated", "未说明"),
    "entry": ("Entry", "条目"),
    "reason": ("Reason", "原因"),
    "time": ("Time (UTC)", "时间（UTC）"),
    "pilots": ("pilots", "个试点"),
}
"""Word -> English, Chinese."""

STATES: dict[str, str] = {
    "registered": "已登记", "running": "运行中", "paused": "暂停", "exiting": "退出中", "exited": "已退出",
    "terminated": "已终止", "withdrawn": "已撤回", "reported": "报告已出具", "published": "报告已公开",
    "withheld": "报告不公开", "tracked": "常规监管", "closed": "已结束", "recalled": "已召回", "halted": "已停止",
    "suspended": "已中止", "evidence_held": "证据保全", "incident_hold": "事件保全", "change_proposed": "拟议变更",
    "pause_requested": "申请暂停", "cycle_requested": "申请新周期", "assessment_due": "待评估",
    "assessment_missed": "评估逾期",
}  # fmt: skip
"""State -> Chinese."""

REASONS_ZH: dict[str, str] = {
    "admitted": "获准进入沙盒", "amended": "章程已修订", "cycle_started": "试点期开始", "pause_granted": "准予暂停",
    "resumed": "恢复运行", "extended": "已延期", "suspended": "主管机关中止", "released": "停止命令已解除",
    "exited": "退出沙盒", "exit_pending": "退出待核实停止", "report_issued": "书面证明与退出报告已出具",
    "published": "退出报告可公开", "withheld": "退出报告不公开", "graduated": "转入常规监管", "recalled": "已召回",
    "closed": "常规监管结束", "halt_verified": "停止已核实", "limit_exceeded": "超出章程限值",
    "hard_rule": "触发硬性规则",
    "overridden": "由官员设定级别", "rectification_overdue": "整改逾期", "clock_missed": "错过法定期限",
    "template_made": "章程成为模板", "step_passed": "推广一级通过", "step_failed": "推广降一级",
    "responsibility_changed": "主管机关变更", "change_registered": "变更已登记", "state_lost": "状态丢失，已停止",
}  # fmt: skip
"""Reason -> Chinese."""


def word(name: str, language: Language) -> str:
    """A word of the register."""
    return WORDS[name][LANGUAGES.index(language)]
