"""A small catalogue with clauses of each status and strength, for tests."""

from __future__ import annotations

from monitor.basis.catalogue import Catalogue
from monitor.compile.load_basis import catalogue_of

SMALL = """\
schema: sandbox-basis/1
id: small
version: 3
title: A small catalogue
objectives:
  - {id: safety, title: Safety}
  - {id: redress, title: Redress}
instruments:
  - id: law
    title: A law
    issuer: A parliament
    level: law
    issued: 2020-01-02
    in_force: 2020-02-01
    da: {score: 5, reason: a law}
  - {id: notice, title: A notice, issuer: A ministry, level: guidance, da: {score: 1, reason: a notice}}
  - {id: draft, title: A draft, issuer: A ministry, level: rules, da: {score: 1, reason: a draft}, status: draft}
clauses:
  - id: law-1
    title: Stop what harms
    instrument: law
    place: Art. 1
    objective: safety
    says: What harms is stopped.
    as: {score: 5, reason: who and when}
    mi: {score: 5, reason: a power to stop}
  - id: law-2
    title: Answer complaints
    instrument: law
    place: Art. 2
    objective: redress
    says: Complaints are answered.
    da: {score: 3, reason: left to rules of a ministry}
    as: {score: 3, reason: in general terms}
    mi: {score: 3, reason: a channel}
  - id: notice-1
    title: Be careful
    instrument: notice
    place: No. 1
    objective: safety
    says: Care is recommended.
    as: {score: 1, reason: it is named}
    mi: {score: 1, reason: no measure}
  - id: old-1
    title: Stop what harmed
    instrument: law
    place: Art. 9
    objective: safety
    says: What harms is stopped.
    status: repealed
    replaced_by: law-1
    as: {score: 3, reason: in general terms}
    mi: {score: 3, reason: named}
  - id: draft-1
    title: Stop at once
    instrument: draft
    place: Art. 1
    objective: safety
    says: What harms is stopped at once.
    as: {score: 5, reason: who and when}
    mi: {score: 5, reason: a power to stop}
"""


def small() -> Catalogue:
    """The catalogue."""
    return catalogue_of(SMALL.encode(), "small.yaml")
