"""What a control message asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NewType

from attrs import field, frozen

from domain.offsets import RequestedRange

DeploymentId = NewType("DeploymentId", int)
"""The platform's number of a deployment."""


@frozen
class DecoderSpec:
    """
    How the records are encoded.

    Attributes:
        format: The format's name, for example ``RAW``.

        options: The format's own options, which only its decoder reads.
    """

    format: str
    options: Mapping[str, object]


@frozen
class TrainingRequest:
    """
    A data stream, and how to share it out (contract, section 3.2).

    Attributes:
        ranges: What to read, in this order.

        decoder: How to decode it.

        validation_rate: Share of the records for validation, 0 to 1.

        test_rate: Share of the records for the test, 0 to 1.

        total_msg: Number of records that the sender counted, if it did.

        unlabelled: Records without labels, if there are any to be learnt from.

        topic: The topic's name, if the message names that and no ranges: that is how a
            stream is announced that is still being written.

        unlabelled_topic: The same of the records without labels.
    """

    ranges: tuple[RequestedRange, ...]
    decoder: DecoderSpec
    validation_rate: float = 0.0
    test_rate: float = 0.0
    total_msg: int | None = None
    unlabelled: tuple[RequestedRange, ...] = field(default=(), repr=False)
    topic: str | None = field(default=None, repr=False)  # the ranges name it, too
    unlabelled_topic: str | None = field(default=None, repr=False)


@frozen
class ControlMessage:
    """
    A message of the control topic: addressed, but not yet opened.

    Attributes:
        deployment_id: Whom it is for; None if its key names nobody.

        position: Where it lies, for log messages: ``control[0]@42``.

        open: Parse the content.  Raises MalformedRequest.

        timestamp: When it was sent, in milliseconds since 1970; 0 if nobody knows.
    """

    deployment_id: DeploymentId | None
    position: str
    open: Callable[[], TrainingRequest] = field(repr=False)
    timestamp: int = 0
