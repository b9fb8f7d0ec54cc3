"""What the figures must show, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

Measured = Mapping[str, object]
"""What a contender reported."""

Round = Mapping[str, Measured]
"""By contender."""


@frozen
class Claim:
    """
    What the median over the rounds must show.

    Contenders are compared within a round, minutes apart at most: a machine that others
    share may be twice as fast in the next one.

    Attributes:
        text: The claim, in words.

        figure: What is looked at in a round.

        holds: Whether a median of it will do.

        written: The median, in words.
    """

    text: str
    figure: Callable[[Round], float]
    holds: Callable[[float], bool]
    written: Callable[[float], str]


def rate(measured: Measured) -> float:
    """Return records per second, without start-up."""
    return float(measured["records"]) / float(measured["seconds"])


def at_least(times: float, one: str, other: str, text: str) -> Claim:
    """Claim that *one* contender's rate is so many *times* the *other*'s."""
    return Claim(
        text,
        lambda runs: rate(runs[one]) / rate(runs[other]),
        lambda ratio: ratio >= times,
        lambda ratio: f"{ratio:.3g} x",
    )


def as_fast_as(records: float, one: str) -> Claim:
    """Claim that *one* contender handles so many *records* a second."""
    return Claim(
        f"≥ {records / 1e6:g} M records/s",
        lambda runs: rate(runs[one]),
        lambda found: found >= records,
        lambda found: f"{found / 1e6:.3g} M/s",
    )


def time_within(times: float, one: str, other: str, text: str) -> Claim:
    """Claim that a record takes *one* so many *times* as long as *other* at most."""
    return Claim(
        text,
        lambda runs: rate(runs[other]) / rate(runs[one]),
        lambda ratio: ratio <= times,
        lambda ratio: f"{ratio:.3g} x",
    )


def memory_within(size: int, one: str, other: str) -> Claim:
    """Claim that *one* takes at most *size* bytes more memory than the *other*."""
    return Claim(
        f"resident memory within {size / 1e6:.0f} MB",
        lambda runs: float(runs[one]["max_rss"]) - float(runs[other]["max_rss"]),
        lambda found: found <= size,
        lambda found: f"{found / 1e6:+.0f} MB",
    )


def longer_by(seconds: float, one: str, other: str, text: str) -> Claim:
    """Claim that *one* takes at most so many *seconds* more than the *other*."""
    return Claim(
        text,
        lambda runs: float(runs[one]["seconds"]) - float(runs[other]["seconds"]),
        lambda found: found <= seconds,
        lambda found: f"{found:+.2f} s",
    )


def memory_at_most(size: int, one: str, text: str) -> Claim:
    """Claim that *one* holds at most *size* bytes while it waits."""
    return Claim(
        text,
        lambda runs: float(runs[one]["waiting_rss"]),
        lambda found: found <= size,
        lambda found: f"{found / 1e6:.1f} MB",
    )
