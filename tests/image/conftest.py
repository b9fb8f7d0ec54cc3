"""The image, built once for all tests, and the platform around its jobs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from docs.site import ROOT
from tests.end_to_end.conftest import backend, sender, variables, variables_2020
from tests.image.builder import Builder, Image
from tests.image.dockerfile import Dockerfile

__all__ = ["backend", "sender", "variables", "variables_2020"]


def require_root() -> None:
    """Skip the test where nothing can be mounted, or fail it where it has to be."""
    if os.geteuid():
        reason = "makes namespaces and mounts, for which it has to be root's"
        if os.environ.get("STREAMFIT_REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def dockerfile() -> Dockerfile:
    """Return what the Dockerfile says."""
    return Dockerfile.read(ROOT / "Dockerfile")


@pytest.fixture(scope="session")
def image(
    tmp_path_factory: pytest.TempPathFactory, dockerfile: Dockerfile
) -> Iterator[Image]:
    """Carry out the Dockerfile, which takes a minute and three gigabytes."""
    require_root()
    folder = tmp_path_factory.mktemp("image")
    try:
        yield Builder(ROOT, folder).build(dockerfile)
    finally:
        shutil.rmtree(folder)
