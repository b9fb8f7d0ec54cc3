"""Control messages out, as the platform's sinks write them (contract, 3.2 and 4)."""

from __future__ import annotations

import json

from domain.request import DeploymentId
from domain.sending import Announcement, Stream


def announcement_key(deployment_id: DeploymentId) -> bytes:
    """
    Return the key that names the deployment: its number, big-endian.

    One byte for numbers up to 255, as the platform's own sinks write them; these know
    no others, but every reader does.
    """
    return deployment_id.to_bytes((deployment_id.bit_length() + 7) // 8 or 1, "big")


def announcement_text(announcement: Announcement) -> bytes:
    """Return the body: fields in the order of the sinks, which differ in this."""
    restrictions: dict[str, dict[str, str]] = {"dataset_restrictions": {}}
    online = announcement.incremental
    unlabelled = announcement.unlabelled
    body = {
        "topic": stream_text(announcement.stream),
        "unsupervised_topic": None if unlabelled is None else stream_text(unlabelled),
        "input_format": announcement.decoder.format,
        "description": announcement.description,
        **({} if online else restrictions),
        "input_config": dict(announcement.decoder.options),
        "validation_rate": _rate(announcement.validation_rate),
        "test_rate": _rate(announcement.test_rate),
        "total_msg": announcement.total_msg,
        **(restrictions if online else {}),
        "incremental": announcement.incremental,
    }
    return json.dumps(body).encode()


def stream_text(stream: Stream) -> str:
    """Return the ranges as ``topic:partition:start:end,...``; a bare name as it is."""
    if isinstance(stream, str):
        return stream
    return ",".join(f"{r.topic}:{r.partition}:{r.start}:{r.end}" for r in stream)


def _rate(rate: float) -> float:
    """Return a whole number as such: the sinks' default is 0, and not 0.0."""
    return int(rate) if rate == int(rate) else rate
