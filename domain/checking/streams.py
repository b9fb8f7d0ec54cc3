"""Which streams a control message names, and how they would be shared out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.checking.findings import Finding, warning
from domain.errors import (
    DeploymentInvalid,
    MalformedRequest,
    ServiceError,
    StreamUnreadable,
    Unavailable,
)
from domain.offsets import OffsetRange
from domain.request import TrainingRequest
from domain.split import Split, split_mini_batch

_PLACES = 4
"""As many ranges are told one by one."""


def mini_batch(request: TrainingRequest, rows: int) -> Split:
    """
    Share out a mini-batch.

    Raises:
        MalformedRequest: Nothing is left to train on.
    """
    split = split_mini_batch(request, rows)
    if split is None:
        raise MalformedRequest(
            f"validation_rate {request.validation_rate} leaves nothing to train on"
        )
    return split


def empty_parts(
    request: TrainingRequest, split: Split, *, live: bool
) -> Iterator[Finding]:
    """Warn of parts that were asked for and get no example."""
    # What 2020's platform calls validation is our test part.
    validation = split.validation or (None if request.test_rate else split.test)
    fix = "send more records, or a larger rate"
    if request.validation_rate > 0 and not validation:
        text = f"no example is left for validation; {parts_text(split)}"
        yield warning("parts", text, fix)
    if request.test_rate > 0 and not split.test and not live:
        yield warning(
            "parts", f"no example is left for the test; {parts_text(split)}", fix
        )


def parts_text(split: Split) -> str:
    """Say how many examples each part gets."""
    sizes = {
        "training": len(split.training),
        "validation": len(split.validation or ()),
        "test": len(split.test or ()),
    }
    return ", ".join(f"{name} {size:,}" for name, size in sizes.items())


def ranges_text(ranges: Sequence[OffsetRange]) -> str:
    """Say how many records there are, at most, and where."""
    places = ", ".join(map(str, ranges[:_PLACES]))
    more = f" and {len(ranges) - _PLACES} more" if len(ranges) > _PLACES else ""
    return f"{count_text(ranges)} in {places}{more}"


def count_text(ranges: Sequence[OffsetRange]) -> str:
    """Say how many records there are, at most."""
    return f"{sum(map(len, ranges)):,} records"


def fix_of(error: ServiceError) -> str:
    """Say what may be done about *error*, which a message or its streams met."""
    if isinstance(error, Unavailable):
        return (
            "see that the brokers answer from here; slow ones need a longer --timeout"
        )
    if isinstance(error, DeploymentInvalid):
        return "check the rights of the job's user, and LIBRDKAFKA_ for security"
    if isinstance(error, StreamUnreadable):
        return "send the data again, and announce what was written"
    return "correct the control message, and send it again"
