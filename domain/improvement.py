"""When a model is better than one before."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from domain.errors import DeploymentInvalid
from domain.report import EpochMetrics


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

    def difference(self, value: float, reference: float) -> float:
        """Return by how much *value* is better than *reference*; below 0 is worse."""
        return value - reference if self.upwards else reference - value

    def improves(self, value: float, reference: float) -> bool:
        """Whether *value* is better; what is no number never is."""
        return self.difference(value, reference) >= self.least
