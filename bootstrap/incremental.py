"""Settings of trainings on streams that are still being written."""

from __future__ import annotations

from attrs import Attribute, field, frozen, validators

from domain.errors import SettingsInvalid
from domain.improvement import ImprovementRule
from domain.mini_batches import Pace

ENDLESS = -1

_DIRECTIONS = ("up", "down")


def _is_timeout(_: object, __: Attribute[int], milliseconds: int) -> None:
    if milliseconds < ENDLESS:
        raise ValueError(f"want milliseconds, or -1 for ever, got {milliseconds}")


def _text(value: str | None) -> str | None:
    """Return *value* unless it is how the platform writes that there is none."""
    return None if value in {None, "", "None"} else value


def _direction(value: str | None) -> str | None:
    if (text := _text(value)) not in {None, *_DIRECTIONS}:
        raise ValueError(f"want {' or '.join(_DIRECTIONS)}, got {value!r}")
    return text


def _number(value: str | float | None) -> float | None:
    if value is None or value == "None":
        return None
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"want a number from 0 on, got {value!r}")
    return number


@frozen
class IncrementalSettings:
    """
    When mini-batches are complete, when a stream has ended, and which models count.

    Attributes:
        stream_timeout: Milliseconds without a record after which the stream has ended;
            -1 for never.

        monitoring_metric: The metric of validation that is watched, without ``val_``;
            this and the next two are needed if the stream never ends.

        change: ``up`` if more of it is better, else ``down``.

        improvement: By how much a better model differs, at least.

        streamfit_mini_batch: Records that are a mini-batch.

        streamfit_mini_batch_seconds: Seconds without a record after which fewer are
            one, too; the stream's time-out is no shorter.
    """

    stream_timeout: int = field(validator=_is_timeout)
    monitoring_metric: str | None = field(default=None, converter=_text)
    change: str | None = field(default=None, converter=_direction)
    improvement: float | None = field(default=None, converter=_number)
    streamfit_mini_batch: int = field(default=10_000, validator=validators.gt(0))
    streamfit_mini_batch_seconds: float = field(
        default=10.0, validator=validators.gt(0)
    )

    @property
    def pace(self) -> Pace:
        """When a mini-batch is complete, and when a stream has ended."""
        return Pace.of(
            self.streamfit_mini_batch,
            self.streamfit_mini_batch_seconds,
            self.stream_timeout,
        )

    @property
    def rule(self) -> ImprovementRule | None:
        """
        When a model is better; None if nobody says so, and nobody need.

        Raises:
            SettingsInvalid: It must be known, as the stream never ends.
        """
        metric, change, least = self.monitoring_metric, self.change, self.improvement
        if metric is None or change is None or least is None:
            if self.stream_timeout != ENDLESS:
                return None
            given = {"MONITORING_METRIC": metric, "CHANGE": change}
            missing = [
                n for n, v in {**given, "IMPROVEMENT": least}.items() if v is None
            ]
            raise SettingsInvalid(
                f"{', '.join(missing)}: missing or empty, but needed to tell better "
                "models, as STREAM_TIMEOUT is -1"
            )
        return ImprovementRule(metric, change == "up", least)

    @property
    def chain_rule(self) -> ImprovementRule | None:
        """
        The same for a chain: its total loss counts (contract, section 10.4).

        Raises:
            SettingsInvalid: It must be known by how much, as the stream never ends.
        """
        if self.improvement is not None:
            return ImprovementRule("loss", upwards=False, least=self.improvement)
        if self.stream_timeout != ENDLESS:
            return None
        raise SettingsInvalid(
            "IMPROVEMENT: missing or empty, but needed to tell better models, as "
            "STREAM_TIMEOUT is -1"
        )
