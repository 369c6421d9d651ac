"""Contacts of an authority as addresses that Alertmanager can deliver to. Pure.

Alertmanager expands templates in addresses, so a contact with braces is none. A contact stands in the ledger of the
sandbox: write no secret into it, such as the URL of a webhook that anybody who knows it may use.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_MAIL = re.compile(r"(?:mailto:)?([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+)", re.IGNORECASE)
_HOST = r"(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*|\[[0-9A-Fa-f:.]+\])"
_URL = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?(?:[/?#][A-Za-z0-9._~:/?#!$&'()*+,;=%-]*)?", re.IGNORECASE)


class Address(NamedTuple):
    """Where an alert is delivered to: `to` is a mail address or the URL of a webhook."""

    kind: Literal["mail", "webhook"]
    to: str


def address_of(contact: str) -> Address | None:
    """The address that a contact is; `None` for every other text, such as a telephone number or a name.

    >>> address_of("mailto:duty@north.example"), address_of("+49 30 1234"), address_of("https://north.example/alerts")
    (Address(kind='mail', to='duty@north.example'), None, Address(kind='webhook', to='https://north.example/alerts'))
    """
    if found := _MAIL.fullmatch(contact):
        return Address("mail", found[1])
    return Address("webhook", contact) if _URL.fullmatch(contact) else None
