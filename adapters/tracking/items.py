"""What the server is to be told, one thing after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from attrs import frozen

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""How runs end in MLflow."""


@frozen
class Begin:
    """
    A run begins.

    Attributes:
        identity: What tells its training from others.

        name: What people see.

        tags: What is said of it.

        parameters: What it is made with.

        when: Milliseconds since 1970.
    """

    identity: str
    name: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    when: int


@frozen
class Point:
    """
    A value of a metric.

    Attributes:
        name: The metric's name.

        value: What was measured.

        step: Number of the epoch or of the mini-batch.

        when: Milliseconds since 1970.
    """

    name: str
    value: float
    step: int
    when: int


@frozen
class Points:
    """
    Metrics of a moment, or of some.

    Attributes:
        points: Their values.
    """

    points: tuple[Point, ...]


@frozen
class Model:
    """
    A trained model.

    Attributes:
        folder: Holds its file, or its files, and nothing else; it is ours.
    """

    folder: Path


@frozen
class End:
    """
    The run has ended.

    Attributes:
        status: How.

        tags: What is said of that.

        when: Milliseconds since 1970.
    """

    status: Status
    tags: Mapping[str, str]
    when: int


@frozen
class Report:
    """
    What is left of the job.

    Attributes:
        texts: Makes the files, by their names.
    """

    texts: Callable[[], Mapping[str, str]]


Item = Begin | Points | Model | End | Report
