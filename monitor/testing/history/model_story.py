"""Acts on the files of models in a history where a sandbox is founded: entries of every kind, withdrawals, and acts
that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from monitor.charter.control import ControlBase, Drill
from monitor.charter.model_acts import (
    DataCompliance,
    KnownLimitation,
    ModelContent,
    ModelEntry,
    ModelEntryWithdrawal,
    ModelEvaluation,
    ModelInspection,
    ModelScenario,
    ModelVersion,
    Supplier,
)

MODELS = ("model:m-1", "model:m-2", "model:m-3")  # the number says the partition, as of pilots
AUTHORS = ("regulator-1", "regulator-1", "regulator-2", "evaluator", "stranger")


class ModelStory:
    """The acts of one history, in order."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"models/{seed}")
        self._seed, self._number = seed, 0
        self._sent: list[ModelEntry] = []

    def acts(self) -> Iterator[ControlBase]:
        """One to three acts; sometimes one that was sent before."""
        rng = self._rng
        for _ in range(rng.randrange(1, 4)):
            if self._sent and rng.random() < 0.25:
                gone = rng.choice(self._sent)
                yield ModelEntryWithdrawal(**self._by(gone.pilot), entry=gone.id, reason="no longer holds")
                continue
            if rng.random() < 0.05:
                yield Drill(**self._by(rng.choice(MODELS)))
            entry = ModelEntry(**self._by(rng.choice(MODELS)), content=self._content(), words=rng.choice(("", "seen")))
            self._sent.append(entry)
            yield entry
            if rng.random() < 0.1:
                yield rng.choice(self._sent)

    def _content(self) -> ModelContent:
        rng = self._rng
        number = rng.randrange(3)
        version, scenario = f"{number}.0", f"scenario-{number}"
        contents: tuple[ModelContent, ...] = (
            Supplier(f"maker-{number}", rng.choice(("base_model_developer", "downstream_developer", "deployer"))),
            ModelVersion(version, f"sha256:{number}"),
            ModelVersion(version, f"sha256:{number}"),
            ModelScenario(scenario, groups=("adults",)),
            ModelScenario(scenario, intended=False),
            DataCompliance("corpus", "training", personal=rng.random() < 0.5, version=version),
            ModelEvaluation(version, scenario, {"error": rng.random()}, passed=rng.random() < 0.5),
            KnownLimitation(f"limitation-{number}"),
            ModelInspection(("weights",), version=rng.choice(("", version))),
        )
        return rng.choice(contents)

    def _by(self, model: str) -> dict[str, Any]:
        self._number += 1
        author = self._rng.choice(AUTHORS)
        return {"id": f"model-{self._seed}-{self._number}", "pilot": model, "author": author}
