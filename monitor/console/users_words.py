"""The words of the users' pages, in English and Chinese."""

from __future__ import annotations

LANGUAGES = ("en", "zh")
HTML_LANGUAGE = {"en": "en", "zh": "zh-Hans"}

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "other": "中文",
        "title": "Complain about an AI pilot",
        "lead": "This page belongs to the authority that supervises the pilot, not to the firm that runs it.",
        "pilots": "Which pilot is it about?",
        "none": "There is no pilot at present.",
        "about": "Pilot",
        "run_by": "run by",
        "text": "What happened?",
        "text_help": "At most 4,000 characters. Please do not write names or numbers of other people. The text stays "
        "with the authority; the firm sees that there is a complaint, and not what it says.",
        "segment": "Which group does it concern?",
        "any": "no answer",
        "leave": "I also withdraw from the pilot: the system shall no longer be used on me",
        "send": "Send the complaint",
        "have_receipt": "I have a receipt: see what became of my complaint",
        "sent": "Your complaint was received",
        "receipt": "Your receipt",
        "receipt_help": "Write it down. It is shown once and cannot be recovered. Who has it can see the state "
        "of the complaint, withdraw it, or ask for redress.",
        "receipt_field": "Receipt",
        "show": "Show",
        "state": "Your complaint",
        "received": "received",
        "on_record": "on record",
        "not_yet": "will be on record within a minute",
        "answered": "answered by the firm or the authority",
        "withdrawn": "withdrawn",
        "asked": "redress asked for",
        "given": "redress given",
        "refused": "redress refused",
        "requested": "your request was received",
        "withdraw": "Withdraw the complaint",
        "ask": "Ask for redress",
        "unknown": "There is no complaint with this receipt. Check it letter by letter.",
        "wrong": "The complaint was not sent",
        "empty": "Write what happened, in at most 4,000 characters.",
        "old": "The page was open for too long, or was not opened here. Send it again.",
        "too_many": "Too many complaints from your connection. Try again in {} minutes.",
        "full": "The form cannot take further complaints now. Please call or write to the authority.",
        "back": "Back to the form",
        "promise": "An answer is promised within {}.",
        "redress_promise": "A decision about redress is promised within {}.",
    },
    "zh": {
        "other": "English",
        "title": "投诉人工智能试点",
        "lead": "本页面属于监管该试点的主管机关，不属于运营该试点的企业。",
        "pilots": "您要投诉哪个试点？",
        "none": "目前没有试点。",
        "about": "试点",
        "run_by": "运营方",
        "text": "发生了什么？",
        "text_help": "最多4,000字。请不要填写他人的姓名或号码。内容由主管机关保存；企业只知道有投诉，看不到内容。",
        "segment": "涉及哪个群体？",
        "any": "不填写",
        "leave": "我同时退出该试点：请不要再对我使用该系统",
        "send": "提交投诉",
        "have_receipt": "我有回执：查询投诉进展",
        "sent": "您的投诉已收到",
        "receipt": "您的回执号",
        "receipt_help": "请记下回执号。它只显示一次，无法找回。持有回执号的人可以查询进展、撤回投诉或申请救济。",
        "receipt_field": "回执号",
        "show": "查询",
        "state": "您的投诉",
        "received": "已收到",
        "on_record": "已记录",
        "not_yet": "一分钟内记录",
        "answered": "企业或主管机关已答复",
        "withdrawn": "已撤回",
        "asked": "已申请救济",
        "given": "已给予救济",
        "refused": "救济申请被拒绝",
        "requested": "您的请求已收到",
        "withdraw": "撤回投诉",
        "ask": "申请救济",
        "unknown": "没有与该回执号对应的投诉。请逐字核对。",
        "wrong": "投诉未提交",
        "empty": "请填写发生了什么，最多4,000字。",
        "old": "页面打开时间过长，或不是从本站打开。请重新提交。",
        "too_many": "您的网络提交过多。请在{}分钟后再试。",
        "full": "表单目前无法接收更多投诉。请致电或致函主管机关。",
        "back": "返回表单",
        "promise": "承诺在{}内答复。",
        "redress_promise": "承诺在{}内就救济作出决定。",
    },
}
UNITS: dict[str, dict[str, str]] = {
    "en": {"d": "days", "h": "hours", "w": "weeks", "mo": "months", "m": "minutes", "s": "seconds", "ms": "ms"},
    "zh": {"d": "天", "h": "小时", "w": "周", "mo": "个月", "m": "分钟", "s": "秒", "ms": "毫秒"},
}


def span_words(text: str, language: str) -> str:
    """A span of a charter in words.

    >>> span_words("10d", "en"), span_words("2mo", "zh")
    ('10 days', '2 个月')
    """
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return f"{number} {UNITS[language][text[len(number) :]]}"
