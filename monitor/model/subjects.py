"""What a record on the logs is about, by its key: a pilot, the sandbox, the file of a model, a vendor. Pure."""

from __future__ import annotations

import re

SANDBOX = "sandbox"
MODEL = "model:"  # what the key of a model file begins with
SHADOW = "shadow:"  # what the name of the state of a shadow charter begins with; nothing has such a key
VENDOR = "vendor:"  # of decisions of the second stage
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def is_pilot(name: str) -> bool:
    """Whether decisions with this `pilot` are about a pilot, admitted or not: only those have level, charter, firm.

    >>> [is_pilot(name) for name in ("pilot-1", "sandbox", "model:m-1")]
    [True, False, False]
    """
    return name != SANDBOX and not name.startswith(MODEL)


def is_model(name: str) -> bool:
    """Whether the key is that of a model file."""
    return name.startswith(MODEL) and _MODEL_ID.match(name, len(MODEL)) is not None


def model_subject(id_: str) -> str:
    """The key of the file of a model.

    >>> model_subject("m-1")
    'model:m-1'
    """
    return MODEL + id_


def subject_words(name: str) -> str:
    """A subject that is no pilot, as the begin of a sentence.

    >>> [subject_words(name) for name in ("sandbox", "model:m-1")]
    ['Sandbox', 'Model m-1']
    """
    return "Sandbox" if name == SANDBOX else f"Model {name.removeprefix(MODEL)}"
