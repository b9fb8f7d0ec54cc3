"""Control messages in (contract, sections 3 and 4)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from attrs import Attribute, field, frozen

from adapters.wire.strict import structure
from domain.errors import MalformedRequest
from domain.offsets import RequestedRange
from domain.request import DecoderSpec, DeploymentId, TrainingRequest

MAX_OFFSET = 2**63 - 1
"""Kafka counts records in signed 64-bit numbers."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_NUMBER = re.compile(r"[0-9]{1,19}")


def parse_key(key: bytes | None) -> DeploymentId | None:
    """Return whom a control message is for; a null key names nobody."""
    return None if key is None else DeploymentId(int.from_bytes(key, "big"))


def parse_request(value: bytes | None) -> TrainingRequest:
    """
    Return what the body of a control message asks for.

    Absent or null rates count as 0, unknown fields are passed over.

    Raises:
        MalformedRequest: Naming everything that is missing or wrong.
    """
    body = structure(_parse_json(value), _Body, "control message")
    return TrainingRequest(
        ranges=parse_ranges(body.topic),
        decoder=DecoderSpec(body.input_format, body.input_config),
        validation_rate=body.validation_rate or 0.0,
        test_rate=body.test_rate or 0.0,
        total_msg=body.total_msg,
        unlabelled=(
            parse_ranges(body.unsupervised_topic, "unsupervised_topic")
            if body.unsupervised_topic
            else ()
        ),
        topic=_bare(body.topic),
        unlabelled_topic=_bare(body.unsupervised_topic),
    )


def parse_ranges(text: str, name: str = "topic") -> tuple[RequestedRange, ...]:
    """
    Return the ranges of ``topic:partition:start:end,...``.

    From the right, any number may be missing: a range without an end is open, without a
    start begins at offset 0, without a partition is of partition 0.

    Args:
        text: The ranges.

        name: The field that they stand in, for the message.

    Raises:
        MalformedRequest: Naming every range that is not of this form.
    """
    ranges: list[RequestedRange] = []
    faults: list[str] = []
    for item in text.split(","):
        try:
            ranges.append(_parse_range(item))
        except ValueError as error:
            faults.append(f"{item!r} {error}")
    if faults:
        raise MalformedRequest(
            f"{name}: {'; '.join(faults)} (the form is topic:partition:start:end)"
        )
    return tuple(ranges)


def _bare(text: str | None) -> str | None:
    """Return *text* if it is a topic's name and nothing else."""
    return text if text and _TOPIC.fullmatch(text) else None


def _parse_range(item: str) -> RequestedRange:
    topic, *numbers = item.split(":")
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise ValueError("names no topic")
    if len(numbers) > 3:
        raise ValueError("has more than four parts")
    if not all(map(_NUMBER.fullmatch, numbers)):
        raise ValueError("has a partition or offset that is no number")
    partition, start, end = [*map(int, numbers), None, None, None][:3]
    if max(start or 0, end or 0) > MAX_OFFSET or (partition or 0) >= 2**31:
        raise ValueError("has a number that Kafka cannot count to")
    if end is not None and start is not None and start > end:
        raise ValueError("ends before it starts")
    return RequestedRange(topic, partition or 0, start or 0, end)


def _parse_json(value: bytes | None) -> object:
    try:
        return json.loads((value or b"").decode())
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"control message is not UTF-8: {error}") from error
    except ValueError as error:
        raise MalformedRequest(f"control message is not JSON: {error}") from error
    except RecursionError as error:
        raise MalformedRequest("control message is nested too deep") from error


def _is_rate(_: object, attribute: Attribute[float], rate: float | None) -> None:
    if rate is not None and not 0 <= rate <= 1:
        raise ValueError(f"{attribute.name} must be from 0 to 1, not {rate}")


def _is_count(_: object, attribute: Attribute[int], count: int | None) -> None:
    if count is not None and count < 0:
        raise ValueError(f"{attribute.name} must not be negative, as {count} is")


@frozen
class _Body:
    """The fields of a control message that the job reads (contract, section 3.2)."""

    topic: str
    input_format: str
    input_config: Mapping[str, object]
    validation_rate: float | None = field(default=None, validator=_is_rate)
    test_rate: float | None = field(default=None, validator=_is_rate)
    total_msg: int | None = field(default=None, validator=_is_count)
    unsupervised_topic: str | None = None
