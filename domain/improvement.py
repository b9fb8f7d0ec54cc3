"""When a model is better than one before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from domain.errors import DeploymentInvalid
from domain.report import EpochMetrics


@frozen
class Judgement:
    """
    Whether a model is better than the ones before.

    Attributes:
        value: The monitored metric; None if there is none, or it is no number.

        reference: What it was compared with, if there was anything.

        better: Whether it is better.

        told: All that for the log.
    """

    value: float | None = None
    reference: float | None = None
    better: bool = False
    told: Mapping[str, object] = field(factory=lambda: {"better": False})


@frozen
class ImprovementRule:
    """
    Which metric of validation is watched, and what counts as better.

    Attributes:
        metric: Its name, without ``val_``.

        upwards: Whether more of it is better.

        least: By how much a better model differs, at least.
    """

    metric: str
    upwards: bool
    least: float

    def value(self, epochs: Sequence[EpochMetrics]) -> float | None:
        """Return the latest value in *epochs*; None if there is none."""
        for epoch in reversed(epochs):
            if epoch.validation:
                return epoch.validation.get(self.metric)
        return None

    def require(self, epochs: Sequence[EpochMetrics]) -> None:
        """
        Look whether the metric is among those that validation measured.

        Raises:
            DeploymentInvalid: It is not, and never will be.
        """
        known = next((e.validation for e in epochs if e.validation), None)
        if known is not None and self.metric not in known:
            raise DeploymentInvalid(
                f"the monitored metric {self.metric!r} is none of {', '.join(known)}"
            )

    def judge(
        self, epochs: Sequence[EpochMetrics], reference: float | None
    ) -> Judgement:
        """Compare what *epochs* came to with *reference*, if there is one."""
        value = self.value(epochs)
        if value is None or not math.isfinite(value):
            return Judgement()
        told: dict[str, object] = {f"val_{self.metric}": value}
        better = False
        if reference is not None:
            difference = self.difference(value, reference)
            told |= {"reference": reference, "difference": difference}
            better = self.improves(value, reference)
        return Judgement(value, reference, better, {**told, "better": better})

    def difference(self, value: float, reference: float) -> float:
        """Return by how much *value* is better than *reference*; below 0 is worse."""
        return value - reference if self.upwards else reference - value

    def improves(self, value: float, reference: float) -> bool:
        """Whether *value* is better; what is no number never is."""
        return self.difference(value, reference) >= self.least
