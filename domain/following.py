"""Which streams can be trained on while they are written (contract, 10.2, 10.5)."""

from __future__ import annotations

from domain.errors import MalformedRequest
from domain.mini_batches import Pace
from domain.request import TrainingRequest


def labelled_topic(request: TrainingRequest, pace: Pace | None) -> str:
    """
    Return the labelled topic to follow.

    Args:
        request: Names it.

        pace: Tells whether the stream ever ends; None if nobody knows.

    Raises:
        MalformedRequest: There is none to be followed.
    """
    if request.topic is None:
        raise MalformedRequest(
            f"topic: {', '.join(map(str, request.ranges))} is a range; to train on a "
            "stream as it comes, name the topic alone (CASE 1 takes ranges)"
        )
    _require_validation(request, pace)
    return request.topic


def unlabelled_topic(request: TrainingRequest, pace: Pace | None) -> str:
    """
    Return the topic of records without labels to follow; see `labelled_topic`.

    Raises:
        MalformedRequest: There is none to be followed.
    """
    if request.unlabelled_topic is None:
        raise MalformedRequest(
            f"unsupervised_topic: {', '.join(map(str, request.unlabelled))} is a "
            "range; to label a stream as it comes, name the topic alone (CASE 1 and 3 "
            "take ranges)"
        )
    _require_validation(request, pace)
    return request.unlabelled_topic


def _require_validation(request: TrainingRequest, pace: Pace | None) -> None:
    if pace is not None and pace.timeout is None and not request.validation_rate:
        raise MalformedRequest(
            "validation_rate 0: which models are better is told by validation, and "
            "without an end (STREAM_TIMEOUT -1) no others are handed in"
        )
