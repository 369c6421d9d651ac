"""Lints the steps of a rollout. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from monitor.charter.spec import Charter
from monitor.charter.values import Flaw


def rollout_flaws(charter: Charter) -> Iterator[Flaw]:
    """Every mistake of `rollout`, in its order."""
    steps = charter.rollout or ()
    if not steps:
        return
    if len(steps) < 2:
        yield Flaw("rollout", "one step is no rollout", "add a step, or remove `rollout`")
    for index, (step, following) in enumerate(pairwise(steps), start=1):
        if following.cap <= step.cap:
            problem = f"{following.cap} is not above {step.cap} of the step before it"
            yield Flaw(f"rollout[{index}].cap", problem, "write caps that rise")
    if charter.users.cap is None or charter.users.cap != steps[-1].cap:
        stated = "nothing" if charter.users.cap is None else f"{charter.users.cap}"
        problem = f"the last step allows {steps[-1].cap} users, users.cap says {stated}"
        yield Flaw(f"rollout[{len(steps) - 1}].cap", problem, "write the same in both")
