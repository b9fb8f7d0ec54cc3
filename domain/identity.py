"""What tells one training from another."""

from __future__ import annotations

import hashlib
from pathlib import Path

from domain.request import DeploymentId, TrainingRequest

_CHUNK = 1 << 20


def identity(
    deployment_id: DeploymentId,
    request: TrainingRequest,
    untrained: Path,
    fingerprint: str,
) -> str:
    """
    Return a digest of everything that a training's result depends on.

    The same request sent again is the same training: where it lies in the control topic
    does not count.

    Args:
        deployment_id: Whose training it is.

        request: What to train on.

        untrained: The model, a file or a folder.

        fingerprint: Tells settings apart.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (repr(deployment_id), repr(request), fingerprint):
        _add(digest, part.encode())
    files = (
        sorted(path for path in untrained.rglob("*") if path.is_file())
        if untrained.is_dir()
        else [untrained]
    )
    for path in files:
        _add(digest, str(path.relative_to(untrained)).encode())
        _add_file(digest, path)
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, part: bytes) -> None:
    """Add *part* with its length, so that no two parts can pass for one."""
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)


def _add_file(digest: hashlib.blake2b, path: Path) -> None:
    digest.update(path.stat().st_size.to_bytes(8, "big"))
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
