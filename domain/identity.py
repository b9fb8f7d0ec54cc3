"""What tells one training from another."""

from __future__ import annotations

import hashlib
from pathlib import Path

from domain.request import DeploymentId, TrainingRequest

_CHUNK = 1 << 20


def identity(
    deployment_id: DeploymentId,
    request: TrainingRequest,
    outline: str,
    untrained: Path | None,
    fingerprint: str,
) -> str:
    """
    Return a digest of everything that tells a training from others.

    The same request sent again is the same training: where it lies in the control topic
    does not count.

    Args:
        deployment_id: Whose training it is.

        request: What to train on.

        outline: Tells models apart, whatever weights they start with.

        untrained: The model, a file or a folder, if its weights tell it from others.

        fingerprint: Tells settings apart.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (repr(deployment_id), repr(request), outline, fingerprint):
        _add(digest, part.encode())
    for path in _files(untrained):
        _add(digest, str(path.relative_to(untrained or path)).encode())
        _add_file(digest, path)
    return digest.hexdigest()


def _files(path: Path | None) -> list[Path]:
    if path is None:
        return []
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path]


def _add(digest: hashlib.blake2b, part: bytes) -> None:
    """Add *part* with its length, so that no two parts can pass for one."""
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)


def _add_file(digest: hashlib.blake2b, path: Path) -> None:
    digest.update(path.stat().st_size.to_bytes(8, "big"))
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
