"""
How a stream is shared out into training, test and validation part.

The arithmetic is the platform's (contract, section 7), in IEEE doubles and cut off by
`int`, so that the same stream gives the same parts as in the original job.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from domain.errors import MalformedRequest
from domain.request import TrainingRequest


@frozen
class Split:
    """
    Rows of a spool, shared out in stream order.

    Attributes:
        training: Rows to fit the model on; never empty.

        validation: Rows to watch the fit with, after every epoch.

        test: Rows to evaluate the trained model on, once.
    """

    training: range
    validation: range | None
    test: range | None

    @property
    def used(self) -> int:
        """Number of rows up to the end of the last part."""
        parts = (self.training, self.validation, self.test)
        return max(part.stop for part in parts if part)


SplitRule = Callable[[TrainingRequest, int], Split]
"""Share out this many rows as the request says.  Raises MalformedRequest."""


def split_records(request: TrainingRequest, rows: int) -> Split:
    """
    Share out *rows* record by record: the current dialect.

    The sizes follow from the number that the sender announced; the last part takes what
    is left, so records that are missing or too many change that part alone.

    Raises:
        MalformedRequest: Nothing is left to train on.
    """
    total = rows if request.total_msg is None else request.total_msg
    v, t = request.validation_rate, request.test_rate
    train = min(int((1 - (v + t)) * total), rows)
    validation, test = int(v * total), int(t * total)
    _require_training(train, request, rows)
    rest = range(train, rows) or None
    if validation > 0 and test > 0:
        cut = min(train + test, rows)
        return Split(range(train), range(cut, rows) or None, range(train, cut) or None)
    if validation > 0:
        return Split(range(train), rest, None)
    if test > 0:
        return Split(range(train), None, rest)
    return Split(range(train), None, None)


def split_mini_batch(request: TrainingRequest, rows: int) -> Split | None:
    """
    Share out the *rows* of a mini-batch, record by record: there is no test part.

    What is left when a validation part would be empty is not used.

    Returns:
        None if nothing is left to train on.
    """
    train = int((1 - request.validation_rate) * rows)
    if train <= 0:
        return None
    held_out = int(request.validation_rate * rows) > 0
    return Split(range(train), range(train, rows) if held_out else None, None)


def split_batches(batch_size: int) -> SplitRule:
    """
    Return the rule of the 2020 dialect: whole batches of *batch_size* records.

    What that dialect calls validation is evaluated once, after training; here this is
    the test part.
    """

    def rule(request: TrainingRequest, rows: int) -> Split:
        batches = (
            rows if request.total_msg is None else request.total_msg
        ) / batch_size
        train_batches = int((1 - request.validation_rate) * batches)
        train = min(train_batches * batch_size, rows)
        _require_training(train, request, rows, f" in batches of {batch_size}")
        held_out = range(train, rows) if batches - train_batches > 0 else None
        return Split(range(train), None, held_out or None)

    return rule


def _require_training(
    train: int, request: TrainingRequest, rows: int, how: str = ""
) -> None:
    if train <= 0:
        raise MalformedRequest(
            f"0 records to train on: {rows} read, total_msg {request.total_msg}, "
            f"validation_rate {request.validation_rate}, "
            f"test_rate {request.test_rate}{how}"
        )
