"""What a record on the logs is about, by its key: a pilot, the sandbox, the file of a model, a firm, a vendor.
Pure."""

from __future__ import annotations

import re

SANDBOX = "sandbox"
MODEL = "model:"  # what the key of a model file begins with
FIRM = "firm:"  # what the key of the file of a firm begins with
SHADOW = "shadow:"  # what the name of the state of a shadow charter begins with; nothing has such a key
VENDOR = "vendor:"  # of decisions of the second stage
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_FIRM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


def is_pilot(name: str) -> bool:
    """Whether decisions with this `pilot` are about a pilot, admitted or not: only those have level, charter, firm.

    >>> [is_pilot(name) for name in ("pilot-1", "sandbox", "model:m-1", "firm:f-1")]
    [True, False, False, False]
    """
    return name != SANDBOX and not name.startswith((MODEL, FIRM))


def is_model(name: str) -> bool:
    """Whether the key is that of a model file."""
    return name.startswith(MODEL) and _MODEL_ID.match(name, len(MODEL)) is not None


def model_subject(id_: str) -> str:
    """The key of the file of a model.

    >>> model_subject("m-1")
    'model:m-1'
    """
    return MODEL + id_


def firm_of(name: str) -> str | None:
    """The firm that a key is about; `None` for any other key.

    >>> [firm_of(name) for name in ("firm:f-1", "firm:", "pilot-1")]
    ['f-1', None, None]
    """
    return name.removeprefix(FIRM) if name.startswith(FIRM) and _FIRM_ID.match(name, len(FIRM)) else None


def firm_subject(id_: str) -> str:
    """The key of the file of a firm.

    >>> firm_subject("f-1")
    'firm:f-1'
    """
    return FIRM + id_


def subject_words(name: str) -> str:
    """A subject that is no pilot, as the begin of a sentence.

    >>> [subject_words(name) for name in ("sandbox", "model:m-1", "firm:f-1")]
    ['Sandbox', 'Model m-1', 'Firm f-1']
    """
    if name.startswith(FIRM):
        return f"Firm {name.removeprefix(FIRM)}"
    return "Sandbox" if name == SANDBOX else f"Model {name.removeprefix(MODEL)}"
