"""SVG elements, escaped by construction: names from outside only ever become text or attribute values of a tree."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not allow."""


def node(tag: str, *inside: ElementTree.Element | str | None, **attributes: str | float | None) -> ElementTree.Element:
    """An element with children, text and attributes. `class_` is the class, other underscores become hyphens; numbers
    are rounded to six figures; `None` leaves a child or an attribute out.

    >>> str(drawn(node("text", "a < b", x=1.50, text_anchor="end", class_="soft")))
    '<text x="1.5" text-anchor="end" class="soft">a &lt; b</text>'
    """
    element = ElementTree.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            written = f"{value:g}" if isinstance(value, int | float) else clean(value)
            element.set(name.rstrip("_").replace("_", "-"), written)
    for child in inside:
        if child is None:
            continue
        if not isinstance(child, str):
            element.append(child)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + clean(child)
        else:
            element.text = (element.text or "") + clean(child)
    return element


def drawn(root: ElementTree.Element) -> Markup:
    """The element as XML that is also valid inside HTML."""
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def clean(text: str) -> str:
    """The text without characters that XML does not allow."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
