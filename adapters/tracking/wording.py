"""What is said of a request."""

from __future__ import annotations

from collections.abc import Iterable

from domain.offsets import RequestedRange
from domain.request import TrainingRequest


def run_name(deployment: str, identity: str) -> str:
    """Return what people call a training: short, and the same in every process."""
    return f"{deployment}-{identity[:8]}"


def tags(request: TrainingRequest) -> dict[str, str]:
    """Return what *request* is found by."""
    told = {
        "streamfit.ranges": _ranges(request.ranges),
        "streamfit.unlabelled": _ranges(request.unlabelled),
    }
    return {name: text for name, text in told.items() if text}


def said(request: TrainingRequest) -> dict[str, str]:
    """Return everything that *request* asks for."""
    values = {
        "input_format": request.decoder.format,
        **{f"input.{name}": value for name, value in request.decoder.options.items()},
        "ranges": _ranges(request.ranges),
        "unlabelled_ranges": _ranges(request.unlabelled),
        "validation_rate": request.validation_rate,
        "test_rate": request.test_rate,
        "total_msg": request.total_msg,
    }
    return {
        name: str(value) for name, value in values.items() if value not in ("", None)
    }


def _ranges(ranges: Iterable[RequestedRange]) -> str:
    return ",".join(
        f"{one.topic}:{one.partition}:{one.start}:{'' if one.end is None else one.end}"
        for one in ranges
    )
