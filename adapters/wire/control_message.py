"""Control messages in (contract, sections 3 and 4)."""

from __future__ import annotations

from domain.request import DeploymentId, TrainingRequest


def parse_key(key: bytes | None) -> DeploymentId | None:
    """Return whom a control message is for; a null key names nobody."""
    return None if key is None else DeploymentId(int.from_bytes(key, "big"))


def parse_request(value: bytes | None) -> TrainingRequest:
    """Return what the body of a control message asks for.

    Raises:
        MalformedRequest: Naming everything that is missing or wrong.
    """
    raise NotImplementedError
